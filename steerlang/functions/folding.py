"""A steered model as one vector: what all its additions amount to, for files that hold nothing but directions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from steerlang.diagnostics import codes, error
from steerlang.graph.node import Json, Node
from steerlang.language.lowering import Lowering
from steerlang.language.values import ModelValue, VectorValue
from steerlang.source import Span


def folded(model: ModelValue, where: Span, low: Lowering) -> tuple[VectorValue, list[str]] | None:
    """The sum of what a model's actions add, in the unit of the states, and what of the actions is not in it."""
    inputs: list[Node] = []
    parts: list[Json] = []
    lost: dict[str, None] = {}
    sites: list[Json] = []
    acted: set[int] = set()
    for document, vectors in _actions(model):
        if document["operator"] != "add":
            message = f"`{document['operator']}` is no addition, and a vector file is only added"
            low.report(error(codes.ARGUMENT_TYPE, where, message, help="export a vector, or a model steered by `add`"))
            return None
        lost.update(dict.fromkeys(_lost(document)))
        sites.append(document["site"])
        acted.update(document["layers"])
        for scale, node in zip(document["scales"], vectors, strict=True):
            if node not in inputs:
                inputs.append(node)
            unit = document["options"].get("unit", "raw")
            place = inputs.index(node)
            parts.append({"vector": place, "scale": scale, "unit": unit, "layers": list(document["layers"])})
    if not parts or any(site != sites[0] for site in sites):
        what = "acts at several sites" if parts else "is not steered"
        message = f"`{model.name}` {what}, so it is no single vector"
        low.report(error(codes.ARGUMENT_TYPE, where, message, help="export a vector, or a model steered at one site"))
        return None
    layers = tuple(sorted(acted))
    node = low.node("vector.fold", {"parts": parts, "layers": list(layers)}, tuple(inputs), "vector")
    value = VectorValue(node, model.base.key, model.name, sites[0], layers, model.width, model.layers)
    return value, list(lost)


def _actions(model: ModelValue) -> Iterator[tuple[Mapping[str, Any], list[Node]]]:
    """The actions of a model and the vectors of each."""
    node = model.node
    while node is not model.base and node.inputs:
        documents: Any = node.options.get("actions", ())
        for document in documents:
            yield document, [node.inputs[1 + i] for i in document["vectors"]]
        node = node.inputs[0]


def _lost(document: Mapping[str, Any]) -> Iterator[str]:
    """What of an action a sum of directions cannot say."""
    select = document["tokens"]["select"]
    if select != "all":
        yield f"`tokens = {select}` is lost: readers add the vector at every token"
    norm = document["options"].get("norm", "free")
    if norm != "free":
        yield f"`norm = {norm}` is lost: readers add the vector and leave the length of the state as it becomes"
    if document.get("when") is not None:
        yield "the gate (`when`) is lost: readers add the vector always"
    if document.get("schedule") is not None:
        yield "the schedule is lost: readers add the vector with one strength"
