"""A token the parser does not take, and the answer to it: what the rules read and what they say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from steerlang.diagnostics.model import Diagnostic, Edit, Fix
from steerlang.source import Span

from .lexing import Token


@dataclass(frozen=True, slots=True)
class Trouble:
    """A token the parser does not take, and where that happened."""

    token: Token
    before: tuple[Token, ...]  # the tokens before it, nearest last: at most three
    after: Token | None
    accepts: frozenset[str]
    opener: Token | None  # the innermost open bracket
    at_entry: bool  # whether `token` is the second token of its entry
    named_before: bool  # whether an earlier entry in these brackets is written `name = value`
    is_call: bool  # whether the innermost bracket holds arguments

    @property
    def previous(self) -> Token | None:
        return self.before[-1] if self.before else None

    @property
    def previous_type(self) -> str:
        return self.before[-1].type if self.before else ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What to say, and how to go on: read `insert` before the token, or `skip` it."""

    diagnostic: Diagnostic
    insert: str | None = None
    skip: bool = False


Rule = Callable[[Trouble], "Answer | None"]


def gap_after(token: Token) -> Span:
    return Span(token.source, token.end, token.end)


def fix_by(title: str, *edits: tuple[Span, str]) -> tuple[Fix, ...]:
    return (Fix(title, tuple(Edit(span, text) for span, text in edits)),)
