"""What a steered model is held against: the unsteered one, random directions of equal length, and a prompt.

`controls(kind, random = 10, prompt = "…")` means the list of all of them; the others are what it is made of, and may be
used by themselves.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from steerlang.diagnostics import codes, error
from steerlang.graph.node import Json, Node
from steerlang.language import typed as t
from steerlang.language.lowering import Lowering
from steerlang.language.parameter_types import ListOf, Number, Text, Value
from steerlang.language.signature import Call, Function, Parameter
from steerlang.language.types import METRIC, MODEL, WORD, Axis, list_of, union
from steerlang.language.values import POISON, MetricValue, ModelValue

from .algebra import DIRECTION

if TYPE_CHECKING:
    from steerlang.language.scope import Scope

AXIS = "model"
UNSTEERED, PROMPTED, STEERED = "unsteered", "prompted", "steered"
RANDOM = re.compile(r"random_\d+")
# Vectors of one action get random directions of their own.
_APART = 100_000


def _unsteered(call: Call, _: Lowering) -> ModelValue:
    model: ModelValue = call["model"]
    return replace(model, node=model.base, instruction=None, actions=())


def _randomised(call: Call, low: Lowering) -> Any:
    model: ModelValue = call["model"]
    if model.node is model.base:
        message = f"`{model.name}` is not steered, so there is no direction to draw anew"
        low.report(error(codes.ARGUMENT_TYPE, call.where("model"), message, help="give a steered model: `apply(…)`"))
        return POISON
    return replace(model, node=_drawn_anew(model.node, int(call["seed"]), low))


def _drawn_anew(node: Node, seed: int, low: Lowering) -> Node:
    """The same actions with random directions of equal length; what gates read stays."""
    if node.operation not in ("model.steer", "model.prompted"):
        return node
    below = _drawn_anew(node.inputs[0], seed, low)
    if node.operation == "model.prompted":
        return low.node(node.operation, node.options, (below,), "model", virtual=True)
    given = list(node.inputs[1:])
    documents: Any = node.options["actions"]
    gated = any("when" in d for d in documents)
    kept = list(given) if gated else []
    drawn: dict[int, int] = {}
    for document in documents:
        for i in document["vectors"]:
            if i not in drawn:
                options: dict[str, Json] = {"seed": seed + _APART * len(drawn)}
                drawn[i] = len(kept)
                kept.append(low.node("vector.random_like", options, (given[i],), "vector"))
    actions: list[Json] = [{**d, "vectors": [drawn[i] for i in d["vectors"]]} for d in documents]
    return low.node("model.steer", {**node.options, "actions": actions}, (below, *kept), "model", virtual=True)


def _prompted(call: Call, low: Lowering) -> Any:
    model: ModelValue = call["model"]
    if not call["prompt"].strip():
        help = "say what is asked for"
        low.report(error(codes.ARGUMENT_TYPE, call.where("prompt"), "the prompt is empty", help=help))
        return POISON
    if model.instruction is not None:
        message = "this model is prompted already"
        low.report(error(codes.ARGUMENT_TYPE, call.where("model"), message, help="put both into one prompt"))
        return POISON
    node = low.node("model.prompted", {"prompt": call["prompt"]}, (model.node,), "model", virtual=True)
    return replace(model, node=node, instruction=call["prompt"])


def _controls(scope: Scope, bound: Mapping[str, t.Typed], given: t.Typed) -> t.Typed:
    """The steered model and its controls as points of the axis `model`."""
    model, random, prompt, seed = (bound[n] for n in ("model", "random", "prompt", "seed"))
    if any(a.name == AXIS for a in model.axes):
        help = "give one steered model"
        scope.report(error(codes.ARGUMENT_TYPE, model.span, "these are several models", help=help))
        return t.Poison(MODEL, given.span)
    count, first = _whole("random", random, given, scope), _whole("seed", seed, given, scope)
    if count is None or first is None:
        return t.Poison(MODEL, given.span)
    name = model.symbol.label if isinstance(model, t.Reference) else STEERED
    points: dict[str, t.Typed] = {UNSTEERED: scope.invoke("unsteered", {"model": model}, given.span), name: model}
    if not (isinstance(prompt, t.Constant) and prompt.value is None):
        plain = points[UNSTEERED]
        points[PROMPTED] = scope.invoke("prompted", {"model": plain, "prompt": prompt}, given.span)
    for i in range(count):
        number = t.Constant(first + i, WORD, given.span)
        points[f"random_{i + 1}"] = scope.invoke("randomised", {"model": model, "seed": number}, given.span)
    axis = Axis(AXIS, tuple(points))
    return t.Choose(axis, tuple(points.values()), MODEL, union((axis,), model.axes, prompt.axes), given.span)


def _whole(name: str, value: t.Typed, given: t.Typed, scope: Scope) -> int | None:
    """A number that is written in the call: it decides how many models there are."""
    assert isinstance(given, t.Invocation)
    parameter = given.function.parameter(name)
    assert parameter is not None
    if not isinstance(value, t.Constant):
        message = f"`{name}` decides which models there are, so it is written as a number"
        scope.report(error(codes.ARGUMENT_TYPE, value.span, message, help="write the number itself"))
        return None
    problem = parameter.type.problem(value.value)
    if problem is not None:
        message = f"{problem.message} for `{name}` of `controls`"
        scope.report(error(codes.OUT_OF_BOUNDS, value.span, message, help=problem.help))
        return None
    return int(value.value)  # type: ignore[call-overload,no-any-return]


def _of_random(name: str) -> Any:
    """`largest` or `smallest` over the random directions of a metric."""

    def expand(scope: Scope, bound: Mapping[str, t.Typed], given: t.Typed) -> t.Typed:
        metric = bound["metric"]
        axis = next((a for a in metric.axes if a.name in (AXIS, DIRECTION)), None)
        found = _random_points(axis) if axis is not None else []
        if axis is None or not found:
            message = "this metric was not measured with random directions"
            help = "generate with `controls(model, random = 10)`, or steer with `random_like(v, count = 10)`"
            scope.report(error(codes.ARGUMENT_TYPE, metric.span, message, help=help))
            return t.Poison(METRIC, given.span)
        rest = tuple(a for a in metric.axes if a is not axis)
        items = tuple(t.Select(metric, axis, i, None, METRIC, rest, metric.span) for i in found)
        return scope.invoke(name, {"metrics": t.Sequence(items, list_of(METRIC), rest, metric.span)}, given.span)

    return expand


def _random_points(axis: Axis) -> list[int]:
    """The random directions of `controls` among its models, or all that `random_like` made."""
    if axis.name == DIRECTION:
        return list(range(len(axis.labels)))
    return [i for i, x in enumerate(axis.labels) if RANDOM.fullmatch(str(x))]


def _extreme(sign: int) -> Any:
    def lower(call: Call, low: Lowering) -> Any:
        metrics: list[MetricValue] = call["metrics"]
        if not metrics:
            low.report(error(codes.EMPTY_RANGE, call.where("metrics"), "the list is empty", help="give metrics"))
            return POISON
        return MetricValue(low.node("metric.extreme", {"sign": sign}, tuple(m.node for m in metrics), "metric"))

    return lower


def _expanded(call: Call, _: Lowering) -> Any:
    raise AssertionError(f"`{call.function.name}` means other expressions")


_MODEL = Parameter("model", Value((MODEL,)), "the steered model")
_METRICS = Parameter("metrics", ListOf(Value((METRIC,))), "what is compared")
_METRIC = Parameter("metric", Value((METRIC,)), "measured with `controls(…)`, or with several random directions")

FUNCTIONS = (
    Function(
        "controls",
        "a steered model beside the unsteered one, random directions of equal length, and a prompt if one is given",
        "controls",
        (_MODEL,),
        (
            Parameter("random", Number(1, 1000, integer=True), "how many random directions", 10),
            Parameter("prompt", Text(optional=True), "what one would ask the unsteered model for instead", None),
            Parameter("seed", Number(0, integer=True), "of the first random direction", 1),
        ),
        MODEL,
        _expanded,
        expand=_controls,
    ),
    Function("unsteered", "the model under the steering", "controls", (_MODEL,), (), MODEL, _unsteered),
    Function(
        "randomised",
        "a steered model with random directions of equal length in place of its vectors; gates read what they read",
        "controls",
        (_MODEL,),
        (Parameter("seed", Number(0, integer=True), "which random directions", 0),),
        MODEL,
        _randomised,
    ),
    Function(
        "prompted",
        "a model that is told what is wanted in words: a system message for chats, else put before each prompt",
        "controls",
        (
            Parameter("model", Value((MODEL,)), "the model"),
            Parameter("prompt", Text(), "what it is told; with `{text}` in it, a template around each prompt"),
        ),
        (),
        MODEL,
        _prompted,
    ),
    Function("largest", "the largest of some metrics", "controls", (_METRICS,), (), METRIC, _extreme(1)),
    Function("smallest", "the smallest of some metrics", "controls", (_METRICS,), (), METRIC, _extreme(-1)),
    Function(
        "random_high",
        "the largest value that one of the random directions of `controls` or `random_like` reaches",
        "controls",
        (_METRIC,),
        (),
        METRIC,
        _expanded,
        expand=_of_random("largest"),
    ),
    Function(
        "random_low",
        "the smallest value that one of the random directions of `controls` or `random_like` reaches",
        "controls",
        (_METRIC,),
        (),
        METRIC,
        _expanded,
        expand=_of_random("smallest"),
    ),
)
