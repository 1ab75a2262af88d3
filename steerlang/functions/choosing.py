"""Choosing a point of a sweep by what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from steerlang.language import typed as t
from steerlang.language.lowering import Lowering
from steerlang.language.parameter_types import AxisOf, Value
from steerlang.language.signature import Call, Function, Mismatch, Parameter
from steerlang.language.types import BOOL, CONDITION, METRIC, NONE, POINT, Axis, Type
from steerlang.language.values import ConditionValue, PointValue


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
    )


FUNCTIONS = (
    _chooser("argmax", "the point of a sweep where a metric is largest; the first of equals", 1),
    _chooser("argmin", "the point of a sweep where a metric is smallest; the first of equals", -1),
)
