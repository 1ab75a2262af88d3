"""Generating text."""

from __future__ import annotations

from typing import Any

from steerlang.graph.node import Json, Node, digest
from steerlang.language.lowering import Lowering
from steerlang.language.parameter_types import Data, Methods, Number, Spread, Value
from steerlang.language.signature import Call, Function, Method, MethodChoice, Parameter
from steerlang.language.types import IMAGES, MODEL, SAMPLES, TEXTS
from steerlang.language.values import POISON, ModelValue, SamplesValue

from .tasks import is_causal
from .texts import can_read

METHODS = (
    Method("greedy", "the likeliest token at each step"),
    Method(
        "sample",
        "tokens drawn from the distribution; the same seed draws the same text, whatever the batch",
        (
            Parameter("temperature", Number(0, exclusive=True), "divides the logits", 1.0),
            Parameter(
                "top_p", Number(0, 1, exclusive=True), "draws from the likeliest tokens of this total share", 1.0
            ),
            Parameter("top_k", Number(1, integer=True, optional=True), "draws from this many likeliest tokens", None),
        ),
    ),
)


def _generate(call: Call, low: Lowering) -> Any:
    model, prompts, choice = call["models"], call["prompts"], call["method"]
    if not is_causal(model, call.where("models"), "generating text", low):
        return POISON
    if not can_read(model, prompts, call.where("prompts"), low, prompted=True):
        return POISON
    seed = call["seed"] if choice.method.name == "sample" else None
    rows = prompts.node
    if model.instruction is not None:
        rows = low.node("data.instructed", {"prompt": model.instruction}, (rows,), "rows")
    node = samples_node(low, model, rows, choice, call["max_new_tokens"], seed)
    return SamplesValue(node, prompts.node, prompts.carried)


def samples_node(
    low: Lowering, model: ModelValue, prompts: Node, choice: MethodChoice, longest: int, seed: int | None
) -> Node:
    """What a model generates after some prompts; the seed is None where nothing is drawn."""
    options: dict[str, Json] = {"method": choice.document(), "max_new_tokens": longest}
    if seed is not None:
        options["seed"] = seed
    # Steered variants of one model on the same prompts may run as rows of one batch.
    group = f"generate:{model.base.key}:{prompts.key}:{digest(options)}"
    return low.node("generate", options, (model.node, prompts), "samples", version=2, group=group)


FUNCTIONS = (
    Function(
        "generate",
        "text generated from prompts",
        "generation",
        (
            Parameter("models", Spread(Value((MODEL,)), "model"), "a model, or a list of models to compare"),
            Parameter("prompts", Data((TEXTS, IMAGES)), "the prompts, or images with prompts"),
        ),
        (
            Parameter("max_new_tokens", Number(1, 100_000, integer=True), "the longest continuation", 32, "tokens"),
            Parameter("method", Methods(METHODS), "how tokens are chosen", MethodChoice(METHODS[0], {})),
            Parameter("seed", Number(0, integer=True), "which random choice (for `sample`)", 0),
        ),
        SAMPLES,
        _generate,
    ),
)
