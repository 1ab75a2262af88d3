"""Vectors judged by what they make a model answer: which answers become more frequent, and how clearly."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from steerlang.diagnostics import codes, error
from steerlang.graph.node import Json, Node
from steerlang.language.lowering import Lowering
from steerlang.language.parameter_types import Choice, Data, Layers, Number, Value
from steerlang.language.signature import Call, Function, MethodChoice, Parameter
from steerlang.language.types import IMAGES, METRIC, MODEL, TEXTS, VECTOR, list_of
from steerlang.language.values import (
    POISON,
    ActionValue,
    DataValue,
    MetricValue,
    ModelValue,
    VectorValue,
    as_selection,
    named_vectors,
)

from .answers import PART
from .applying import steered
from .generation import METHODS, samples_node
from .selectors import TOKENS_STEERED
from .steering import UNIT
from .tasks import is_causal
from .texts import can_read

_GREEDY = MethodChoice(METHODS[0], {})


def _count_gap(call: Call, low: Lowering) -> Any:
    """The unsteered model and the model steered by each vector answer the same questions, as rows of one batch."""
    vectors: list[VectorValue] = call["vectors"]
    model: ModelValue = call["on"]
    data: DataValue = call["data"]
    if not vectors:
        low.report(error(codes.EMPTY_RANGE, call.where("vectors"), "the list is empty", help="give vectors"))
        return POISON
    if not is_causal(model, call.where("on"), "answering", low) or not _alike(call, vectors, low):
        return POISON
    if not can_read(model, data, call.where("data"), low):
        return POISON
    models = [_with(vector, model, call, low) for vector in vectors]
    if any(m is POISON for m in models):
        return POISON
    replies = [_replies(m, data, call["max_new_tokens"], low) for m in (model, *models)]
    options: dict[str, Json] = {n: call[n] for n in ("part", "top", "targets")}
    options["names"] = list(named_vectors(vectors))
    node = low.node("metric.count_gap", options, tuple(replies), "metric")
    return MetricValue(node, vectors=tuple(vectors))


def _alike(call: Call, vectors: list[VectorValue], low: Lowering) -> bool:
    """Whether one of these vectors can stand for another, so that it may be chosen while running."""
    first = vectors[0]
    for i, other in enumerate(vectors):
        if (other.model, other.site, other.layers) != (first.model, first.site, first.layers):
            message = "these vectors are of different models, sites or layers, and one of them is chosen while running"
            help = "give vectors of one model, site and layer"
            low.report(error(codes.PROVENANCE_MISMATCH, call.entry("vectors", i), message, help=help))
            return False
    return True


def _with(vector: VectorValue, model: ModelValue, call: Call, low: Lowering) -> Any:
    """The model with `add(vector, …)`: the very model that a program gets by writing it."""
    layers = as_selection(call["layers"]) if call.is_written("layers") else None
    action = ActionValue(
        "add", 1, (vector,), (float(call["scale"]),), {"unit": call["unit"], "norm": "free"}, layers, vector.site,
        call["tokens"], False, call.span, layers_span=call.where("layers"),
    )  # fmt: skip
    return steered(model, [action], low)


def _replies(model: ModelValue, data: DataValue, longest: int, low: Lowering) -> Node:
    return samples_node(low, model, data.node, _GREEDY, longest, None)


def _ranked(call: Call, low: Lowering) -> Any:
    gaps: MetricValue = call["gaps"]
    vectors = gaps.vectors
    if not vectors:
        message = "this metric judged no vectors"
        help = "give what `count_gap(…)` found"
        low.report(error(codes.ARGUMENT_TYPE, call.where("gaps"), message, help=help))
        return POISON
    inputs = (gaps.node, *(vector.node for vector in vectors))
    node = low.node("vector.ranked", {"rank": call["rank"]}, inputs, "vector")
    return replace(vectors[0], node=node, label="")


#: What is asked of the vectors, also by `select(…, by = count_gap)`.
ASKED = (
    Parameter("layers", Layers(), "which blocks are steered; those of the vectors when left out", None),
    Parameter("scale", Number(), "how many units of the vector", 1.0, "unit"),
    Parameter("unit", Choice(UNIT), "what a scale of 1 means", "raw"),
    Parameter("tokens", TOKENS_STEERED, "which tokens are steered", {"select": "all"}),
    Parameter("max_new_tokens", Number(1, 100_000, integer=True), "the longest answer", 32, "tokens"),
    PART,
    Parameter("top", Number(1, 1000, integer=True), "how many of the largest increases are looked at", 5),
    Parameter("targets", Number(1, 1000, integer=True), "the most answers a vector may lead to", 1),
)

FUNCTIONS = (
    Function(
        "count_gap",
        "how clearly each of some vectors leads a model to few answers: the gap between the increases of answer counts",
        "choosing",
        (Parameter("vectors", Value((list_of(VECTOR),)), "the vectors: `pairs_of(dict)`"),),
        (
            Parameter("on", Value((MODEL,)), "the model that is steered, and that the counts are compared with"),
            Parameter("data", Data((TEXTS, IMAGES)), "the questions"),
            *ASKED,
        ),
        METRIC,
        _count_gap,
        source="Khayatan et al., 2025",
    ),
    Function(
        "ranked",
        "the best of the vectors that `count_gap` judged, or the next best that leads to other answers",
        "choosing",
        (Parameter("gaps", Value((METRIC,)), "what `count_gap` found"),),
        (Parameter("rank", Number(0, integer=True), "0 is the best", 0),),
        VECTOR,
        _ranked,
    ),
)
