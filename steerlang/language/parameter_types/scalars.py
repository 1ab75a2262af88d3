"""Numbers, texts, flags."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from steerlang.diagnostics import Edit, Fix, codes, error
from steerlang.language import typed as t
from steerlang.language.signature import Mismatch
from steerlang.language.types import BOOL, NONE, NUMBER, RATIO, TEXT
from steerlang.syntax import tree

if TYPE_CHECKING:
    from steerlang.language.scope import Scope
from .base import ParameterType, Value, wrong


@dataclass(frozen=True, slots=True)
class Number(ParameterType):
    """A number with bounds (both included)."""

    minimum: float | None = None
    maximum: float | None = None
    integer: bool = False
    optional: bool = False
    exclusive: bool = False  # minimum itself is left out
    below: bool = False  # maximum itself is left out

    @property
    def phrase(self) -> str:
        noun = "a whole number" if self.integer else "a number"
        if self.minimum is not None and self.maximum is not None:
            low = f"above {self.minimum:g} and up" if self.exclusive else f"from {self.minimum:g}"
            return (
                f"{noun} between {self.minimum:g} and {self.maximum:g}"
                if self.below
                else f"{noun} {low} to {self.maximum:g}"
            )
        if self.minimum is not None:
            return f"{noun} above {self.minimum:g}" if self.exclusive else f"{noun} of at least {self.minimum:g}"
        return noun if self.maximum is None else f"{noun} of at most {self.maximum:g}"

    def check(self, expr: tree.Expr, scope: Scope) -> t.Typed:
        given = scope.infer(expr, (NUMBER,))
        if NUMBER.accepts(given.type) or (self.optional and given.type == NONE):
            return given
        help = ""
        if given.type == RATIO and isinstance(expr, tree.Quantity):
            help = f"write the number itself: `{expr.value / 100:g}`"
        return wrong(scope, given, self.phrase, help)

    def problem(self, value: Any) -> Mismatch | None:
        if value is None and self.optional:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return Mismatch(f"this is not {self.phrase}", f"give {self.phrase}")
        if value != value or value in (float("inf"), float("-inf")):
            return Mismatch("this number is not finite", f"give {self.phrase}")
        if self.integer and value != int(value):
            return Mismatch(f"`{value:g}` is not a whole number", f"give {self.phrase}")
        low = self.minimum is not None and (value < self.minimum or (self.exclusive and value == self.minimum))
        high = self.maximum is not None and (value > self.maximum or (self.below and value == self.maximum))
        if low or high:
            return Mismatch(f"`{value:g}` is out of bounds", f"give {self.phrase}")
        return None

    def settled(self, value: Any) -> Any:
        return value if value is None else int(value) if self.integer else float(value)


@dataclass(frozen=True, slots=True)
class Text(ParameterType):
    """A text. `holds` says what it names, for editors: a `file`, a `model`, an `output`, or a `column` of data."""

    optional: bool = False
    holds: str = ""

    @property
    def phrase(self) -> str:
        return "a text in double quotes"

    def check(self, expr: tree.Expr, scope: Scope) -> t.Typed:
        if isinstance(expr, tree.Name) and not scope.defines(expr.id):
            scope.report(
                error(
                    codes.ARGUMENT_TYPE,
                    expr.span,
                    f"`{expr.id}` is a bare word where {scope.parameter} takes a text",
                    help=f'put it in quotes: `"{expr.id}"`',
                    fixes=(Fix("put it in quotes", (Edit(expr.span, f'"{expr.id}"'),)),),
                )
            )
            return t.Poison(TEXT, expr.span)
        given = scope.infer(expr, (TEXT,))
        if TEXT.accepts(given.type) or (self.optional and given.type == NONE):
            return given
        return wrong(scope, given, self.phrase)


@dataclass(frozen=True, slots=True)
class TextOr(Value):
    """A text, or a value of one of some other types: `TextOr((TEXT, TEXTS))`. A bare word was meant to be a text."""

    def check(self, expr: tree.Expr, scope: Scope) -> t.Typed:
        if isinstance(expr, tree.Name) and not scope.defines(expr.id):
            return Text().check(expr, scope)
        return Value.check(self, expr, scope)


@dataclass(frozen=True, slots=True)
class Flag(ParameterType):
    @property
    def phrase(self) -> str:
        return "`true` or `false`"

    def check(self, expr: tree.Expr, scope: Scope) -> t.Typed:
        given = scope.infer(expr, (BOOL,))
        return given if BOOL.accepts(given.type) else wrong(scope, given, self.phrase)
