"""Our own vector files: safetensors with one tensor a layer, and all that the vector is as JSON in the header."""

from __future__ import annotations

import json
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
    return vector, values if isinstance(values, dict) else {}


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
