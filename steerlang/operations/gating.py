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
    NearestConcept,
    Not,
    Probability,
    ProjectionOn,
    Quantity,
    Reading,
)
from steerlang.models.sites import Point

from .base import fail
from .dictionary import ConceptDictionary
from .options import site
from .vector import SteeringVector

Source = SteeringVector | ConceptDictionary


def gate_of(document: Mapping[str, Any], vectors: Sequence[Source]) -> Gate:
    """The gate; what it reads along is named by its place among the inputs of the node."""
    kind = document["is"]
    if kind == "compare":
        reading = _reading(document["reading"], vectors)
        return Compare(reading, document["operator"], float(document["number"]))
    gates = [gate_of(inner, vectors) for inner in document["gates"]]
    return Not(gates[0]) if kind == "not" else _COMBINED[kind](gates[0], gates[1])


_COMBINED: Mapping[str, Callable[[Gate, Gate], Gate]] = {"and": Both, "or": Either}


def _reading(document: Mapping[str, Any], vectors: Sequence[Source]) -> Reading:
    layer = document["layer"]
    source = vectors[document["vector"]]
    where = Point(site(document["site"]), layer)
    tokens = "last" if document["tokens"] == "last" else "mean"
    if isinstance(source, ConceptDictionary):
        rows, nearest = _nearest(source)
        return Reading(nearest, where, rows, tokens, document["each"])  # type: ignore[arg-type]
    vector = source.at((layer,))
    direction = torch.tensor(vector.directions[0], dtype=torch.float32)
    if not bool(direction.any()):
        raise fail(
            codes.ZERO_DIRECTION,
            f"a gate compares states with a vector that is zero at layer {layer}",
            "look at how the vector was made, or read another layer",
        )
    quantity = _QUANTITIES[document["quantity"]](document, vector)
    return Reading(quantity, where, direction, tokens, document["each"])  # type: ignore[arg-type]


def _nearest(concepts: ConceptDictionary) -> tuple[torch.Tensor, Quantity]:
    """The nearest concept where activations are nearness, else that of the largest projection.

    What all rows have in common makes no difference to which is nearest, and is taken off before float32.
    """
    rows = torch.tensor(concepts.components, dtype=torch.float64)
    if concepts.by_distance:
        offsets = -0.5 * (rows**2).sum(1)
        rows, offsets = (rows - rows.mean(0), offsets - offsets.mean()) if len(rows) > 1 else (rows, offsets)
    else:
        offsets = -(rows @ torch.tensor(concepts.offset, dtype=torch.float64))
    return rows.float(), NearestConcept(tuple(offsets.tolist()))


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
