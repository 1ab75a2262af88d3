"""What can be compared: checkpoints, adapters (by their products, since factors are not unique), vectors of states."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from steerlang.diagnostics import codes

from .adapters import CONFIG, Adapter, outline
from .checkpoint import Checkpoint
from .dtypes import Float32
from .errors import WeightsError
from .factors import product

Kind = Literal["checkpoint", "adapter", "vector"]
# Under this key of its header a vector file has its provenance; `steerlang.exports.files` writes it.
_MARK, _VECTOR = "steerlang", "steerlang.vector"


@dataclass(frozen=True)
class Side:
    """One of two that are compared. `facts`: where it came from, in words."""

    kind: Kind
    tensors: Checkpoint
    facts: Mapping[str, str] = field(default_factory=dict)


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
    """A folder of weights or of an adapter, or one safetensors file by itself. Raises WeightsError."""
    place = Path(path)
    if place.is_file():
        file = Checkpoint.of_file(place, path)
        facts = _vector_facts(place)
        return Side("checkpoint", file) if facts is None else Side("vector", file, facts)
    if (place / CONFIG).is_file() and not (place / "config.json").is_file():
        adapter = Adapter.open(place, path)
        form = outline({path: adapter})
        return Side("adapter", Products(form.folder, path, form.tensors, {}, adapter))
    return Side("checkpoint", Checkpoint.open(place, path))


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
