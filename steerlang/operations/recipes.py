"""From the nodes that describe a steered model to what is done to its states."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

from steerlang.engine.payload import Payload
from steerlang.graph.node import Node
from steerlang.kernels.steering import in_unit
from steerlang.models.actions import Ablate, Add, Clamp, Operator, Recipe, Replace, Rotate, SteeringAction

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


def recipe_of(node: Node, value: Value) -> tuple[Node, Recipe]:
    """The weights at the bottom of a model, and the actions on them in the order they act (innermost `apply` first)."""
    actions: list[SteeringAction] = []
    while node.operation == "model.steer":
        documents: Any = node.options["actions"]
        vectors = [SteeringVector.of(value(n)) for n in node.inputs[1:]]
        actions = [_action(d, [vectors[i] for i in d["vectors"]]) for d in documents] + actions
        node = node.inputs[0]
    return node, tuple(actions)


def identity_of(base: Node) -> str:
    """What names the weights at the bottom of a model: the digest of a checkpoint, or the key of an edit."""
    return str(base.options["identity"]) if base.operation == "model.load" else base.key


def _action(document: Mapping[str, Any], vectors: list[SteeringVector]) -> SteeringAction:
    layers = tuple(document["layers"])
    unit = document["options"].get("unit", "raw")
    placed = [_directions(v, layers, unit) for v in vectors]
    directions = {layer: torch.stack([p[i] for p in placed]) for i, layer in enumerate(layers)}
    operator = _OPERATORS[document["operator"]](document["options"])
    return SteeringAction(
        operator, site(document["site"]), directions, tuple(document["scales"]), tokens_steered(document["tokens"])
    )


def _directions(vector: SteeringVector, layers: tuple[int, ...], unit: Any) -> torch.Tensor:
    """Directions `[L, D]` at some layers, in the unit that scales multiply."""
    at = vector.at(layers)
    directions = torch.tensor(at.directions, dtype=torch.float32)
    return in_unit(directions, unit, torch.tensor(at.state_norms, dtype=torch.float32))
