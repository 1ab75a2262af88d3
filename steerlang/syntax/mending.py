"""Malformed tokens: what is wrong with each, and what the parser reads in its place so that it can go on."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from steerlang.diagnostics.codes import BAD_CHARACTER, BAD_NUMBER, UNTERMINATED_STRING
from steerlang.diagnostics.model import Applicability, Diagnostic, Edit, Fix, error
from steerlang.source import Span

from .hints import OPERATORS, Hint, character_hint
from .lexing import Token
from .literals import quoted
from .numbers import number_help, split_number
from .vocabulary import CLOSERS, NUMBERS, OPENERS, TERMINAL_OF, TEXTS, VALUE_ENDS, VALUE_STARTS, shown

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Around:
    """A malformed token and its neighbours."""

    token: Token
    before: tuple[Token, ...]  # at most the last two
    after: Token | None
    depth: int

    def before_is(self, types: frozenset[str] | set[str]) -> bool:
        return bool(self.before) and self.before[-1].type in types

    def after_is(self, types: frozenset[str] | set[str]) -> bool:
        return self.after is not None and self.after.type in types


@dataclass(slots=True)
class Mended:
    """Tokens without malformed ones; `touched` are the places where they differ from what is written."""

    tokens: list[Token] = field(default_factory=list)
    diagnostics: list[Diagnostic] = field(default_factory=list)
    touched: list[Span] = field(default_factory=list)
    swallowed: bool = False  # an unclosed text hides the rest of its line, brackets included


#: After so many malformed tokens in one definition the others go unreported.
MOST_DIAGNOSTICS = 40

Mending = tuple["Diagnostic | None", "Token | None"]


def mend(tokens: list[Token]) -> Mended:
    """Report every malformed token and put in its place what was probably meant."""
    result = Mended()
    depth = 0
    for i, token in enumerate(tokens):
        depth += (token.type in OPENERS) - (token.type in CLOSERS)
        after = tokens[i + 1] if i + 1 < len(tokens) else None
        if not token.is_bad:
            if not _join_number(token, after, result):
                result.tokens.append(token)
            continue
        if i and token.type == "BAD_CHARACTER" and _is_more_of(tokens[i - 1], token):
            continue
        around = Around(token, tuple(result.tokens[-2:]), after, depth)
        diagnostic, instead = _MENDINGS[token.type](around)
        is_new = diagnostic is not None and not _repeats(diagnostic, result)
        if diagnostic is not None and is_new and len(result.diagnostics) < MOST_DIAGNOSTICS:
            result.diagnostics.append(diagnostic)
        if instead is not None:
            result.tokens.append(instead)
        result.touched.append(token.span)
        result.swallowed = result.swallowed or token.type in ("BAD_TEXT", "BAD_STRING")
    return result


def _is_more_of(before: Token, token: Token) -> bool:
    """Whether a meaningless character is only repeated."""
    return before.type == token.type and before.end == token.start and before.written == token.written


def _join_number(token: Token, after: Token | None, result: Mended) -> bool:
    """Read two tokens that were meant as one number as `BROKEN`."""
    found = split_number(result.tokens, token, after)
    if found is None:
        return False
    written, meant, help = found
    joined = replace(result.tokens.pop(), type="BROKEN", end=token.end, stand_in="")
    result.diagnostics.append(error(
        BAD_NUMBER, joined.span, f"`{written}` is not a number", help=help, fixes=_swap(joined, meant),
    ))
    result.tokens.append(joined)
    result.touched.append(joined.span)
    return True


def _repeats(new: Diagnostic, result: Mended) -> bool:
    """The same trouble again on one line, or one more character in a run of them."""
    earlier = result.diagnostics[-1] if result.diagnostics else None
    if earlier is None or new.primary is None or earlier.primary is None or new.code is not BAD_CHARACTER:
        return False
    span = new.primary.span
    if earlier.primary.span.first.line != span.first.line:
        return False
    adjacent = bool(result.touched) and result.touched[-1].end == span.start
    same = new.message == earlier.message
    return (adjacent and same) or ((adjacent or same) and not new.fixes)


def _as(token: Token, text: str) -> Token:
    """The token read as if `text` were written there."""
    kind = TERMINAL_OF.get(text) or ("STRING" if text.startswith('"') else "NAME")
    return replace(token, type=kind, stand_in=text)


def _gap(token: Token) -> Token:
    return replace(token, type="BROKEN", stand_in="")


def _swap(token: Token, text: str, safe: bool = False) -> tuple[Fix, ...]:
    title = f"write `{text}`" if text.strip() else "delete it"
    return (Fix(title, (Edit(token.span, text),), Applicability.SAFE if safe else Applicability.UNSAFE),)


def _comment(around: Around) -> Mending:
    token = around.token
    fixes: tuple[Fix, ...] = ()
    if token.written.startswith("//"):
        slashes = Span(token.source, token.start, token.start + 2)
        fixes = (Fix("write `#`", (Edit(slashes, "#"),), Applicability.SAFE),)
    opening = Span(token.source, token.start, token.start + 2)
    return error(
        BAD_CHARACTER, opening, f"`{token.written[:2]}` does not begin a comment",
        help="a comment begins with `#` and goes to the end of the line", fixes=fixes,
    ), None


def _operator(around: Around) -> Mending:
    token = around.token
    if token.written == "=>":
        names = around.before_is({"NAME"}) and (len(around.before) < 2 or around.before[0].type not in VALUE_STARTS
                                                or around.depth == 0)
        at_entry = names and (len(around.before) < 2 or around.before[0].type in {*OPENERS, "COMMA", "NAME"})
        hint = Hint("=", "`=>` is not an operator", "names and values are joined by a plain `=`") if at_entry else Hint(
            ">=", "`=>` is not an operator", 'write `>=` for "is at least"')
    else:
        hint = OPERATORS[token.written]
    return _hinted(around, hint)


def _hinted(around: Around, hint: Hint) -> Mending:
    token = around.token
    if hint.instead is None:
        lone = _gap(token) if token.type == "BAD_OPERATOR" and not around.before_is(VALUE_ENDS) else None
        fixes = _swap(token, "") if hint.help.endswith("delete it") else ()
        return error(BAD_CHARACTER, token.span, hint.message, help=hint.help, fixes=fixes), lone
    return error(
        BAD_CHARACTER, token.span, hint.message, help=hint.help, fixes=_swap(token, hint.instead),
    ), _as(token, hint.instead)


def _name(around: Around) -> Mending:
    token = around.token
    plain = unicodedata.normalize("NFKC", token.written)
    if _NAME.fullmatch(plain):
        return error(
            BAD_CHARACTER, token.span, f"{shown(token)} is written with full-width or styled letters",
            help=f"write `{plain}`", fixes=_swap(token, plain),
        ), _as(token, plain)
    bad = next(c for c in token.written if not c.isascii())
    named = around.after_is({"EQUAL"}) or around.before_is({"DOT", "NAME"}) or around.after_is({"NAME"})
    return error(
        BAD_CHARACTER, token.span, f"`{bad}` cannot stand in a name",
        help="names are made of the letters a to z and A to Z, digits and `_`; texts stand in `\"…\"`",
    ), _as(token, token.written) if named else _gap(token)


def _text(around: Around) -> Mending:
    token = around.token
    length = token.written.index('"') + 3
    if length == 4 and len(token.written) > 6 and token.written.endswith('"""'):
        letter = Span(token.source, token.start, token.start + 1)
        return error(
            BAD_CHARACTER, letter, '`r` cannot stand before `"""`', help='write `r"…"` or `"""…"""`',
            fixes=(Fix("delete it", (Edit(letter, ""),)),),
        ), _gap(token)
    return error(
        UNTERMINATED_STRING, Span(token.source, token.start, token.start + length),
        'a text that begins with `"""` is not closed', label="begins here",
        help='close it with `"""`',
    ), _gap(token)


def _string(around: Around) -> Mending:
    token = around.token
    written = token.written
    quote = written[0] if written[0] != "r" else written[1]
    help: tuple[str, ...] = (f"close it with `{quote if quote == chr(34) else chr(34)}` on the same line",)
    if quote == "'":
        help = ('texts stand in `"…"`, not in `\'…\'`',)
    elif "”" in written or "“" in written:
        help = ('the closing quote must be the plain `"`, not a typographic one',)
    else:
        help += ('a text of several lines stands in `"""…"""`',)
    return error(
        UNTERMINATED_STRING, token.span, "a text is not closed before the end of the line", label="begins here",
        help=help,
    ), _gap(token)


def _quotes(around: Around) -> Mending:
    token = around.token
    inner = token.written[1:-1]
    what = "single quotes" if token.written[0] == "'" else "typographic quotes"
    literal = quoted(inner)
    return error(
        BAD_CHARACTER, token.span, f"a text stands in {what}", help=f'write it in plain double quotes: `{literal}`'
        if len(literal) < 40 else 'write it in plain double quotes: `"…"`',
        fixes=_swap(token, literal, safe="\\" not in inner),
    ), _as(token, literal)


def _number(around: Around) -> Mending:
    token = around.token
    help, instead = number_help(token.written)
    fixes = _swap(token, instead) if instead else ()
    return error(
        BAD_NUMBER, token.span, f"{shown(token)} is not a number", help=help, fixes=fixes,
    ), _gap(token)


def _character(around: Around) -> Mending:
    token = around.token
    if token.written == ":":
        return _colon(around)
    hint = character_hint(token.written)
    if token.written == ";" and around.depth > 0:
        hint = Hint(",", hint.message, "entries are separated by `,`")
    if token.written == "!" and around.before_is(VALUE_ENDS):
        hint = Hint(None, hint.message, 'write `!=` for "is not equal", `not` to negate')
    if hint.instead is None or hint.instead in TERMINAL_OF:
        diagnostic, instead = _hinted(around, hint)
        return diagnostic, instead if hint.instead is not None else None
    return error(
        BAD_CHARACTER, token.span, hint.message, help=hint.help, fixes=_swap(token, hint.instead),
    ), None


def _colon(around: Around) -> Mending:
    """`8:16` is a range elsewhere, `name: value` an argument, `"key": value` an entry."""
    message = "`:` has no meaning here"
    if around.before_is(NUMBERS) or (around.after_is(NUMBERS) and around.before_is({"LSQB"})):
        return _hinted(around, Hint(
            "..", message, "a range is written `8..16` and holds both ends; `8..<16` leaves the last one out"))
    if around.before_is(TEXTS):
        return error(
            BAD_CHARACTER, around.token.span, message,
            help="an entry is written `name = value`, the name without quotes", fixes=_unquoted(around),
        ), _as(around.token, "=")
    if around.before_is({"NAME"}):
        return _hinted(around, Hint("=", message, "names and values are joined by `=`"))
    return error(BAD_CHARACTER, around.token.span, message, help="delete it"), None


def _unquoted(around: Around) -> tuple[Fix, ...]:
    """`"key":` becomes `key =`, where the key is a name."""
    name = around.before[-1].text.strip("\"'")
    if not _NAME.fullmatch(name):
        return ()
    edits = (Edit(around.before[-1].span, name), Edit(around.token.span, " ="))
    return (Fix(f"write `{name} =`", edits),)


_MENDINGS: dict[str, Callable[[Around], Mending]] = {
    "BAD_COMMENT": _comment, "BAD_OPERATOR": _operator, "BAD_NAME": _name, "BAD_TEXT": _text, "BAD_STRING": _string,
    "BAD_QUOTES": _quotes, "BAD_NUMBER": _number, "BAD_CHARACTER": _character,
}
