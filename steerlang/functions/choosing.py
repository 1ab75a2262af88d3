"""Choosing a point of a sweep by what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from steerlang.diagnostics import codes, error
from steerlang.language import typed as t
from steerlang.language.lowering import Lowering
from steerlang.language.parameter_types import AxisOf, Choice, Data, Number, Value, WordOr
from steerlang.language.signature import Call, Function, Mismatch, Parameter
from steerlang.language.types import (
    BOOL,
    CONDITION,
    IMAGES,
    METRIC,
    MODEL,
    NONE,
    POINT,
    TEXTS,
    VECTOR,
    Axis,
    ListType,
    Type,
    list_of,
    union,
)
from steerlang.language.values import ConditionValue, PointValue

from .gaps import ASKED

if TYPE_CHECKING:
    from steerlang.language.scope import Scope


GAP = "count_gap"


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
    """`vectors` at the point where `by` is best; of a list of vectors the one whose count gap is."""
    by, listed = bound["by"], isinstance(bound["vectors"].type, ListType)
    gap = isinstance(by, t.Constant) and by.value == GAP
    wrong = _misused(bound, listed, gap)
    if wrong is not None:
        where, message, help = wrong
        scope.report(error(codes.ARGUMENT_TYPE, where.span, message, help=help))
        return t.Poison(VECTOR, given.span)
    return _by_gap(scope, bound, given) if gap else _over_sweep(scope, bound, given)


def _misused(bound: Mapping[str, t.Typed], listed: bool, gap: bool) -> tuple[t.Typed, str, str] | None:
    """What does not go together, and why: a list of vectors is judged by its count gap, a sweep of them by a metric."""
    written = {name: typed for name, typed in bound.items() if not (isinstance(typed, t.Constant) and typed.default)}
    if gap and not listed:
        return bound["vectors"], "`count_gap` judges a list of vectors, and this is one", "give `pairs_of(dict)`"
    if listed and not gap:
        return bound["by"], "a list of vectors is judged by `count_gap`", "choose over a sweep to judge by a metric"
    foreign = ("over", "where", "order") if gap else ("on", "data", "rank", *(p.name for p in ASKED))
    for name in foreign:
        if name in written:
            rule = "says nothing beside `by = count_gap`" if gap else "belongs to `by = count_gap`"
            return bound[name], f"`{name}` {rule}", "take it out"
    for name in ("on", "data") if gap else ("over",):
        if name not in written:
            what = {"on": "the model", "data": "the questions", "over": "the sweep"}[name]
            return bound["by"], f"`{name}` is needed here: {what}", f"add `{name} = …`"
    return None


def _by_gap(scope: Scope, bound: Mapping[str, t.Typed], given: t.Typed) -> t.Typed:
    names = ("vectors", "on", "data", *(p.name for p in ASKED))
    gaps = scope.invoke(GAP, {name: bound[name] for name in names}, given.span)
    return scope.invoke("ranked", {"gaps": gaps, "rank": bound["rank"]}, given.span)


def _over_sweep(scope: Scope, bound: Mapping[str, t.Typed], given: t.Typed) -> t.Typed:
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


_BY = WordOr({GAP: "how clearly each of a list of vectors leads to few answers"}, Value((METRIC,)))

FUNCTIONS = (
    Function(
        "select",
        "the vector of a sweep by which a metric is best, or of a list the one that leads to few answers most clearly",
        "choosing",
        (Parameter("vectors", Value((VECTOR, list_of(VECTOR))), "the vectors: points of a sweep, or a list"),),
        (
            Parameter("by", _BY, "what is compared"),
            Parameter("over", AxisOf(), "the sweep whose points are compared", None),
            Parameter("where", Value((CONDITION, BOOL, NONE)), "which points may be chosen", None),
            Parameter("order", Choice(_ORDER), "which value is best", "largest"),
            Parameter("on", Value((MODEL,)), "of `count_gap`: the model that is steered", None),
            Parameter("data", Data((TEXTS, IMAGES)), "of `count_gap`: the questions", None),
            Parameter("rank", Number(0, integer=True), "of `count_gap`: 0 is the best", 0),
            *(replace(p, help=f"of `count_gap`: {p.help}") for p in ASKED),
        ),
        VECTOR,
        _expanded,
        expand=_chosen,
    ),
    _chooser("argmax", "the point of a sweep where a metric is largest; the first of equals", 1),
    _chooser("argmin", "the point of a sweep where a metric is smallest; the first of equals", -1),
)
