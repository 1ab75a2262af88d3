"""Choosing a point of a sweep by what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from steerlang.diagnostics import codes, error
from steerlang.language import typed as t
from steerlang.language.lowering import Lowering
from steerlang.language.parameter_types import AxisOf, Choice, Value
from steerlang.language.signature import Call, Function, Mismatch, Parameter
from steerlang.language.types import BOOL, CONDITION, METRIC, NONE, POINT, VECTOR, Axis, Type, union
from steerlang.language.values import ConditionValue, PointValue

if TYPE_CHECKING:
    from steerlang.language.scope import Scope


def _result(given: Mapping[str, t.Typed]) -> Type | Mismatch:
    over = given["over"]
    if not isinstance(over, t.Constant) or not isinstance(over.value, Axis):
        return POINT
    name = over.value.name
    if all(a.name != name for a in given["metric"].axes):
        return Mismatch(f"the metric does not depend on `{name}`", "choose over a sweep it was computed with", "metric")
    return POINT


def _best(sign: int) -> Any:
    def lower(call: Call, low: Lowering) -> PointValue:
        axis: Axis = call["over"]
        cells = [m.node for m in call["metric"]]
        where = call["where"] if isinstance(call["where"], list) else [call["where"]] * len(cells)
        conditions = [w for w in where if isinstance(w, ConditionValue)]
        allowed = [True if w is None else w if isinstance(w, bool) else None for w in where]
        # Points by their place: what they are called is no part of what is computed.
        options = {"sign": sign, "points": len(cells), "allowed": allowed}
        node = low.node("choose", options, (*cells, *(c.node for c in conditions)), "point")  # type: ignore[arg-type]
        return PointValue(node, axis)

    return lower


def _chooser(name: str, help: str, sign: int) -> Function:
    return Function(
        name,
        help,
        "choosing",
        (Parameter("metric", Value((METRIC,)), "what is compared"),),
        (
            Parameter("over", AxisOf(), "the sweep whose points are compared"),
            Parameter("where", Value((CONDITION, BOOL, NONE)), "which points may be chosen", None),
        ),
        _result,
        _best(sign),
        reduces="over",
        gives=(POINT,),
    )


def _chosen(scope: Scope, bound: Mapping[str, t.Typed], given: t.Typed) -> t.Typed:
    """`vectors` at the point where `by` is best."""
    over = bound["over"]
    if not isinstance(over, t.Constant) or not isinstance(over.value, Axis):
        return t.Poison(VECTOR, given.span)
    axis: Axis = over.value
    for name, noun in (("vectors", "vector"), ("by", "metric")):
        if all(a.name != axis.name for a in bound[name].axes):
            message = f"the {noun} does not depend on `{axis.name}`"
            help = f"choose over the sweep that the vectors are points of: `sweep {axis.name} = [polite, formal]`"
            scope.report(error(codes.ARGUMENT_TYPE, bound[name].span, message, help=help))
            return t.Poison(VECTOR, given.span)
    order = bound["order"]
    assert isinstance(order, t.Constant)
    chooser = scope.checker.registry.functions["argmax" if order.value == "largest" else "argmin"]
    arguments = {"metric": bound["by"], "over": over, "where": bound["where"]}
    left = union(bound["by"].axes, bound["where"].axes)
    axes = tuple(a for a in left if a.name != axis.name)
    point = t.Invocation(chooser, arguments, POINT, axes, given.span)
    rest = tuple(a for a in bound["vectors"].axes if a.name != axis.name)
    return t.Select(bound["vectors"], axis, None, point, VECTOR, union(rest, axes), given.span)


_ORDER = {"largest": "the largest", "smallest": "the smallest"}


def _expanded(call: Call, _: Lowering) -> Any:
    raise AssertionError(f"`{call.function.name}` means other expressions")


FUNCTIONS = (
    Function(
        "select",
        "the vector of a sweep of vectors by which a metric is best; the first of equals",
        "choosing",
        (Parameter("vectors", Value((VECTOR,)), "the vectors, points of a sweep"),),
        (
            Parameter("by", Value((METRIC,)), "what is compared"),
            Parameter("over", AxisOf(), "the sweep whose points are compared"),
            Parameter("where", Value((CONDITION, BOOL, NONE)), "which points may be chosen", None),
            Parameter("order", Choice(_ORDER), "which value is best", "largest"),
        ),
        VECTOR,
        _expanded,
        expand=_chosen,
    ),
    _chooser("argmax", "the point of a sweep where a metric is largest; the first of equals", 1),
    _chooser("argmin", "the point of a sweep where a metric is smallest; the first of equals", -1),
)
