"""The numeric receipt: what is measured of an edit while it streams, as sums that add up over chunks and tensors.

    norm        ‖τ_i‖₂ of each task vector, by tensor, by block and in all, where its coefficient is not 0
    cosine      ⟨τ_i, τ_j⟩ / (‖τ_i‖ ‖τ_j‖) over the tensors that both edit
    conflict    share of the entries not 0 in both whose signs differ
    survived    1 − Σ|y − x| / Σ|c|: c the change asked for, x = base + c in float32, y = x as it is stored
    cut         ‖τ − B A‖ / ‖τ‖ of what is cut to a rank, over all that is; None where nothing is
    unmoved     share of the entries with c ≠ 0 that are stored as they were

Sums are float64 over chunks, float32 within one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .dtypes import Float32

# Pairs beyond these are measured on a part of the chunks: n vectors have n (n − 1) / 2.
_PAIRS = 28
_PIECE = 8192


@dataclass
class Sums:
    """What is added up over one tensor. `vectors` gives each task vector its number."""

    vectors: Mapping[Any, int]
    elements: int = 0
    change_square: float = 0.0
    change_size: float = 0.0
    change_largest: float = 0.0
    lost_size: float = 0.0
    asked: int = 0
    unmoved: int = 0
    squares: dict[int, float] = field(default_factory=dict)
    pairs: dict[tuple[int, int], list[float]] = field(default_factory=dict)
    cut_lost: float = 0.0
    cut_total: float = 0.0
    chunks: int = 0
    finite: bool = True

    def add(
        self, seen: Mapping[Any, Float32], base: Float32, change: Float32, result: Float32, stored: Float32
    ) -> None:
        """One chunk: the single task vectors, base, c, x and y. `stored` is overwritten."""
        self.elements += change.size
        square = _dot(change, change)
        self.change_square += square
        moved = np.abs(change)
        self.change_size += float(moved.sum())
        self.change_largest = max(self.change_largest, float(moved.max(initial=0.0)))
        # Comparing and counting booleans is three times as fast as counting floats.
        asked = change.size - int(np.count_nonzero(change == 0))
        self.asked += asked
        self.unmoved += int(np.count_nonzero(stored == base)) - (change.size - asked)
        with np.errstate(invalid="ignore"):
            stored -= result
        lost = float(np.abs(stored, out=stored).sum())
        self.lost_size += lost
        self.finite = self.finite and math.isfinite(lost) and math.isfinite(float(self.change_size))
        self._add_vectors({self.vectors[vector]: values for vector, values in seen.items()})
        self.chunks += 1

    def _add_vectors(self, values: Mapping[int, Float32]) -> None:
        numbers = sorted(values)
        for number in numbers:
            self.squares[number] = self.squares.get(number, 0.0) + _dot(values[number], values[number])
        pairs = [(i, j) for i in numbers for j in numbers if i < j]
        step = -(-len(pairs) // _PAIRS) if pairs else 1
        for i, j in pairs[self.chunks % step :: step]:
            product = values[i] * values[j]
            # Underflow to 0 would hide a conflict of numbers so small that neither matters.
            found = self.pairs.setdefault((i, j), [0.0] * 5)
            against, both = np.count_nonzero(product < 0), product.size - np.count_nonzero(product == 0)
            own = (_dot(values[i], values[i]), _dot(values[j], values[j])) if step > 1 else (0.0, 0.0)
            for k, value in enumerate((float(product.sum()), float(against), float(both), *own)):
                found[k] += value

    def to_json(self) -> dict[str, Any]:
        """The sums as JSON values, for the journal."""
        return {
            "elements": self.elements, "change_square": self.change_square, "change_size": self.change_size,
            "change_largest": self.change_largest, "lost_size": self.lost_size, "asked": self.asked,
            "unmoved": self.unmoved, "cut_lost": self.cut_lost, "cut_total": self.cut_total,
            "squares": [[k, v] for k, v in self.squares.items()],
            "pairs": [[*k, *v] for k, v in self.pairs.items()],
        }  # fmt: skip

    @staticmethod
    def from_json(value: Mapping[str, Any], vectors: Mapping[Any, int]) -> Sums:
        """The sums that `to_json` wrote."""
        plain = {k: v for k, v in value.items() if k not in ("squares", "pairs")}
        squares = {int(k): float(v) for k, v in value["squares"]}
        pairs = {(int(i), int(j)): [float(x) for x in rest] for i, j, *rest in value["pairs"]}
        return Sums(vectors, **plain, squares=squares, pairs=pairs)


def _dot(left: Float32, right: Float32) -> float:
    # In pieces that no BLAS would wake other threads for; added up in float64.
    return math.fsum(float(left[i : i + _PIECE] @ right[i : i + _PIECE]) for i in range(0, left.size, _PIECE))


def summary(sums: Mapping[str, Sums], names: Sequence[str], blocks: Mapping[str, str]) -> dict[str, Any]:
    """The receipt's numbers.

    sums    by tensor, of the tensors that were computed
    names   of the task vectors
    blocks  the block that each tensor is shown under
    """
    change, lost = _total(sums.values(), "change_size"), _total(sums.values(), "lost_size")
    asked = _total(sums.values(), "asked")
    return {
        "change": {
            "norm": math.sqrt(_total(sums.values(), "change_square")),
            "largest": max((s.change_largest for s in sums.values()), default=0.0),
            "survived": 1.0 - lost / change if change > 0 else None,
            "unmoved": _total(sums.values(), "unmoved") / asked if asked else None,
            "cut": _cut(sums.values()),
            "by_block": _changes(sums, blocks),
        },
        "vectors": [_vector(sums, number, name, blocks) for number, name in enumerate(names)],
        "pairs": _pairs(sums.values(), names),
        "finite": True,
    }


def _cut(sums: Iterable[Sums]) -> float | None:
    found = list(sums)
    total = _total(found, "cut_total")
    return math.sqrt(max(_total(found, "cut_lost"), 0.0) / total) if total > 0 else None


def _total(sums: Iterable[Sums], name: str) -> float:
    return math.fsum(getattr(one, name) for one in sums)


def _changes(sums: Mapping[str, Sums], blocks: Mapping[str, str]) -> dict[str, dict[str, float | None]]:
    groups: dict[str, list[Sums]] = {}
    for tensor, one in sums.items():
        groups.setdefault(blocks[tensor], []).append(one)
    found: dict[str, dict[str, float | None]] = {}
    for block, members in groups.items():
        size = _total(members, "change_size")
        survived = 1.0 - _total(members, "lost_size") / size if size > 0 else None
        found[block] = {"norm": math.sqrt(_total(members, "change_square")), "survived": survived}
    return found


def _vector(sums: Mapping[str, Sums], number: int, name: str, blocks: Mapping[str, str]) -> dict[str, Any]:
    by_block: dict[str, float] = {}
    for tensor, one in sums.items():
        if number in one.squares:
            by_block[blocks[tensor]] = by_block.get(blocks[tensor], 0.0) + one.squares[number]
    norms = {block: math.sqrt(square) for block, square in by_block.items()}
    return {"name": name, "norm": math.sqrt(math.fsum(by_block.values())), "by_block": norms}


def _pairs(sums: Iterable[Sums], names: Sequence[str]) -> list[dict[str, Any]]:
    total: dict[tuple[int, int], list[float]] = {}
    for one in sums:
        for (i, j), (dot, against, both, left, right) in one.pairs.items():
            own = (left, right) if left or right else (one.squares[i], one.squares[j])
            sofar = total.setdefault((i, j), [0.0] * 5)
            for k, value in enumerate((dot, against, both, *own)):
                sofar[k] += value
    found = []
    for (i, j), (dot, against, both, left, right) in sorted(total.items()):
        cosine = dot / math.sqrt(left * right) if left > 0 and right > 0 else None
        found.append({"between": [names[i], names[j]], "cosine": cosine, "conflict": against / both if both else None})
    return found
