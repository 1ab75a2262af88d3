"""What a measured number is of: which model, and what else has to be equal for two numbers to be compared.

Read from the graph alone, so that it does not matter how a program spells its controls.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from steerlang.graph.node import Node, digest

UNSTEERED, PROMPTED, RANDOM, STEERED, EDITED = "unsteered", "prompted", "random", "steered", "edited"

# An action of these at scale 0 leaves every state as it is.
_NOTHING_AT_ZERO = frozenset({"add", "rotate"})
# Algebra of vectors that is random where all that goes in is.
_MIXING = frozenset({"vector.restrict", "vector.unit", "vector.sum", "vector.mix"})


@dataclass(frozen=True)
class Origin:
    """Where a number comes from.

    role     what the model is: `unsteered`, `prompted`, `random` (steered along random directions only), `steered`, or
             `edited` (other weights)
    weights  key of the weights under it
    base     key of the weights it is held against: those under it, or for an edited model those it was made from
    recipe   its actions without their vectors; empty where it is not steered
    measure  what was measured, with all but the model: numbers of one measure may be held against each other
    """

    role: str
    weights: str
    base: str
    recipe: str
    measure: str


def origin_of(result: Node) -> Origin | None:
    """The origin of a metric, or of samples; None where they are not of one model."""
    found = _model_and_measure(result)
    if found is None:
        return None
    model, measure = found
    bottom = _bottom(model)
    base = bottom.inputs[0] if bottom is model and model.operation == "model.edit" else bottom
    return Origin(role_of(model), bottom.key, base.key, _recipe(model), digest(measure))


def _model_and_measure(result: Node) -> tuple[Node, Any] | None:
    """Arithmetic of numbers that are all of one model is of that model, too; so is one number of several."""
    if result.operation in ("metric.arithmetic", "metric.entry"):
        found = [_model_and_measure(i) for i in result.inputs]
        parts = [f for f in found if f is not None]
        if len(parts) < len(found) or len({model.key for model, _ in parts}) != 1:
            return None
        return parts[0][0], [result.operation, dict(result.options), [measure for _, measure in parts]]
    place = _place_of_model(result)
    if place is None:
        return None
    model = result
    for index in place:
        model = model.inputs[index]
    return model, _measure(result, place)


def _place_of_model(result: Node) -> tuple[int, ...] | None:
    """Where the model a result is of stands among its inputs: the one that wrote what is measured, else the first that
    is measured itself."""
    for n, i in enumerate(result.inputs):
        if i.result == "model":
            return (n,)
        if i.result not in ("metric", "condition"):
            for m, inner in enumerate(i.inputs):
                if inner.result == "model":
                    return (n, m)
    return None


def role_of(model: Node) -> str:
    """What a model is to a comparison."""
    if model.operation == "model.prompted":
        below = role_of(model.inputs[0])
        return PROMPTED if below == UNSTEERED else below
    if model.operation == "model.edit":
        return EDITED
    vectors = list(_acting(model))
    if not vectors:
        return UNSTEERED
    return RANDOM if all(map(is_random_vector, vectors)) else STEERED


def is_random_vector(vector: Node) -> bool:
    """Whether a vector is a random direction, or made of such alone."""
    if vector.operation == "vector.random_like":
        return True
    if vector.operation == "vector.orthogonalize":
        return is_random_vector(vector.inputs[0])
    return vector.operation in _MIXING and all(map(is_random_vector, vector.inputs))


def _acting(model: Node) -> Iterator[Node]:
    """The vectors of all actions of a model that do something; what gates read is none of them."""
    for step in _steps(model):
        for action in _actions(step):
            if action["operator"] in _NOTHING_AT_ZERO and not any(action["scales"]):
                continue
            yield from (step.inputs[1 + i] for i in action["vectors"])


def _steps(model: Node) -> Iterator[Node]:
    """The steerings of a model, the last first."""
    while model.operation in ("model.steer", "model.prompted"):
        if model.operation == "model.steer":
            yield model
        model = model.inputs[0]


def _actions(step: Node) -> list[Mapping[str, Any]]:
    found: Any = step.options["actions"]
    return list(found)


def _bottom(model: Node) -> Node:
    while model.operation in ("model.steer", "model.prompted"):
        model = model.inputs[0]
    return model


def _recipe(model: Node) -> str:
    found: list[Any] = [[{k: v for k, v in a.items() if k != "vectors"} for a in _actions(s)] for s in _steps(model)]
    return digest(found) if found else ""


def _measure(result: Node, place: tuple[int, ...]) -> Any:
    """What was measured, the model at `place` left out; prompts that hold an instruction are the prompts before it."""
    if not place:
        return "model"
    inputs = [_measure(i, place[1:]) if n == place[0] else _plain(i).key for n, i in enumerate(result.inputs)]
    return [result.operation, result.version, dict(result.options), inputs]


def _plain(data: Node) -> Node:
    return data.inputs[0] if data.operation == "data.instructed" else data
