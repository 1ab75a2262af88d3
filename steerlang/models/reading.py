"""What of a batch's states is kept: the positions somebody asked for, as rows of float32 results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from steerlang.models.positions import Selector, selected
from steerlang.models.sites import Point
from steerlang.models.tokens import TokenisedItem


class Wanted:
    """The positions a selector takes in each item of a request, and the result rows they fill."""

    def __init__(self, items: Sequence[TokenisedItem], chosen: Sequence[int], selector: Selector) -> None:
        at = {index: selected(selector, items[index]) for index in set(chosen)}
        self.each = selector.reads == "each"
        self.positions: dict[int, Sequence[int]] = at
        self.found: NDArray[np.bool_] = np.array([bool(len(at[i])) for i in chosen], dtype=np.bool_)
        counts = [len(at[i]) if self.each else 1 for i in chosen]
        self.offsets: NDArray[np.int64] = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        self.rows = int(self.offsets[-1])
        # First result row of every place an item takes in the request (an item may be asked for twice).
        self.starts: dict[int, list[int]] = {}
        for place, index in enumerate(chosen):
            self.starts.setdefault(index, []).append(int(self.offsets[place]))


@dataclass(frozen=True, eq=False)
class Reader:
    """One request: what it wants, where, and the array that takes it."""

    wanted: Wanted
    points: tuple[Point, ...]
    states: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class _Plan:
    """One reader in one batch: flat positions to gather, or rows of weights whose product with the states is the mean.

    ``targets`` are the result rows, ``sources`` the gathered rows that fill them, ``owners`` the item of each source.
    """

    reader: Reader
    flat: Tensor | None
    weights: Tensor | None
    rows: Tensor | None
    sources: NDArray[np.int64]
    targets: NDArray[np.int64]
    owners: tuple[int, ...]

    def reduce(self, states: Tensor) -> Tensor:
        """States ``[B, T, D]`` → the rows kept ``[K, D]``, float32."""
        if self.flat is not None:
            return states.reshape(-1, states.shape[-1])[self.flat].float()
        assert self.weights is not None
        assert self.rows is not None
        chosen = states if len(self.rows) == states.shape[0] else states[self.rows]
        return torch.bmm(self.weights, chosen.float())[:, 0]


class BatchReads:
    """The reads of one batch: `take` is called from hooks, `deliver` once after the pass."""

    def __init__(
        self, readers: Sequence[Reader], group: Sequence[int], shape: tuple[int, ...], device: torch.device
    ) -> None:
        self._shape = shape
        self._taken: list[tuple[_Plan, Point, Tensor]] = []
        self._at: dict[Point, list[_Plan]] = {}
        for reader in readers:
            plan = _plan(reader, group, shape[1], device)
            if plan is not None:
                for point in dict.fromkeys(reader.points):
                    self._at.setdefault(point, []).append(plan)

    def take(self, point: Point, states: Tensor) -> None:
        """Keeps what is wanted of ``states``: ``[B, T, D]``, or flattened over tokens as some MLPs give it."""
        shaped = states.reshape(*self._shape, -1)
        for plan in self._at.get(point, ()):
            self._taken.append((plan, point, plan.reduce(shaped)))

    def silent(self) -> Point | None:
        """A point that something is wanted of and that nothing was taken at."""
        taken = {point for _, point, _ in self._taken}
        return next((point for point in self._at if point not in taken), None)

    def deliver(self) -> tuple[Point, int] | None:
        """Writes all rows to their results. The point and item of the first state that is not finite, if any is."""
        for plan, point, kept in self._taken:
            rows = kept.cpu().numpy()
            # A sum is finite unless a term is not: one pass without a table of answers.
            if not np.isfinite(rows.sum(dtype=np.float64)):
                return point, plan.owners[int(np.argmin(np.isfinite(rows).all(axis=-1)))]
            filled = rows if len(plan.sources) == len(rows) else rows[plan.sources]
            for column, at in enumerate(plan.reader.points):
                if at == point:
                    plan.reader.states[plan.targets, column] = filled
        return None


def _plan(reader: Reader, group: Sequence[int], length: int, device: torch.device) -> _Plan | None:
    wanted = reader.wanted
    mine = [
        (row, index)
        for row, index in enumerate(group)
        if index in wanted.starts and len(wanted.positions[index])
    ]
    if not mine:
        return None
    single = wanted.each or all(len(wanted.positions[index]) == 1 for _, index in mine)
    sources: list[int] = []
    targets: list[int] = []
    owners: list[int] = []
    for _, index in mine:
        count = len(wanted.positions[index]) if wanted.each else 1
        for start in wanted.starts[index]:
            sources += range(len(owners), len(owners) + count)
            targets += range(start, start + count)
        owners += [index] * count
    flat = [row * length + at for row, index in mine for at in wanted.positions[index]] if single else None
    return _Plan(
        reader=reader,
        flat=None if flat is None else torch.tensor(flat, device=device),
        weights=None if single else _mean_weights(wanted, mine, length, device),
        rows=None if single else torch.tensor([row for row, _ in mine], device=device),
        sources=np.array(sources, dtype=np.int64),
        targets=np.array(targets, dtype=np.int64),
        owners=tuple(owners),
    )


def _mean_weights(
    wanted: Wanted, mine: Sequence[tuple[int, int]], length: int, device: torch.device
) -> Tensor:
    """Rows ``[K, 1, T]`` of 1/count at the positions wanted and 0 elsewhere."""
    weights = torch.zeros(len(mine), 1, length)
    for k, (_, index) in enumerate(mine):
        at = wanted.positions[index]
        weights[k, 0, list(at)] = 1.0 / len(at)
    return weights.to(device)
