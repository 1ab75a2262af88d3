"""Lists: as values, and as points of an axis."""

from __future__ import annotations

from typing import TYPE_CHECKING

from steerlang.diagnostics import codes, error
from steerlang.syntax import tree
from steerlang.syntax.printing import expression_text

from . import typed as t
from .types import ERROR, NEVER, Axis, ListType, Type, list_of, union

if TYPE_CHECKING:
    from .scope import Scope


def values(scope: Scope, expr: tree.ListOf) -> t.Typed:
    items = tuple(scope.infer_item(e) for e in expr.items)
    if t.is_broken(items):
        return t.Poison(ERROR, expr.span)
    element = items[0].type if items else NEVER
    if not isinstance(element, ListType) and not _alike(scope, element, items):
        return t.Poison(ERROR, expr.span)
    return t.Sequence(items, list_of(element), union(*(i.axes for i in items)), expr.span)


def points(scope: Scope, axis_name: str, items: tuple[t.Typed, ...], expr: tree.ListOf) -> t.Typed:
    """A value that is another item at each point of a new axis."""
    from .checking import point_label

    if t.is_broken(items):
        return t.Poison(ERROR, expr.span)
    labels = tuple(point_label(i, e) for i, e in zip(items, expr.items, strict=True))
    for i, label in enumerate(labels):
        if label in labels[:i]:
            scope.report(
                error(
                    codes.DUPLICATE_ARGUMENT,
                    expr.items[i].span,
                    f"`{expression_text(expr.items[i])}` stands twice in the list",
                    help="each point of an axis is named once",
                )
            )
            return t.Poison(ERROR, expr.span)
    element = items[0].type
    if not _alike(scope, element, items):
        return t.Poison(ERROR, expr.span)
    axis = Axis(axis_name, labels)
    return t.Choose(axis, items, element, union((axis,), *(i.axes for i in items)), expr.span)


def _alike(scope: Scope, element: Type, items: tuple[t.Typed, ...]) -> bool:
    """Whether all items are of one type; the first that is not is reported."""
    for item in items:
        if not element.accepts(item.type):
            message = f"this is {item.type}, while the list began with {element}"
            scope.report(error(codes.ARGUMENT_TYPE, item.span, message, help="a list holds values of one type"))
            return False
    return True
