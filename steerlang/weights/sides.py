"""What can be compared: checkpoints, adapters (by their products, since factors are not unique), vectors of states."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from steerlang.diagnostics import codes
from steerlang.graph.facts import Trouble
from steerlang.graph.facts.digests import FileDigests
from steerlang.graph.facts.vectors import read_vector
from steerlang.graph.facts.vectors.svec import directions, parsed

from .adapters import CONFIG, Adapter, outline
from .checkpoint import Checkpoint, Info, trouble_error
from .dtypes import STORAGE, Float32
from .errors import WeightsError
from .factors import product

Kind = Literal["checkpoint", "adapter", "vector"]
# Under this key of its header a vector file has its provenance; `steerlang.exports.files` writes it.
_MARK, _VECTOR = "steerlang", "steerlang.vector"


@dataclass(frozen=True)
class Side:
    """One of two that are compared. `facts`: where it came from, in words; `bare`: a vector file of another tool, in
    which what was measured of the states has no place among the tensors."""

    kind: Kind
    tensors: Checkpoint
    facts: Mapping[str, str] = field(default_factory=dict)
    bare: bool = False

    def beside(self, other: Side) -> Side:
        """What can be compared with the other: of a vector beside one of another tool the directions alone."""
        if not other.bare or self.bare:
            return self
        kept = {name: info for name, info in self.tensors.tensors.items() if name.startswith("layer.")}
        return replace(self, tensors=replace(self.tensors, tensors=kept))


@dataclass(frozen=True)
class Products(Checkpoint):
    """The products s B A of an adapter, as if they were stored."""

    adapter: Adapter | None = None

    def read(self, name: str, start: int, stop: int) -> Float32:
        if name not in self._last:
            assert self.adapter is not None
            self._last.clear()
            self._last[name] = product(*self.adapter.factors(name.removesuffix(".weight")))
        found: Float32 = self._last[name](start, stop)
        return found

    @cached_property
    def _last(self) -> dict[str, Any]:
        return {}


def open_side(path: str) -> Side:
    """A folder of weights or of an adapter, one safetensors file by itself, or a vector file of another tool. Raises
    WeightsError."""
    place = Path(path)
    if place.is_file() and not _is_safetensors(place):
        return _foreign_vector(place, path)
    if place.is_file():
        file = Checkpoint.of_file(place, path)
        facts = _vector_facts(place)
        return Side("checkpoint", file) if facts is None else Side("vector", file, facts)
    if (place / CONFIG).is_file() and not (place / "config.json").is_file():
        adapter = Adapter.open(place, path)
        form = outline({path: adapter})
        return Side("adapter", Products(form.folder, path, form.tensors, {}, adapter))
    return Side("checkpoint", Checkpoint.open(place, path))


@dataclass(frozen=True)
class Directions(Checkpoint):
    """The directions of a vector file that holds them as text."""

    numbers: Mapping[str, Float32] = field(default_factory=dict, repr=False)

    def read(self, name: str, start: int, stop: int) -> Float32:
        found: Float32 = self.numbers[name][start:stop].copy()
        return found


def _is_safetensors(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(9)[8:] == b"{"  # eight bytes of length, then the header


def _foreign_vector(place: Path, path: str) -> Side:
    """A vector file of another tool, each direction named as our own files name it."""
    found = read_vector(place, path, FileDigests(None))
    if isinstance(found, Trouble):
        raise trouble_error(found)
    facts = dict(_flat("", found.document or {}))
    shape = (found.width,)
    if found.format == "svec":
        rows = {f"layer.{n}": np.asarray(row, np.float32) for n, row in sorted(directions(parsed(place)).items())}
        infos = {name: Info(name, "F32", shape, place.name, 0, row.nbytes) for name, row in rows.items()}
        return Side("vector", Directions(place.parent, path, infos, {}, rows), facts, True)
    infos = {}
    for layer, at in found.numbers.items():
        size = at.count * np.dtype(STORAGE[at.dtype]).itemsize
        infos[f"layer.{layer}"] = Info(f"layer.{layer}", at.dtype, shape, place.name, at.offset, at.offset + size)
    return Side("vector", Checkpoint(place.parent, path, infos), facts, True)


def check_comparable(first: Side, second: Side) -> None:
    """Raises WeightsError where two sides are of different kinds."""
    if first.kind != second.kind:
        words = {"checkpoint": "a checkpoint", "adapter": "an adapter", "vector": "a vector of states"}
        message = (
            f"`{first.tensors.name}` is {words[first.kind]} and `{second.tensors.name}` {words[second.kind]}: "
            "they have nothing to compare"
        )
        raise WeightsError(message, "compare two of a kind", codes.PROVENANCE_MISMATCH, place=second.tensors.name)


def _vector_facts(path: Path) -> dict[str, str] | None:
    """The provenance in the header of a vector file; None in any other file."""
    with path.open("rb") as handle:
        header = json.loads(handle.read(int.from_bytes(handle.read(8), "little")))
    try:
        document = json.loads(header["__metadata__"][_MARK])
        if document["format"] != _VECTOR:
            return None
        return dict(_flat("", document["vector"]))
    except (KeyError, TypeError, ValueError):
        return None


def _flat(prefix: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, inner in sorted(value.items()):
            if name != "report":  # numbers of the directions, which are compared themselves
                yield from _flat(f"{prefix} {name}".strip(), inner)
    elif value is not None:
        yield prefix, value if isinstance(value, str) else json.dumps(value)
