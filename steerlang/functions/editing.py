"""Edited models: checkpoints with task vectors added, and models between two."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from steerlang.diagnostics import codes, error
from steerlang.graph.node import Json, Node
from steerlang.language.lowering import Lowering
from steerlang.language.values import POISON, ModelValue, TaskVectorValue
from steerlang.source import Span

from .matching import matched
from .terms import Term, summed, term_of


def edited(model: ModelValue, vector: TaskVectorValue, across: bool, span: Span, low: Lowering) -> Any:
    """theta = theta_base + tau. Several edits of one model are one edit with the sum."""
    if model.node is not model.base:
        low.report(
            error(
                codes.OPERATOR_MISMATCH,
                span,
                "a steered model cannot be edited",
                help="edit the weights first, then steer: `apply(base + tau, …)`",
            )
        )
        return POISON
    weights = weights_of(model)
    if vector.base is not None and vector.base != weights.key and not across:
        message = f"the task vector was taken from `{vector.base_name}`, and is added to `{model.name}`"
        low.report(error(codes.PROVENANCE_MISMATCH, span, message, help="say `edit(…, across = true)` if it is meant"))
        return POISON
    change: Term = term_of(vector)
    if model.node.operation == "model.edit":
        before = model.node.options["expression"]
        assert isinstance(before, dict)
        if before["is"] != "Edit":
            low.report(
                error(
                    codes.OPERATOR_MISMATCH,
                    span,
                    "an interpolated model cannot be edited further",
                    help="write it with `checkpoint(…)`, and edit that",
                )
            )
            return POISON
        earlier = before["change"]
        assert isinstance(earlier, dict)
        change = summed([earlier, change])
        across = across or bool(before["across"])
    expression: Term = {"is": "Edit", "base": weights.key, "change": change, "across": across, "exclude": []}
    others = {*model.node.inputs, *vector.node.inputs} - {weights}
    inputs = (weights, *sorted(others, key=lambda n: n.key))
    return _edit_node(model, expression, inputs, low)


def _edit_node(model: ModelValue, expression: Term, inputs: tuple[Node, ...], low: Lowering) -> ModelValue:
    weights = inputs[0]
    options: dict[str, Json] = {"expression": expression, "dtype": weights.options["dtype"]}
    name = model.name if model.node.operation == "model.edit" else f"{model.name} edited"
    node = low.node("model.edit", options, inputs, "model", virtual=True, locators={"name": name})
    return replace(model, node=node, base=node, name=name)


def weights_of(model: ModelValue) -> Node:
    """The checkpoint at the bottom of a model."""
    return model.base.inputs[0] if model.base.operation == "model.edit" else model.base


def slerped(first: ModelValue, second: ModelValue, t: Json, span: Span, low: Lowering) -> Any:
    """A model between two checkpoints."""
    for model in (first, second):
        if model.node.operation != "model.load":
            message = "`slerp` works on checkpoints, and this model is edited or steered"
            low.report(error(codes.ARGUMENT_TYPE, span, message, help="give models made with `hf(…)`"))
            return POISON
    if not matched(first, second, span, low):
        return POISON
    expression: Term = {"is": "Slerp", "first": first.node.key, "second": second.node.key, "t": t, "exclude": []}
    return _edit_node(first, expression, (first.node, second.node), low)
