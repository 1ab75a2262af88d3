"""Brackets of one item: the first one without a partner is reported, and all are balanced for the parser.

Done before parsing, on tokens alone, because a missing bracket is seen by the grammar far from where it is missing.
Where brackets do not balance, indentation says where one was meant to end.
"""

from __future__ import annotations

from dataclasses import dataclass

from steerlang.diagnostics.codes import STRAY_BRACKET, UNCLOSED_BRACKET
from steerlang.diagnostics.model import Diagnostic, Edit, Fix, Label, error
from steerlang.source import Span

from .cutting import broken_between, column, indentation
from .lexing import Token
from .vocabulary import CLOSERS, OPENERS, OPERATORS, SPELLING


@dataclass(frozen=True, slots=True)
class Balanced:
    """Tokens whose brackets match, and what had to be said about them."""

    tokens: list[Token]
    diagnostic: Diagnostic | None = None
    touched: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class _Open:
    token: Token
    position: int


def balance(tokens: list[Token]) -> Balanced:
    """The tokens with every bracket closed by its own kind."""
    if not tokens:
        return Balanced(tokens)
    diagnostic: Diagnostic | None = None
    touched: list[Span] = []
    for _ in range(len(tokens) + 1):  # every round mends one bracket
        step = _mend_first(tokens)
        if step is None:
            return Balanced(tokens, diagnostic, tuple(touched))
        tokens, found, span = step
        diagnostic = diagnostic or found
        touched.append(span)
        if len(touched) >= _MOST_ROUNDS:
            break
    return Balanced(_without_strays(tokens), diagnostic, tuple(touched))


#: After so many mendings nothing of the item is worth guessing; the rest is closed at its end.
_MOST_ROUNDS = 8

_Step = tuple[list[Token], Diagnostic, Span]


def _mend_first(tokens: list[Token]) -> _Step | None:
    """Mend the first bracket that has no partner; None when all have one."""
    stack: list[_Open] = []
    for i, token in enumerate(tokens):
        if token.type in OPENERS:
            stack.append(_Open(token, i))
        elif token.type in CLOSERS:
            if not stack:
                return _stray(tokens, i)
            if stack[-1].token.type != CLOSERS[token.type]:
                return _mismatched(tokens, i, stack)
            stack.pop()
    if not stack:
        return None
    return _unclosed(tokens, stack, len(tokens))


def _mismatched(tokens: list[Token], i: int, stack: list[_Open]) -> _Step:
    """A closing bracket of the wrong kind: one before it is unclosed, or it is stray, or it is mistyped."""
    token, top = tokens[i], stack[-1]
    if any(open_.token.type == CLOSERS[token.type] for open_ in stack):
        return _unclosed(tokens, stack, i)
    if _balances(tokens[i + 1 :], [open_.token.type for open_ in stack]):
        return _stray(tokens, i)
    right = OPENERS[top.token.type]
    wanted, written = SPELLING[right], SPELLING[token.type]
    diagnostic = error(
        UNCLOSED_BRACKET, token.span, f"`{SPELLING[top.token.type]}` is closed by `{written}`",
        label=f"`{wanted}` belongs here", secondary=(Label(top.token.span, "opened here"),),
        fixes=(Fix(f"write `{wanted}`", (Edit(token.span, wanted),)),), help=f"write `{wanted}`",
    )
    instead = Token(right, token.start, token.end, token.source, wanted)
    return [*tokens[:i], instead, *tokens[i + 1 :]], diagnostic, token.span


def _balances(tokens: list[Token], open_types: list[str]) -> bool:
    stack = list(open_types)
    for token in tokens:
        if token.type in OPENERS:
            stack.append(token.type)
        elif token.type in CLOSERS and (not stack or stack.pop() != CLOSERS[token.type]):
            return False
    return not stack


def _stray(tokens: list[Token], i: int) -> _Step:
    i = _closes_too_much(tokens, i)
    token = tokens[i]
    diagnostic = error(
        STRAY_BRACKET, token.span, f"`{token.text}` closes nothing", label="no bracket is open here",
        help=_stray_help(tokens, i), fixes=(Fix("delete it", (Edit(token.span, ""),)),),
    )
    return tokens[:i] + tokens[i + 1 :], diagnostic, token.span


def _closes_too_much(tokens: list[Token], i: int) -> int:
    """The bracket that is really stray when `i` closes nothing.

    What is opened at the end of a line is meant to be closed at the start of one, so an earlier closing bracket inside
    a line that closed such an opening one is the culprit.
    """
    stack: list[int] = []
    for k in range(i):
        if tokens[k].type in OPENERS:
            stack.append(k)
        elif tokens[k].type in CLOSERS and stack:
            opener = stack.pop()
            hanging = broken_between(tokens[opener], tokens[opener + 1])
            if hanging and opener + 1 < k and not broken_between(tokens[k - 1], tokens[k]):
                return k
    return i


def _stray_help(tokens: list[Token], i: int) -> str:
    opener = SPELLING[CLOSERS[tokens[i].type]]
    return f"delete it, or put the missing `{opener}` before what it closes"


def _unclosed(tokens: list[Token], stack: list[_Open], end: int) -> _Step:
    """A bracket that is open at `end`: close it where the layout says, or there."""
    guess = _by_layout(tokens, end)
    opened, place = guess if guess is not None else (stack[-1], end)
    closer = OPENERS[opened.token.type]
    spelling = SPELLING[closer]
    last = tokens[place - 1]
    gap = Span(last.source, last.end, last.end)
    count = sum(1 for open_ in stack if open_.position >= opened.position) if end == len(tokens) else 1
    more = f" (and {count - 1} more)" if count > 1 and guess is None else ""
    diagnostic = error(
        UNCLOSED_BRACKET, gap, f"`{opened.token.text}` is not closed{more}",
        label=f"`{spelling}` is missing here", secondary=(Label(opened.token.span, "opened here"),),
        fixes=(Fix(f"insert `{spelling}`", (Edit(gap, spelling),)),), help=f"close it with `{spelling}`",
    )
    closing = Token(closer, last.end, last.end, last.source, spelling)
    return [*tokens[:place], closing, *tokens[place:]], diagnostic, gap


def _by_layout(tokens: list[Token], end: int) -> tuple[_Open, int] | None:
    """The first open bracket that a less indented line shows to be over, and before which token it should close."""
    stack: list[_Open] = []
    for i in range(end):
        token = tokens[i]
        if i and token.type not in CLOSERS and broken_between(tokens[i - 1], token):
            opened = _left_behind(tokens, i, stack)
            if opened is not None:
                before_comma = tokens[i - 1].type == "COMMA" and i - 1 > opened.position + 1
                return opened, i - 1 if before_comma else i
        if token.type in OPENERS:
            stack.append(_Open(token, i))
        elif token.type in CLOSERS and stack:
            stack.pop()
    return None


def _left_behind(tokens: list[Token], i: int, stack: list[_Open]) -> _Open | None:
    """The innermost open bracket, when the line that begins with token `i` is not indented below it."""
    if not stack or tokens[i - 1].type in OPERATORS | {"EQUAL"} or stack[-1].position == i - 1:
        return None  # the line goes on, or it is the first in its bracket, which may begin anywhere
    return stack[-1] if indentation(stack[-1].token) >= column(tokens[i]) else None


def _without_strays(tokens: list[Token]) -> list[Token]:
    """Balanced by force: closers without partner go, open brackets are closed at the end."""
    kept: list[Token] = []
    stack: list[str] = []
    for token in tokens:
        if token.type in OPENERS:
            stack.append(OPENERS[token.type])
        elif token.type in CLOSERS:
            if token.type not in stack:
                continue
            while stack[-1] != token.type:
                kind = stack.pop()
                kept.append(Token(kind, token.start, token.start, token.source, SPELLING[kind]))
            stack.pop()
        kept.append(token)
    last = tokens[-1]
    kept.extend(Token(kind, last.end, last.end, last.source, SPELLING[kind]) for kind in reversed(stack))
    return kept
