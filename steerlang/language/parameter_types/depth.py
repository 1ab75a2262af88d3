"""Layers as they are written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from steerlang.diagnostics import codes, error
from steerlang.language import typed as t
from steerlang.language.layers import AllLayers, FromLast
from steerlang.language.types import LAYERS, NEVER, NUMBER, RANGE, RATIO, Type, list_of, union
from steerlang.syntax import tree

if TYPE_CHECKING:
    from steerlang.language.scope import Scope
from .base import ParameterType, wrong


@dataclass(frozen=True, slots=True)
class Layers(ParameterType):
    """`all`, `first`, `last`, `last - 2`, `4`, `8..16`, `25%..75%`, or a list of these."""

    optional: bool = False

    @property
    def phrase(self) -> str:
        return "layers (`all`, `8..16`, `25%..75%`, `last - 2`, `[1, 2]`)"

    @property
    def bare_words(self) -> Mapping[str, str]:
        return WORD_HELP

    def check(self, expr: tree.Expr, scope: Scope) -> t.Typed:
        if isinstance(expr, tree.ListOf):
            items = tuple(self._item(e, scope) for e in expr.items)
            if t.is_broken(items):
                return t.Poison(LAYERS, expr.span)
            return t.Sequence(items, LAYERS, union(*(i.axes for i in items)), expr.span)
        return self._item(expr, scope)

    def _item(self, expr: tree.Expr, scope: Scope) -> t.Typed:
        if isinstance(expr, tree.Name) and expr.id in LAYER_WORDS:
            scope.notes.word(expr.span, expr.id, WORD_HELP)
            return t.Constant(LAYER_WORDS[expr.id], LAYERS, expr.span)
        if isinstance(expr, tree.Range):
            return self._range(expr, scope)
        return self._end(expr, scope, (NUMBER, RANGE, LAYERS, list_of(NUMBER), list_of(NEVER)))

    def _range(self, expr: tree.Range, scope: Scope) -> t.Typed:
        start = self._end(expr.start, scope, (NUMBER, RATIO, LAYERS))
        end = self._end(expr.end, scope, (NUMBER, RATIO, LAYERS))
        if t.is_broken((start, end)):
            return t.Poison(RANGE, expr.span)
        return t.RangeOf(start, end, expr.closed, RANGE, union(start.axes, end.axes), expr.span)

    def _end(self, expr: tree.Expr, scope: Scope, types: tuple[Type, ...]) -> t.Typed:
        if isinstance(expr, tree.Name) and expr.id in ("first", "last"):
            scope.notes.word(expr.span, expr.id, WORD_HELP)
            return t.Constant(LAYER_WORDS[expr.id], LAYERS, expr.span)
        if isinstance(expr, tree.Binary) and _from_last(expr):
            left, right = self._end(expr.left, scope, types), scope.infer(expr.right, (NUMBER,))
            return scope.apply("-", (left, right), expr.operator_span, expr.span)
        if isinstance(expr, tree.Unary) and expr.operator == "-":
            scope.report(
                error(
                    codes.NEGATIVE_LAYER,
                    expr.span,
                    "layers are never negative",
                    help="count from the end with `last`, `last - 1`, …",
                )
            )
            return t.Poison(LAYERS, expr.span)
        given = scope.infer(expr, types)
        if any(x.accepts(given.type) for x in types):
            return given
        return wrong(scope, given, self.phrase)


LAYER_WORDS: Mapping[str, object] = {"all": AllLayers(), "first": 0, "last": FromLast(0)}
WORD_HELP: Mapping[str, str] = {
    "all": "every layer", "first": "layer 0", "last": "the last layer; `last - 2` counts back from it",
}  # fmt: skip


def _from_last(expr: tree.Expr) -> bool:
    """Whether an expression counts back from the last layer: `last`, `last - 2`."""
    while isinstance(expr, tree.Binary) and expr.operator == "-":
        expr = expr.left
    return isinstance(expr, tree.Name) and expr.id == "last"


def names_layers(expr: tree.Expr, scope: Scope) -> bool:
    """Whether an expression names layers by the words for them, so that a `let` may hold it: `last - 2`."""
    if isinstance(expr, tree.ListOf):
        return any(isinstance(e, tree.Range) or names_layers(e, scope) for e in expr.items)
    if isinstance(expr, tree.Binary):
        return _from_last(expr) and not scope.defines("last")
    return isinstance(expr, tree.Name) and expr.id in LAYER_WORDS and not scope.defines(expr.id)
