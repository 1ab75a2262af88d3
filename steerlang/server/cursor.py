"""Where in a program the cursor stands, told from tokens alone: programs are hardly ever whole while they are typed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from steerlang.syntax.cutting import broken_between, cut
from steerlang.syntax.lexing import Token
from steerlang.syntax.vocabulary import CLOSERS, INFIX, OPENERS, RESERVED, TEXTS, VALUE_ENDS

from .analysis import Analysis


@dataclass(frozen=True)
class Frame:
    """An open bracket around the cursor.

    callee    the name called, where it is the bracket of a call; empty else
    is_index  whether it selects: `polite[…]`; `subject` is the name selected from
    argument  the name of the argument whose value is being written, None where it has none (yet)
    position  how many entries without a name stand before
    given     names of the other arguments of the call
    """

    opener: Token
    callee: str = ""
    is_index: bool = False
    subject: str = ""
    argument: str | None = None
    position: int = 0
    given: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cursor:
    """A place in a program.

    place      `header`, `kind`, `name` or `value` of a definition, `text` within quotes, `comment`
    start      where the word begins that is being typed; `offset` where nothing is yet
    kind       of the definition, as far as it is there; `name` likewise
    before     the token before that word
    entry      whether the word is the first of its entry, so that it may become the name of an argument
    frames     the open brackets, from the outside in
    text       the token of the text the cursor stands in
    """

    offset: int
    start: int
    place: str
    kind: str = ""
    name: str = ""
    before: Token | None = None
    entry: bool = False
    frames: tuple[Frame, ...] = ()
    text: Token | None = None
    qualifier: str = ""  # `common` in `common.po|`

    @property
    def inner(self) -> Frame | None:
        return self.frames[-1] if self.frames else None


def cursor_at(analysis: Analysis, offset: int) -> Cursor:
    for token in analysis.tokens:
        if token.type in ("COMMENT", "BAD_COMMENT") and token.start < offset <= token.end:
            return Cursor(offset, offset, "comment")
    tokens = analysis.significant
    text = next((t for t in tokens if t.type in TEXTS and _within(t, offset)), None)
    word = next((t for t in tokens if t.type in ("NAME", *RESERVED) and t.start < offset <= t.end), None)
    edge = text.start if text is not None else word.start if word is not None else offset
    if not _has_header(tokens) or (len(tokens) > 1 and edge < tokens[1].end):
        return Cursor(offset, edge, "header")
    item, before = _item(tokens[2:], edge, word or text, analysis.source.text)
    found = _placed(item, before, replace(Cursor(offset, edge, "value"), text=text))
    return replace(found, place="text") if text is not None and found.place == "value" else found


def _within(text: Token, offset: int) -> bool:
    if not text.start < offset <= text.end:
        return False
    closed = text.type in ("STRING", "RAW_STRING", "TEXT", "BAD_QUOTES")
    quotes = 3 if text.type == "TEXT" else 1
    return offset <= text.end - quotes if closed else True


def _has_header(tokens: Sequence[Token]) -> bool:
    return len(tokens) > 1 and tokens[0].text == "steerlang" and tokens[1].type == "INT"


def _item(tokens: list[Token], edge: int, at: Token | None, text: str) -> tuple[list[Token], list[Token]]:
    """The tokens of the definition around an offset, and those of them that stand before it."""
    items = cut(tokens)
    own = next((item for item in items if at is not None and at in item), None)
    if own is None:
        earlier = [item for item in items if item[0].start < edge]
        own = earlier[-1] if earlier else []
        if own and _is_over(own, edge, text):
            return [], []
    return own, [t for t in own if t.end <= edge]


def _is_over(item: list[Token], edge: int, text: str) -> bool:
    """Whether a definition is complete before an offset on a later line."""
    before = [t for t in item if t.end <= edge]
    depth = sum((t.type in OPENERS) - (t.type in CLOSERS) for t in before)
    complete = len(before) > 3 and before[-1].type in VALUE_ENDS and depth <= 0
    return complete and len(before) == len(item) and "\n" in text[before[-1].end : edge]


def _placed(item: list[Token], before: list[Token], at: Cursor) -> Cursor:
    heads = before[:3]
    kind = heads[0].text if heads else ""
    if not before:
        return replace(at, place="kind")
    if len(before) == 1 and (len(item) < 2 or item[0].type == "NAME") and not _is_value(item):
        return replace(at, place="name", kind=kind)
    name = heads[1].text if len(heads) > 1 else ""
    if len(before) == 2 and before[1].type != "EQUAL":
        return replace(at, place="name", kind=kind, name=name)
    value = before[3:] if len(before) > 2 and before[2].type == "EQUAL" else before[2:]
    after = item[len(before) :]
    frames = _frames(value, after)
    last = before[-1]
    qualifier = before[-2].text if last.type == "DOT" and len(before) > 1 else ""
    entry = bool(frames) and last.type in ("COMMA", *OPENERS)
    return replace(at, kind=kind, name=name, before=last, frames=frames, entry=entry, qualifier=qualifier)


def _is_value(item: list[Token]) -> bool:
    return len(item) > 1 and item[1].type == "EQUAL"


def _frames(value: list[Token], after: list[Token]) -> tuple[Frame, ...]:
    """The brackets that are open at the end of some tokens."""
    frames: list[Frame] = []
    for i, token in enumerate(value):
        previous = value[i - 1] if i else None
        if token.type in OPENERS:
            frames.append(_opened(token, previous))
        elif token.type in CLOSERS:
            frames = frames[:-1]
        elif frames:
            frames[-1] = _further(frames[-1], token, previous, value[i + 1] if i + 1 < len(value) else None)
    if frames:
        frames[-1] = replace(frames[-1], given=(*frames[-1].given, *_named(after)))
    return tuple(frames)


def _opened(token: Token, previous: Token | None) -> Frame:
    follows = previous is not None and previous.type in VALUE_ENDS and not broken_between(previous, token)
    name = previous.text if previous is not None and previous.type == "NAME" else ""
    if token.type == "LPAR":
        return Frame(token, callee=name if follows else "")
    return Frame(token, is_index=follows and token.type == "LSQB", subject=name)


def _further(frame: Frame, token: Token, previous: Token | None, following: Token | None) -> Frame:
    if token.type == "COMMA":
        counted = frame.position + (frame.argument is None)
        return replace(frame, argument=None, position=counted)
    if token.type == "EQUAL" and previous is not None and frame.argument is None:
        return replace(frame, argument=previous.text, given=(*frame.given, previous.text))
    return frame


def _named(after: list[Token]) -> list[str]:
    """Names of arguments that follow the cursor in the same brackets."""
    depth, found = 0, []
    for i, token in enumerate(after):
        depth += (token.type in OPENERS) - (token.type in CLOSERS)
        if depth < 0:
            break
        if depth == 0 and token.type == "EQUAL" and i and after[i - 1].type == "NAME":
            found.append(after[i - 1].text)
    return found


def operator_before(cursor: Cursor) -> str:
    """The infix operator whose right side is being written; empty where there is none."""
    before = cursor.before
    return before.text if before is not None and before.type in INFIX - {"DOT"} else ""
