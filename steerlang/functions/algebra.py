"""Arithmetic: numbers, and vectors that are added, scaled, mixed and restricted.

Vectors combine by one operation, the weighted sum, so `0.7 * a + 0.3 * b` is one node however it is bracketed.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from steerlang.diagnostics import codes, error
from steerlang.graph.node import Json
from steerlang.language import typed as t
from steerlang.language.layers import spelled
from steerlang.language.lowering import Lowering
from steerlang.language.parameter_types import Flag, Layers, ListOf, Number, Value
from steerlang.language.signature import Call, Function, Operator, Parameter
from steerlang.language.types import BOOL, NUMBER, VECTOR, WORD, Axis, union
from steerlang.language.values import POISON, VectorValue, as_selection
from steerlang.source import Span

if TYPE_CHECKING:
    from steerlang.language.scope import Scope

Weighted = list[tuple[float, VectorValue]]


def _terms(vector: VectorValue) -> Weighted:
    """The weighted sum a vector is; any other vector is itself once."""
    if vector.node.operation != "vector.sum":
        return [(1.0, vector)]
    weights = vector.node.options["weights"]
    assert isinstance(weights, list)
    return [
        (float(w), replace(vector, node=n))  # type: ignore[arg-type]
        for w, n in zip(weights, vector.node.inputs, strict=True)
    ]


def same_place(vectors: list[VectorValue], span: Span, low: Lowering) -> bool:
    """Whether vectors may be combined: read from the same weights, at the same site and layers."""
    first = vectors[0]
    for other in vectors[1:]:
        if other.model != first.model:
            what = f"one was read from `{first.model_name}`, the other from `{other.model_name}`"
        elif other.site != first.site:
            what = f"one was read at {_site(first.site)}, the other at {_site(other.site)}"
        elif other.layers != first.layers:
            what = f"one has layers {spelled(first.layers)}, the other {spelled(other.layers)}"
        else:
            continue
        low.report(
            error(
                codes.PROVENANCE_MISMATCH,
                span,
                f"these vectors cannot be combined: {what}",
                help="read both from one model at one site; take common layers with `v[8..16]`",
            )
        )
        return False
    return True


def _site(site: Json) -> str:
    return f"`{site['select']}`" if isinstance(site, dict) else str(site)


def _sum(terms: Weighted, span: Span, low: Lowering) -> Any:
    if not same_place([v for _, v in terms], span, low):
        return POISON
    merged: dict[str, tuple[float, VectorValue]] = {}
    for weight, vector in terms:
        before = merged.get(vector.node.key, (0.0, vector))[0]
        merged[vector.node.key] = (before + weight, vector)
    # Sorted by key, so that `a + b` and `b + a` are one node.
    ordered = [merged[k] for k in sorted(merged)]
    first = ordered[0][1]
    node = low.node("vector.sum", {"weights": [w for w, _ in ordered]}, tuple(v.node for _, v in ordered), "vector")
    return _like(first, node)


def _like(vector: VectorValue, node: Any, layers: tuple[int, ...] | None = None) -> VectorValue:
    return replace(vector, node=node, layers=layers or vector.layers)


def _add(operands: tuple[Any, ...], span: Span, low: Lowering) -> Any:
    return _sum(_terms(operands[0]) + _terms(operands[1]), span, low)


def _subtract(operands: tuple[Any, ...], span: Span, low: Lowering) -> Any:
    return _sum(_terms(operands[0]) + [(-w, v) for w, v in _terms(operands[1])], span, low)


def _scaled(vector: VectorValue, factor: float, span: Span, low: Lowering) -> Any:
    return _sum([(factor * w, v) for w, v in _terms(vector)], span, low)


def _divide_vector(operands: tuple[Any, ...], span: Span, low: Lowering) -> Any:
    if operands[1] == 0:
        return _zero(span, low)
    return _scaled(operands[0], 1 / operands[1], span, low)


def _zero(span: Span, low: Lowering) -> Any:
    low.report(error(codes.OUT_OF_BOUNDS, span, "division by zero", help="divide by another number"))
    return POISON


def _number(function: Callable[[Any, Any], Any]) -> Callable[[tuple[Any, ...], Span, Lowering], Any]:
    def lower(operands: tuple[Any, ...], span: Span, low: Lowering) -> Any:
        try:
            return function(*operands)
        except ZeroDivisionError:
            return _zero(span, low)

    return lower


def _mix(call: Call, low: Lowering) -> Any:
    vectors, weights = call["vectors"], call["weights"]
    if weights is None:
        weights = [1.0] * len(vectors)
    if len(weights) != len(vectors):
        low.report(
            error(
                codes.ARGUMENT_TYPE,
                call.where("weights"),
                f"{len(weights)} weights for {len(vectors)} vectors",
                help="give one weight for each vector",
            )
        )
        return POISON
    if not vectors or not same_place(vectors, call.span, low):
        return POISON
    node = low.node("vector.mix", {"weights": [float(w) for w in weights]}, tuple(v.node for v in vectors), "vector")
    return _like(vectors[0], node)


def _unit(call: Call, low: Lowering) -> Any:
    return _like(call["vector"], low.node("vector.unit", {}, (call["vector"].node,), "vector"))


def _orthogonalize(call: Call, low: Lowering) -> Any:
    vector, to = call["vector"], call["to"]
    if not same_place([vector, to], call.span, low):
        return POISON
    return _like(vector, low.node("vector.orthogonalize", {}, (vector.node, to.node), "vector"))


#: The axis of several random directions; its points are their seeds.
DIRECTION = "direction"


def _several_random(scope: Scope, bound: Mapping[str, t.Typed], given: t.Typed) -> t.Typed:
    """`random_like(v, seed = 1, count = 10)`: a direction for each of the seeds 1 … 10."""
    count, seed = bound["count"], bound["seed"]
    if isinstance(count, t.Constant) and count.value is None:
        return given
    for name, value in (("count", count), ("seed", seed)):
        if not isinstance(value, t.Constant):
            message = f"`{name}` decides which directions there are, so it is written as a number"
            help = "write the number itself; a sweep over `seed` needs no `count`"
            scope.report(error(codes.ARGUMENT_TYPE, value.span, message, help=help))
            return t.Poison(VECTOR, given.span)
        problem = _known(given, name).type.problem(value.value)
        if problem is not None:
            message = f"{problem.message} for `{name}` of `random_like`"
            scope.report(error(codes.OUT_OF_BOUNDS, value.span, message, help=problem.help))
            return t.Poison(VECTOR, given.span)
    assert isinstance(count, t.Constant)
    assert isinstance(seed, t.Constant)
    first, many = int(seed.value), int(count.value)  # type: ignore[call-overload]
    axis = Axis(DIRECTION, tuple(range(first, first + many)))
    shared = {name: bound[name] for name in ("vector", "orthogonal")}
    items = tuple(
        scope.invoke("random_like", {**shared, "seed": t.Constant(s, WORD, given.span)}, given.span)
        for s in axis.labels
    )
    return t.Choose(axis, items, VECTOR, union((axis,), *(i.axes for i in items)), given.span)


def _known(given: t.Typed, name: str) -> Parameter:
    assert isinstance(given, t.Invocation)
    parameter = given.function.parameter(name)
    assert parameter is not None
    return parameter


def _random_like(call: Call, low: Lowering) -> Any:
    vector = call["vector"]
    options: dict[str, Json] = {"seed": call["seed"]}
    if call["orthogonal"]:
        options["orthogonal"] = True
    return _like(vector, low.node("vector.random_like", options, (vector.node,), "vector"))


def _restrict(call: Call, low: Lowering) -> Any:
    vector = call["vector"]
    owner = f"`{vector.model_name}`"
    layers = low.layers(as_selection(call["layers"]), vector.depth, call.where("layers"), owner)
    if layers is None:
        return POISON
    missing = [x for x in layers if x not in vector.layers]
    if missing:
        low.report(
            error(
                codes.LAYER_OUT_OF_RANGE,
                call.where("layers"),
                f"the vector has no layer {missing[0]}",
                help=f"it has layers {spelled(vector.layers)}",
            )
        )
        return POISON
    return _like(vector, low.node("vector.restrict", {"layers": list(layers)}, (vector.node,), "vector"), layers)


_VECTOR = Parameter("vector", Value((VECTOR,)), "the vector")

FUNCTIONS = (
    Function(
        "mix",
        "vectors made unit length per layer, weighted and averaged (not the same as `+`)",
        "algebra",
        (Parameter("vectors", ListOf(Value((VECTOR,))), "the vectors"),),
        (Parameter("weights", ListOf(Number()), "one weight a vector; 1 each when left out", None),),
        VECTOR,
        _mix,
        source="Liu et al., 2023, sum of in-context vectors",
    ),
    Function("unit", "a vector made unit length in every layer", "algebra", (_VECTOR,), (), VECTOR, _unit),
    Function(
        "orthogonalize",
        "a vector without its part along another",
        "algebra",
        (_VECTOR,),
        (Parameter("to", Value((VECTOR,)), "the direction removed"),),
        VECTOR,
        _orthogonalize,
    ),
    Function(
        "random_like",
        "a random direction of equal norm in every layer",
        "algebra",
        (_VECTOR,),
        (
            Parameter("seed", Number(0, integer=True), "which random direction", 0),
            Parameter("orthogonal", Flag(), "whether its part along the vector is taken out", False),
            Parameter(
                "count",
                Number(1, 1000, integer=True, optional=True),
                "how many directions, with the seeds from `seed` on: points of the axis `direction`",
                None,
            ),
        ),
        VECTOR,
        _random_like,
        expand=_several_random,
    ),
    Function(
        "restrict",
        "a vector at some of its layers; `v[8..16]` is the same",
        "algebra",
        (_VECTOR,),
        (Parameter("layers", Layers(), "the layers kept"),),
        VECTOR,
        _restrict,
    ),
)

_ARITHMETIC = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}
_COMPARISONS = {
    "==": operator.eq,
    "!=": operator.ne,
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}

OPERATORS = (
    *(Operator(s, (NUMBER, NUMBER), NUMBER, _number(f)) for s, f in _ARITHMETIC.items()),
    *(Operator(s, (NUMBER, NUMBER), BOOL, _number(f)) for s, f in _COMPARISONS.items()),
    Operator("-", (NUMBER,), NUMBER, lambda o, _s, _l: -o[0]),
    Operator("and", (BOOL, BOOL), BOOL, lambda o, _s, _l: o[0] and o[1]),
    Operator("or", (BOOL, BOOL), BOOL, lambda o, _s, _l: o[0] or o[1]),
    Operator("not", (BOOL,), BOOL, lambda o, _s, _l: not o[0]),
    Operator("+", (VECTOR, VECTOR), VECTOR, _add),
    Operator("-", (VECTOR, VECTOR), VECTOR, _subtract),
    Operator("-", (VECTOR,), VECTOR, lambda o, s, low: _scaled(o[0], -1.0, s, low)),
    Operator("*", (NUMBER, VECTOR), VECTOR, lambda o, s, low: _scaled(o[1], o[0], s, low)),
    Operator("*", (VECTOR, NUMBER), VECTOR, lambda o, s, low: _scaled(o[0], o[1], s, low)),
    Operator("/", (VECTOR, NUMBER), VECTOR, _divide_vector),
)
