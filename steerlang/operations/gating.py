"""From the JSON form of a gate to what is decided in a pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from steerlang.diagnostics import codes
from steerlang.models.gates import (
    Both,
    CastSimilarity,
    Compare,
    CosineTo,
    Either,
    Gate,
    Not,
    Probability,
    ProjectionOn,
    Quantity,
    Reading,
)
from steerlang.models.sites import Point

from .base import fail
from .options import site
from .vector import SteeringVector


def gate_of(document: Mapping[str, Any], vectors: Sequence[SteeringVector]) -> Gate:
    """The gate; its vectors are named by their place among those of the node."""
    kind = document["is"]
    if kind == "compare":
        reading = _reading(document["reading"], vectors)
        return Compare(reading, document["operator"], float(document["number"]))
    gates = [gate_of(inner, vectors) for inner in document["gates"]]
    return Not(gates[0]) if kind == "not" else _COMBINED[kind](gates[0], gates[1])


_COMBINED: Mapping[str, Callable[[Gate, Gate], Gate]] = {"and": Both, "or": Either}


def _reading(document: Mapping[str, Any], vectors: Sequence[SteeringVector]) -> Reading:
    layer = document["layer"]
    vector = vectors[document["vector"]].at((layer,))
    direction = torch.tensor(vector.directions[0], dtype=torch.float32)
    if not bool(direction.any()):
        raise fail(
            codes.ZERO_DIRECTION,
            f"a gate compares states with a vector that is zero at layer {layer}",
            "look at how the vector was made, or read another layer",
        )
    where = Point(site(document["site"]), layer)
    tokens = "last" if document["tokens"] == "last" else "mean"
    quantity = _QUANTITIES[document["quantity"]](document, vector)
    return Reading(quantity, where, direction, tokens, document["each"])  # type: ignore[arg-type]


def _probability(_: Mapping[str, Any], vector: SteeringVector) -> Quantity:
    """σ(scale · h·v̂ + intercept), as the probe was trained."""
    if vector.logits is None:
        raise fail(
            codes.NOT_RECORDED,
            "the vector of a `probe` gate has no intercept: it is no trained probe",
            "extract it with `method = probe`, or compare a `projection` or `cosine`",
        )
    scale, intercept = vector.logits[0]
    return Probability(float(scale), float(intercept))


_QUANTITIES: Mapping[str, Callable[[Mapping[str, Any], SteeringVector], Quantity]] = {
    "cosine": lambda d, _: CastSimilarity() if d["form"] == "cast" else CosineTo(),
    "projection": lambda _d, _v: ProjectionOn(),
    "probability": _probability,
}
