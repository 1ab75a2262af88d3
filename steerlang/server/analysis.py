"""A program at one moment: its tokens, its tree, and what checking found out about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from steerlang.api.forms import form_of_source
from steerlang.api.weight_checks import with_edits_checked
from steerlang.diagnostics import Diagnostic
from steerlang.language.compiling import Compiled
from steerlang.language.modules import Module, Symbol
from steerlang.language.notes import Called, Given, Notes, Use, Word
from steerlang.source import Source, Span
from steerlang.syntax import tokenize
from steerlang.syntax.lexing import Token
from steerlang.syntax.parsing import MAX_CHARACTERS

from .texts import Document, Text


@dataclass(frozen=True, eq=False)
class Analysis:
    """`compiled` is the program checked as far as it can be while it is being typed; `diagnostics` look at the headers
    of weights too, which takes longer."""

    document: Document
    compiled: Compiled

    @property
    def content(self) -> Text:
        return self.document.content

    @property
    def source(self) -> Source:
        return self.compiled.source

    @property
    def is_steer(self) -> bool:
        """Whether it is in the text form, which alone has tokens of ours, and of a size that is read at all."""
        return form_of_source(self.source) == "steer" and len(self.source.text) <= MAX_CHARACTERS

    @property
    def module(self) -> Module:
        return self.compiled.module

    @property
    def notes(self) -> Notes:
        return self.compiled.program.notes

    @cached_property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        return with_edits_checked(self.compiled).diagnostics

    @cached_property
    def tokens(self) -> tuple[Token, ...]:
        return tokenize(self.source)

    @cached_property
    def significant(self) -> list[Token]:
        return [t for t in self.tokens if not t.is_trivia]

    def token_at(self, offset: int) -> Token | None:
        """The token at an offset; between two, the one that is a word."""
        near = [t for t in self.significant if t.start <= offset <= t.end]
        inside = [t for t in near if offset < t.end]
        words = [t for t in near if t.type == "NAME"]
        return next(iter(words or inside or near), None)

    # ---- what a place was read as ------------------------------------------------------------------------------

    def covers(self, span: Span, offset: int) -> bool:
        """Whether a place of this very text lies around an offset, its end included."""
        return span.source is self.source and span.start <= offset <= span.end

    def symbol_at(self, offset: int) -> Use | None:
        """The definition that the name at an offset defines or means."""
        own = (Use(s.span, s) for s in self.module.symbols.values())
        return next((u for u in (*own, *self.notes.uses) if self.covers(u.span, offset)), None)

    def called_at(self, offset: int) -> Called | None:
        return next((c for c in self.notes.calls if self.covers(c.span, offset)), None)

    def given_at(self, offset: int) -> Given | None:
        """The argument whose name stands at an offset."""
        return next((g for g in self.notes.arguments if g.span is not None and self.covers(g.span, offset)), None)

    def word_at(self, offset: int) -> Word | None:
        return next((w for w in self.notes.words if self.covers(w.span, offset)), None)

    def own_uses(self) -> Iterator[Use]:
        return (u for u in self.notes.uses if u.span.source is self.source)

    def definition_around(self, offset: int) -> Symbol | None:
        """The definition an offset lies in, from its kind to the last of its value."""
        return next((s for s in self.module.symbols.values() if self.covers(s.definition.span, offset)), None)
