"""From the nodes that describe a steered model to what is done to its states."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

from steerlang.diagnostics import codes
from steerlang.engine.payload import Payload
from steerlang.graph.node import Node
from steerlang.kernels.steering import in_unit
from steerlang.models import schedules
from steerlang.models.actions import Ablate, Add, Clamp, Operator, Recipe, Replace, Rotate, SteeringAction
from steerlang.models.schedules import Schedule

from .base import fail
from .dictionary import KIND as CONCEPTS
from .dictionary import ConceptDictionary
from .gating import Source, gate_of
from .options import site, tokens_steered
from .vector import SteeringVector

Value = Callable[[Node], Payload]

_OPERATORS: Mapping[str, Callable[[Mapping[str, Any]], Operator]] = {
    "add": lambda o: Add(o["norm"]),
    "rotate": lambda o: Rotate(o["gain"]),
    "ablate": lambda _: Ablate(),
    "clamp": lambda o: Clamp(o["to"]),
    "replace": lambda _: Replace(),
}
_SCHEDULES: Mapping[str, Callable[[Mapping[str, Any]], Schedule]] = {
    "linear": lambda o: schedules.Linear(o["start"], o["end"], o["over"]),
    "cosine": lambda o: schedules.Cosine(o["over"], o["floor"]),
    "exponential": lambda o: schedules.Exponential(o["half_life"], o["floor"]),
    "window": lambda o: schedules.Window(o["start"], o["end"]),
}
# What each unit takes the length of a direction from.
_LENGTHS: Mapping[str, Callable[[SteeringVector], Any]] = {
    "residual": lambda v: v.state_norms,
    "max_activation": lambda v: v.max_projections,
}


def recipe_of(node: Node, value: Value) -> tuple[Node, Recipe]:
    """The weights at the bottom of a model, and the actions on them in the order they act (innermost `apply` first)."""
    actions: list[SteeringAction] = []
    while node.operation in ("model.steer", "model.prompted"):
        if node.operation == "model.prompted":  # what it is told stands in the rows
            node = node.inputs[0]
            continue
        documents: Any = node.options["actions"]
        vectors = [_source(value(n)) for n in node.inputs[1:]]
        actions = [_action(document, vectors) for document in documents] + actions
        node = node.inputs[0]
    return node, tuple(actions)


def _source(payload: Payload) -> Source:
    """What an action acts along, or its gate reads along."""
    return ConceptDictionary.of(payload) if payload.kind == CONCEPTS else SteeringVector.of(payload)


def _action(document: Mapping[str, Any], vectors: list[Source]) -> SteeringAction:
    layers = tuple(document["layers"])
    unit = document["options"].get("unit", "raw")
    # The checker lets dictionaries into gates alone.
    used = [v for i in document["vectors"] if isinstance(v := vectors[i], SteeringVector)]
    placed = [_directions(v, layers, unit) for v in used]
    _have_length(document, placed)
    directions = {layer: torch.stack([p[i] for p in placed]) for i, layer in enumerate(layers)}
    return SteeringAction(
        _OPERATORS[document["operator"]](document["options"]),
        site(document["site"]),
        directions,
        tuple(document["scales"]),
        tokens_steered(document["tokens"]),
        _schedule(document.get("schedule")),
        None if document.get("when") is None else gate_of(document["when"], vectors),
    )


def _schedule(document: Mapping[str, Any] | None) -> Schedule | None:
    return None if document is None else _SCHEDULES[document["name"]](document["options"])


def _directions(vector: SteeringVector, layers: tuple[int, ...], unit: Any) -> torch.Tensor:
    """Directions `[L, D]` at some layers, in the unit that scales multiply."""
    at = vector.at(layers)
    directions = torch.tensor(at.directions, dtype=torch.float32)
    if unit not in _LENGTHS:
        return in_unit(directions, unit)
    lengths = _LENGTHS[unit](at)
    if lengths is None:
        raise fail(
            codes.NOT_RECORDED,
            f"`unit = {unit}` needs the largest projection of the states, which this vector does not record",
            "use a vector as it was extracted (a sum or mix of several has no such number), or another unit",
        )
    for layer, length, direction in zip(layers, lengths.tolist(), directions, strict=True):
        if length == 0 and bool(direction.any()):
            raise fail(
                codes.NOT_RECORDED,
                f"`unit = {unit}` needs the states' length at layer {layer}, where this vector was not read",
                "take `unit = raw` or `unit = unit`",
            )
    return in_unit(directions, unit, torch.tensor(lengths, dtype=torch.float32))


def _have_length(document: Mapping[str, Any], placed: list[torch.Tensor]) -> None:
    """An operator that needs a direction is refused a vector without length; what is added may be zero."""
    if document["operator"] in ("add", "replace"):
        return
    for directions in placed:
        if not bool(directions.any()):
            raise fail(
                codes.ZERO_DIRECTION,
                f"`{document['operator']}` is given a vector that is zero at every layer it acts on",
                "look at how the vector was made: a difference of equals, or a scale of 0, has no direction",
            )
