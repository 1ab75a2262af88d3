"""Reading a definition or expression that has mistakes: report each, and keep what can be read.

Three passes over the tokens: malformed tokens are replaced (`mending`), brackets are balanced (`brackets`), and then
the parser is fed token by token. Where it does not take one, `rules` says what that means; the parser goes on with a
token put in or left out, or gives up the innermost entry (everything up to its comma or closing bracket) and reads
`BROKEN` in its place. So a mistake in one argument hides neither the other arguments nor their mistakes.
"""

from __future__ import annotations

from dataclasses import dataclass

from steerlang.diagnostics.codes import MISSING_VALUE
from steerlang.diagnostics.model import Diagnostic, error
from steerlang.source import Span

from . import tree
from .brackets import balance
from .feeding import Feed
from .head import read_head
from .lexing import END, Token
from .mending import Mended, mend
from .rules import answer, stand_in
from .trouble import Trouble
from .vocabulary import CLOSERS, OPENERS, VALUE_ENDS

#: After so many mendings the rest of a definition is not read.
MOST_MENDINGS = 40


def recover_item(tokens: list[Token]) -> tuple[tree.Definition | None, list[Diagnostic]]:
    """The definition, with `Broken` where it could not be read, or None when not even its kind and name can be."""
    mended = mend(tokens)
    head = read_head(mended.tokens)
    if head.kind is None or head.name is None:
        in_head = any(place.start <= tokens[:2][-1].start for place in mended.touched)
        return None, mended.diagnostics if in_head else list(head.diagnostics)
    found = [*mended.diagnostics, *head.diagnostics]
    everything = tokens[0].span.to(tokens[-1].span)
    value_tokens = mended.tokens[head.length :]
    if head.is_broken:
        value: tree.Expr = tree.Broken(Span(everything.source, head.end, max(everything.end, head.end)))
    else:
        if head.diagnostics and value_tokens:
            mended.touched.append(value_tokens[0].span)
        value, more = _read(value_tokens, mended.tokens[: head.length], mended, everything)
        found = found + [d for d in more if not (mended.swallowed and _after(d, mended.touched))]
    return tree.Definition(head.kind, head.name, value, everything), found


def recover_expression(tokens: list[Token], everything: Span) -> tuple[tree.Expr, list[Diagnostic]]:
    mended = mend(tokens)
    if not mended.tokens:
        start = Span(everything.source, everything.start, everything.start)
        missing = error(MISSING_VALUE, start, "there is no value", help="write an expression")
        return tree.Broken(everything), mended.diagnostics or [missing]
    value, more = _read(mended.tokens, [], mended, everything)
    return value, mended.diagnostics + more


def _after(diagnostic: Diagnostic, touched: list[Span]) -> bool:
    return diagnostic.primary is not None and diagnostic.primary.span.start >= touched[0].start


def _read(
    tokens: list[Token], before: list[Token], mended: Mended, everything: Span,
) -> tuple[tree.Expr, list[Diagnostic]]:
    """The value, and its mistakes beyond the malformed tokens; `before` it stand the tokens of the head."""
    balanced = balance(tokens)
    end = Token(END, everything.end, everything.end, everything.source)
    reader = _Reader(balanced.tokens, before, [*mended.touched, *balanced.touched], end)
    value = reader.read()
    if balanced.diagnostic is None or mended.swallowed:
        return value, reader.diagnostics
    limit = _first_place(balanced.diagnostic)
    earlier = [d for d in reader.diagnostics if d.primary is not None and d.primary.span.start < limit]
    return value, [*earlier, balanced.diagnostic]


def _first_place(diagnostic: Diagnostic) -> int:
    """Where trouble with a bracket can begin: at its opener, or at the start of the line it is found on."""
    assert diagnostic.primary is not None
    span = diagnostic.primary.span
    if diagnostic.secondary:
        return min(label.span.start for label in diagnostic.secondary)
    return span.source.line_starts[span.first.line - 1]


@dataclass(slots=True)
class _Frame:
    """An open bracket, and the parser as it was where the current entry began."""

    opener: Token | None
    is_call: bool
    entry: Feed
    entry_start: int
    named: bool = False


class _Reader:
    """One pass of the parser over balanced tokens."""

    def __init__(self, tokens: list[Token], before: list[Token], touched: list[Span], end: Token) -> None:
        self.tokens = tokens
        self.before = before
        self.end = end
        self.touched = touched
        self.diagnostics: list[Diagnostic] = []
        self.mendings = 0
        self.feed = Feed("expr")
        self.frames = [_Frame(None, False, self.feed.fork(), 0)]
        self.position = 0

    def read(self) -> tree.Expr:
        while True:
            token = self.tokens[self.position] if self.position < len(self.tokens) else self.end
            if self.feed.would_take(token.type):
                self.feed.take(token)
                if token is self.end:
                    value: tree.Expr = self.feed.result
                    return value
                self._note(token)
                self.position += 1
            elif not self._mend(token):
                start = self.tokens[0].start if self.tokens else self.end.start
                return tree.Broken(Span(self.end.source, start, self.end.start))

    def _note(self, token: Token) -> None:
        """Keep track of brackets and entries."""
        if token.type in OPENERS:
            is_call = self.position > 0 and self.tokens[self.position - 1].type in VALUE_ENDS
            self.frames.append(_Frame(token, is_call, self.feed.fork(), self.position + 1))
        elif token.type in CLOSERS:
            self.frames.pop()
        elif token.type == "COMMA":
            self.frames[-1].entry = self.feed.fork()
            self.frames[-1].entry_start = self.position + 1
        elif token.type == "EQUAL":
            self.frames[-1].named = True

    def _mend(self, token: Token) -> bool:
        """Report the token the parser did not take, and find a way on; False when the rest is lost."""
        self.mendings += 1
        if self.mendings > MOST_MENDINGS:
            return False
        trouble = self._trouble(token)
        reply = answer(trouble)
        if not (self._follows_from_mending(trouble) and (self.diagnostics or self.touched)):
            self.diagnostics.append(reply.diagnostic)
        if reply.skip:
            self.position += 1
            self.touched.append(token.span)
            return True
        if reply.insert is not None and trouble.previous is not None:
            inserted = stand_in(reply.insert, trouble.previous)
            if self.feed.would_take(inserted.type, token.type):
                self.feed.take(inserted)
                self._note_inserted(inserted, token)
                return True
        return self._give_up_entry()

    def _note_inserted(self, inserted: Token, token: Token) -> None:
        self.touched += (inserted.span, token.span)
        if inserted.type == "COMMA":
            self.frames[-1].entry = self.feed.fork()
            self.frames[-1].entry_start = self.position
        elif inserted.type == "EQUAL":
            self.frames[-1].named = True

    def _trouble(self, token: Token) -> Trouble:
        frame = self.frames[-1]
        before = self.tokens[max(0, self.position - 3) : self.position]
        before = [*self.before, *before][-3:]
        after = self.tokens[self.position + 1] if self.position + 1 < len(self.tokens) else None
        at_entry = self.position == frame.entry_start + 1
        return Trouble(
            token, tuple(before), after, self.feed.accepts(), frame.opener, at_entry, frame.named, frame.is_call,
        )

    def _follows_from_mending(self, trouble: Trouble) -> bool:
        """Whether the place borders on one that is reported already."""
        start = trouble.previous.start if trouble.previous is not None else trouble.token.start
        return any(place.end >= start and place.start <= trouble.token.end for place in self.touched)

    def _give_up_entry(self) -> bool:
        """Read the innermost entry as `BROKEN` and go on behind it."""
        frame = self.frames[-1]
        if frame.opener is None:
            return False
        source = frame.opener.source
        first = self.tokens[frame.entry_start]
        if not frame.entry.would_take("BROKEN"):
            return self._leave_out_entry(frame)
        self.position = self._end_of_entry(frame.entry.would_take("BROKEN", "COMMA"))
        last = self.tokens[self.position - 1] if self.position > frame.entry_start else first
        self.feed = frame.entry.fork()
        self.feed.take(Token("BROKEN", first.start, last.end, source, ""))
        self.touched.append(Span(source, last.end, last.end))
        return True

    def _leave_out_entry(self, frame: _Frame) -> bool:
        """Records take only named entries, so a broken one is left out instead."""
        self.feed = frame.entry.fork()
        self.position = self._end_of_entry(True)
        if self.tokens[self.position].type == "COMMA":
            self.position += 1
            frame.entry_start = self.position
        return True

    def _end_of_entry(self, commas: bool) -> int:
        """Position of what ends the current entry: its closing bracket, or a comma if there can be `commas`."""
        depth = 0
        position = self.frames[-1].entry_start
        while True:
            kind = self.tokens[position].type
            if depth == 0 and position >= self.position and (kind in CLOSERS or (commas and kind == "COMMA")):
                return position
            depth += (kind in OPENERS) - (kind in CLOSERS)
            position += 1
