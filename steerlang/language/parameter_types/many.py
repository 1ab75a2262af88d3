"""Lists, values spread along an axis, and the axes themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from steerlang.diagnostics import codes, error
from steerlang.language import typed as t
from steerlang.language.signature import Mismatch
from steerlang.language.types import WORD, ListType, list_of, union
from steerlang.syntax import tree

if TYPE_CHECKING:
    from steerlang.language.scope import Scope
from .base import ParameterType, wrong


@dataclass(frozen=True, slots=True)
class ListOf(ParameterType):
    """A list, each entry read by `element`; with `single`, one entry may stand alone."""

    element: ParameterType
    single: bool = False

    @property
    def phrase(self) -> str:
        return f"{self.element.phrase}, or a list" if self.single else f"a list, each {self.element.phrase}"

    @property
    def parts(self) -> tuple[ParameterType, ...]:
        return (self.element,)

    def problem(self, value: Any) -> Mismatch | None:
        found = (self.element.problem(v) for v in value) if isinstance(value, list) else ()
        return next((f for f in found if f is not None), None)

    def settled(self, value: Any) -> Any:
        return [self.element.settled(v) for v in value] if isinstance(value, list) else value

    def check(self, expr: tree.Expr, scope: Scope) -> t.Typed:
        if isinstance(expr, tree.ListOf) and not (self.single and self.element.is_one(expr)):
            items = tuple(self.element.check(e, scope) for e in expr.items)
        elif self.single:
            items = (self.element.check(expr, scope),)
        else:
            given = scope.infer(expr, ())
            if isinstance(given.type, ListType) or isinstance(given, t.Poison):
                return given
            return wrong(scope, given, self.phrase)
        if t.is_broken(items):
            return t.Poison(WORD, expr.span)
        return t.Sequence(items, list_of(WORD), union(*(i.axes for i in items)), expr.span)


@dataclass(frozen=True, slots=True)
class Single(ParameterType):
    """Exactly one value, handed on as a list of one."""

    element: ParameterType

    @property
    def phrase(self) -> str:
        return self.element.phrase

    @property
    def parts(self) -> tuple[ParameterType, ...]:
        return (self.element,)

    def check(self, expr: tree.Expr, scope: Scope) -> t.Typed:
        item = self.element.check(expr, scope)
        return t.Sequence((item,), list_of(WORD), item.axes, expr.span)


@dataclass(frozen=True, slots=True)
class Spread(ParameterType):
    """One value or a list of them; a list spreads the result along the axis `axis`, labelled by the names given."""

    element: ParameterType
    axis: str

    @property
    def phrase(self) -> str:
        return f"{self.element.phrase}, or a list"

    @property
    def parts(self) -> tuple[ParameterType, ...]:
        return (self.element,)

    def check(self, expr: tree.Expr, scope: Scope) -> t.Typed:
        if not isinstance(expr, tree.ListOf):
            return self.element.check(expr, scope)
        if not expr.items:
            scope.report(
                error(codes.EMPTY_RANGE, expr.span, "the list is empty", help=f"give at least {self.element.phrase}")
            )
            return t.Poison(WORD, expr.span)
        return scope.choose(self.axis, tuple(self.element.check(e, scope) for e in expr.items), expr)


@dataclass(frozen=True, slots=True)
class AxisOf(ParameterType):
    """The name of a sweep."""

    @property
    def phrase(self) -> str:
        return "the name of a sweep"

    def check(self, expr: tree.Expr, scope: Scope) -> t.Typed:
        given = scope.infer(expr, ())
        if isinstance(given, t.Reference) and given.symbol.kind == "sweep" and len(given.axes) == 1:
            return t.Constant(given.axes[0], WORD, expr.span)
        return wrong(scope, given, self.phrase)
