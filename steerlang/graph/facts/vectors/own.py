"""Our own vector files: safetensors with one tensor a layer, and all that the vector is as JSON in the header."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from steerlang.graph.facts.promise import Numbers, TensorFacts, Trouble, VectorFacts
from steerlang.graph.facts.safetensors_header import Header, read_whole_header
from steerlang.graph.node import Json

from .problems import COPY, VectorFileError, one_width

MARK = "steerlang"
FORMAT = "steerlang.vector"
NEEDED = ("layers", "site", "tokens", "model", "method")
# Numbers beside the directions, by layer: whether every vector has them, and what follows the number of layers in their
# shape. Others are carried along unseen.
_BESIDE: Mapping[str, tuple[bool, tuple[int, ...]]] = {
    "state_norms": (True, ()), "max_projections": (False, ()), "logits": (False, (2,)),
}  # fmt: skip
_LAYER = re.compile(r"layer\.(0|[1-9]\d*)")
_FLOATS = ("F32", "F16", "BF16", "F64")
FOREIGN = (
    "give a vector that `vector_file(…)` wrote, or a GGUF control vector, a `.svec` or a `.pt` file of tensors by layer"
)


def read(path: Path, name: str) -> VectorFacts | Trouble:
    """The facts of a file that `vector_file` wrote. Raises VectorFileError."""
    header = read_whole_header(path, name)
    if isinstance(header, Trouble):
        raise VectorFileError(header.message.removeprefix(f"`{name}` "), *header.help)
    document = document_of(header.words.get(MARK))[0]
    if document is None:
        names = ", ".join(f"`{n}`" for n in list(header.tensors)[:3])
        raise VectorFileError(f"is no vector of steerlang: it holds the tensors {names or 'none'}", FOREIGN)
    own = {int(m[1]): n for n in header.tensors if (m := _LAYER.fullmatch(n))}
    layers = tuple(sorted(own))
    if list(layers) != document["layers"]:
        said_layers = document["layers"]
        raise VectorFileError(
            f"is damaged: its header speaks of layers {said_layers}, its tensors are of layers {list(layers)}", COPY
        )
    width = one_width({layer: _flat(own[layer], header.tensors[own[layer]]) for layer in layers})
    others = {n: facts for n, facts in header.tensors.items() if n not in own.values()}
    _check_beside({n: facts.shape for n, facts in others.items()}, len(layers))
    if any(facts.dtype not in _FLOATS for facts in others.values()):
        raise VectorFileError("is damaged: it has numbers that are no floats", COPY)
    return VectorFacts(
        path, name, "steerlang", layers, width, document["site"], document,
        numbers={layer: _numbers(header, n) for layer, n in own.items()},
        tensors={n: (_numbers(header, n), facts.shape) for n, facts in others.items()},
    )  # fmt: skip


@dataclass(frozen=True)
class Said:
    """What a file of another format says of itself, or what holds where it says nothing."""

    layers: tuple[int, ...]
    site: Json
    document: Mapping[str, Json] | None = None
    values: Mapping[str, Json] = field(default_factory=dict)


def said(text: object, layers: list[int]) -> Said:
    """What steerlang wrote into a file of another format, whose own numbers of layers are `layers`.

    The layers are then those of the document: the file may count them otherwise.
    """
    document, values = document_of(text if isinstance(text, str) else None)
    if document is None:
        return Said(tuple(layers), {"select": "residual"})
    if len(document["layers"]) != len(layers):
        raise VectorFileError(
            f"is damaged: it speaks of {len(document['layers'])} layers and holds {len(layers)}", COPY
        )
    _check_beside({name: _shape(value) for name, value in values.items()}, len(layers))
    return Said(tuple(document["layers"]), document["site"], document, values)


def document_of(text: str | None) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """What a vector says of itself, from the JSON that steerlang writes into files (None where it did not), and
    tensors that stand there as lists."""
    if text is None:
        return None, {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise VectorFileError("is damaged: its provenance is not JSON", COPY) from None
    if not isinstance(found, Mapping) or found.get("format") != FORMAT:
        return None, {}
    vector, values = found.get("vector"), found.get("tensors", {})
    if not isinstance(vector, dict) or any(key not in vector for key in NEEDED) or not _is_layers(vector["layers"]):
        raise VectorFileError("is damaged: its provenance lacks what every vector has", COPY)
    vector = {"report": {}, "provenance": {}, **vector}
    if not _is_sound(vector) or not isinstance(values, dict):
        raise VectorFileError("is damaged: its provenance is not as vectors say it", COPY)
    return vector, values


def _is_sound(vector: Mapping[str, Any]) -> bool:
    """Whether the parts of a document are what those who read vectors rely on."""
    site, method, model = vector["site"], vector["method"], vector["model"]
    return (
        isinstance(site, dict)
        and isinstance(site.get("select"), str)
        and isinstance(method, dict)
        and isinstance(method.get("name"), str)
        and isinstance(method.get("options", {}), dict)
        and isinstance(model, dict)
        and all(model.get(key) is None or isinstance(model[key], str) for key in ("id", "identity"))
        and isinstance(vector["provenance"], dict)
        and isinstance(vector["report"], dict)
        and all(row is None or _is_row(row, len(vector["layers"])) for row in vector["report"].values())
    )


def _is_row(value: object, layers: int) -> bool:
    # A row of the report may have gaps: what could not be measured at a layer.
    fits = isinstance(value, list) and len(value) == layers
    return fits and all(x is None or type(x) in (int, float) for x in value)  # type: ignore[attr-defined]


def _check_beside(shapes: Mapping[str, tuple[int, ...]], layers: int) -> None:
    for name, (needed, more) in _BESIDE.items():
        if name in shapes and shapes[name] != (layers, *more):
            shape = list(shapes[name])
            raise VectorFileError(f"is damaged: its `{name}` has the shape {shape}, for {layers} layers", COPY)
        if needed and name not in shapes:
            raise VectorFileError(f"is damaged: it has no `{name}`", COPY)


def _shape(value: object) -> tuple[int, ...]:
    """The shape of numbers that are written as lists of equal length."""
    if not isinstance(value, list):
        if type(value) not in (int, float) or not math.isfinite(value):  # type: ignore[arg-type]
            raise VectorFileError("is damaged: its provenance has numbers that are none", COPY)
        return ()
    inner = {_shape(entry) for entry in value}
    if len(inner) > 1:
        raise VectorFileError("is damaged: its provenance has lists of unequal length", COPY)
    return (len(value), *(inner.pop() if inner else ()))


def _is_layers(value: object) -> bool:
    whole = isinstance(value, list) and bool(value) and all(type(x) is int and x >= 0 for x in value)
    return whole and sorted(set(value)) == value  # type: ignore[call-overload]


def _flat(name: str, facts: TensorFacts) -> int:
    if len(facts.shape) != 1 or facts.dtype not in _FLOATS:
        raise VectorFileError(f"is no vector: `{name}` is {facts.dtype} of shape {list(facts.shape)}", COPY)
    return facts.shape[0]


def _numbers(header: Header, name: str) -> Numbers:
    facts = header.tensors[name]
    return Numbers(header.starts[name], facts.count, facts.dtype)
