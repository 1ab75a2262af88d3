"""What the places of a program were read as: which definition a name means, which function is called, which parameter
an argument is for, which blocks `25%..75%` are. Written down while checking and lowering; editors ask for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from steerlang.source import Span

from .modules import Symbol
from .types import Axis

if TYPE_CHECKING:
    from .signature import Function, Method, Parameter


@dataclass(frozen=True, slots=True)
class Use:
    """A name that means a definition; `span` is the name alone, without the import it is reached through."""

    span: Span
    symbol: Symbol


@dataclass(frozen=True, slots=True)
class Called:
    """A call: `span` is its name, `whole` the call, `function` what is called (a method where it is an option)."""

    span: Span
    whole: Span
    function: Function | Method


@dataclass(frozen=True, slots=True)
class Given:
    """An argument; `span` is its name, None where it stands by position, and `value` its value."""

    span: Span | None
    value: Span
    parameter: Parameter
    owner: str


@dataclass(frozen=True, slots=True)
class Word:
    """A bare word that a parameter reads as an option, with what it means."""

    span: Span
    word: str
    help: str


@dataclass(frozen=True, slots=True)
class Resolved:
    """Layers as they are written at `span`, and the blocks of `owner` they are."""

    span: Span
    layers: tuple[int, ...]
    owner: str


@dataclass(eq=False)
class Notes:
    """Everything written down about one program and its imports, in the order met."""

    uses: list[Use] = field(default_factory=list)
    calls: list[Called] = field(default_factory=list)
    arguments: list[Given] = field(default_factory=list)
    words: list[Word] = field(default_factory=list)
    layers: dict[Resolved, None] = field(default_factory=dict)  # once each, however many points there are
    sweeps: dict[Axis, Symbol] = field(default_factory=dict)

    def use(self, span: Span, symbol: Symbol | None) -> None:
        if symbol is not None:
            self.uses.append(Use(span, symbol))

    def word(self, span: Span, word: str, words: Mapping[str, str]) -> None:
        self.words.append(Word(span, word, words.get(word, "")))
