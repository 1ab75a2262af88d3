"""What differs between two checkpoints, by tensor and by block."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .blocks import Blocks, index_blocks
from .checkpoint import CHUNK, Checkpoint, Info
from .dtypes import is_float, negative_zeros
from .errors import WeightsError
from .sides import Kind, Side, check_comparable


@dataclass(frozen=True, slots=True)
class BlockDifference:
    """b − a over one block.

    norm, base_norm  ‖b − a‖₂ and ‖a‖₂
    cosine           ⟨a, b⟩ / (‖a‖ ‖b‖); None where one of them is 0
    largest          max |b − a|
    changed          entries whose numbers differ, of `count`
    tensors          that differ, by name
    """

    name: str
    norm: float
    base_norm: float
    largest: float
    changed: int
    count: int
    tensors: tuple[str, ...]
    cosine: float | None = None


@dataclass(frozen=True)
class CheckpointDifference:
    """Two checkpoints, adapters or vectors side by side: blocks of what both have, and what only one has or has in
    another form.

    kind   what was compared
    facts  (name, of the first, of the second): where they came from, as far as it differs
    """

    blocks: tuple[BlockDifference, ...]
    only_first: tuple[str, ...]
    only_second: tuple[str, ...]
    other_form: tuple[tuple[str, str], ...]
    kind: Kind = "checkpoint"
    facts: tuple[tuple[str, str, str], ...] = ()

    @property
    def equal(self) -> bool:
        """Whether nothing differs."""
        rest = (*self.only_first, *self.only_second, *self.other_form)
        return not rest and all(block.changed == 0 for block in self.blocks)


def diff(
    first: Checkpoint, second: Checkpoint, blocks: Blocks | None = None, chunk: int = CHUNK
) -> CheckpointDifference:
    """How `second` differs from `first`, by block (tensor, layer or module; default layer). dtypes may differ.

    Integers are compared as they are; NaN differs from everything.
    """
    form = blocks or Blocks(by="layer")
    if form.by in ("row", "column") or form.random or form.split:
        raise WeightsError("checkpoints are compared by tensor, layer, module or all")
    shared = [name for name in first.names if name in second]
    other = tuple(n for n in shared if first.info(n).shape != second.info(n).shape or _other_kind(first, second, n))
    common = [name for name in shared if name not in set(other)]
    found: tuple[BlockDifference, ...] = ()
    if common:
        index = index_blocks(form, first, common)
        members: dict[int, list[str]] = {}
        for tensor, place in index.places.items():
            members.setdefault(place.first, []).append(tensor)
        found = tuple(_block(index.names[n], tensors, first, second, chunk) for n, tensors in sorted(members.items()))
    return CheckpointDifference(
        found,
        tuple(name for name in first.names if name not in second),
        tuple(name for name in second.names if name not in first),
        tuple((name, f"{_form(first.info(name))} and {_form(second.info(name))}") for name in other),
    )


def compare(first: Side, second: Side, by: Any = "layer") -> CheckpointDifference:
    """How `second` differs from `first`: two checkpoints, two adapters by their products s B A, or two vectors of
    states, whose blocks are their layers. Raises WeightsError."""
    check_comparable(first, second)
    blocks = Blocks(by="tensor" if first.kind == "vector" and by == "layer" else by)
    found = diff(first.beside(second).tensors, second.beside(first).tensors, blocks)
    names = dict.fromkeys([*first.facts, *second.facts])
    facts = [(name, first.facts.get(name, "nothing"), second.facts.get(name, "nothing")) for name in names]
    return replace(found, kind=first.kind, facts=tuple(f for f in facts if f[1] != f[2]))


def _other_kind(first: Checkpoint, second: Checkpoint, name: str) -> bool:
    kinds = first.info(name).dtype, second.info(name).dtype
    return kinds[0] != kinds[1] and not all(is_float(kind) for kind in kinds)


def _form(info: Info) -> str:
    return f"{info.dtype} {list(info.shape)}"


def _block(name: str, tensors: Iterable[str], first: Checkpoint, second: Checkpoint, chunk: int) -> BlockDifference:
    square = base = largest = dot = other = 0.0
    changed = count = 0
    differing: list[str] = []
    for tensor in tensors:
        own = 0
        info = first.info(tensor)
        for start in range(0, info.count, chunk):
            a, b = (_numbers(side, tensor, start, min(start + chunk, info.count)) for side in (first, second))
            own += int(np.count_nonzero(a != b)) + _signs(a, b)
            delta = (b - a).astype(np.float64)
            square, base = square + float(delta @ delta), base + float(np.square(a, dtype=np.float64).sum())
            largest = max(largest, float(np.abs(delta).max(initial=0.0)))
            dot += float(np.multiply(a, b, dtype=np.float64).sum())
            other += float(np.square(b, dtype=np.float64).sum())
        changed, count = changed + own, count + info.count
        if own:
            differing.append(tensor)
    cosine = dot / math.sqrt(base * other) if base > 0 and other > 0 else None
    return BlockDifference(name, math.sqrt(square), math.sqrt(base), largest, changed, count, tuple(differing), cosine)


def _signs(a: np.ndarray, b: np.ndarray) -> int:
    """Zeros that differ in their sign: equal numbers, other bits."""
    if a.dtype != np.float32 or (negative_zeros(a) is None and negative_zeros(b) is None):
        return 0
    return int(np.count_nonzero((a == b) & (np.signbit(a) != np.signbit(b))))


def _numbers(checkpoint: Checkpoint, name: str, start: int, stop: int) -> np.ndarray:
    if is_float(checkpoint.info(name).dtype):
        return checkpoint.read(name, start, stop)
    return checkpoint.stored(name)[start:stop].astype(np.float64)
