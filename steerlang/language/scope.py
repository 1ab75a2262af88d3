"""Reading expressions: names resolved, calls bound, operators typed, axes selected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from steerlang.diagnostics import Diagnostic, Label
from steerlang.source import Span
from steerlang.syntax import tree

from . import calling, lists, naming, operating
from . import typed as t
from .binding import Binder
from .indexing import index
from .literals import literal
from .modules import Module
from .notes import Notes
from .parameter_types import Layers, names_layers
from .signature import Parameter
from .types import (
    ERROR,
    LAYERS,
    RECORD,
    WORD,
    Type,
    union,
)

if TYPE_CHECKING:
    from .checking import Checker


@dataclass(frozen=True)
class Scope:
    """Where an expression stands: its module, and the parameter it is given for (used in messages)."""

    checker: Checker
    module: Module
    parameter: str

    def report(self, diagnostic: Diagnostic) -> None:
        self.checker.diagnostics.append(diagnostic)

    @property
    def notes(self) -> Notes:
        return self.checker.notes

    def inside(self, parameter: str) -> Scope:
        return replace(self, parameter=parameter)

    def labels(self, *places: tuple[Span | None, str]) -> tuple[Label, ...]:
        return tuple(Label(span, text) for span, text in places if span is not None)

    def defines(self, name: str) -> bool:
        return name in self.module.symbols

    def bind(
        self,
        what: str,
        subjects: tuple[Parameter, ...],
        parameters: tuple[Parameter, ...],
        arguments: tuple[tree.Argument, ...],
        span: Span,
    ) -> Mapping[str, t.Typed]:
        return Binder(self, what, subjects, parameters, span).bind(arguments)

    def invoke(self, name: str, arguments: Mapping[str, t.Typed], span: Span) -> t.Typed:
        """A call the author did not write, such as the text data made of a list of texts."""
        function = self.checker.registry.functions[name]
        result = function.result
        assert isinstance(result, Type)
        left_out = (p for p in function.all_parameters if p.name not in arguments)
        defaults = {p.name: t.Constant(p.default, WORD, span, default=True) for p in left_out}
        arguments = {**arguments, **defaults}
        return t.Invocation(function, arguments, result, union(*(a.axes for a in arguments.values())), span)

    # ---- expressions -------------------------------------------------------------------------------------------

    def infer(self, expr: tree.Expr, wanted: tuple[Type, ...] = ()) -> t.Typed:
        """The meaning of an expression; `wanted` only picks the namespace suggestions come from."""
        plain = literal(expr)
        if plain is not None:
            return plain
        if isinstance(expr, tree.Range) or (LAYERS in wanted and names_layers(expr, self)):
            return Layers().check(expr, self)
        if isinstance(expr, tree.Name):
            return naming.name(self, expr, wanted)
        if isinstance(expr, tree.Call):
            return calling.call(self, expr, wanted)
        if isinstance(expr, tree.Member):
            return naming.member(self, expr)
        if isinstance(expr, tree.Index):
            return index(self, expr)
        if isinstance(expr, tree.Binary):
            return operating.operator(self, expr.operator, (expr.left, expr.right), expr.operator_span, expr.span)
        if isinstance(expr, tree.Unary):
            return operating.operator(self, expr.operator, (expr.operand,), expr.span, expr.span)
        if isinstance(expr, tree.ListOf):
            return lists.values(self, expr)
        if isinstance(expr, tree.Record):
            items = tuple(self.infer(e.value) for e in expr.entries)
            return t.Sequence(items, RECORD, union(*(i.axes for i in items)), expr.span)
        return t.Poison(ERROR, expr.span)

    def infer_item(self, expr: tree.Expr) -> t.Typed:
        return self.inside("this list").infer(expr)

    def declaration(self, expr: tree.Expr, name: str) -> t.Typed:
        """The value of a `param`: a declaration (`number(…)`, `text(…)`, `flag(…)`) of plain values."""
        return calling.declaration(self, expr, name)

    def apply(self, symbol: str, operands: tuple[t.Typed, ...], where: Span, span: Span) -> t.Typed:
        """An operator between typed operands."""
        return operating.apply(self, symbol, operands, where, span)

    def choose(self, axis_name: str, items: tuple[t.Typed, ...], expr: tree.ListOf) -> t.Typed:
        """A value that is another item at each point of a new axis."""
        return lists.points(self, axis_name, items, expr)
