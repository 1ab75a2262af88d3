"""The numbers of the task vectors: read from disk range by range, or stacked [k, d] in memory where a budget allows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from steerlang.weights.blocks import Place
from steerlang.weights.dtypes import Float32
from steerlang.weights.expression import Difference

from .pool import Pool

# Writes the elements `start` to `stop` of a task vector into an array of that length.
Fill = Callable[[int, int, Float32], None]

# Elements of all task vectors together that are worked on at a time: they stay in a core's cache between being read
# and being used. On other devices launches cost more than memory.
_TOGETHER, _LEAST, _MOST, _DEVICE = 128 * 1024, 8 * 1024, 64 * 1024, 16 * 1024 * 1024


@dataclass(frozen=True, eq=False)
class Target:
    """One parameter that is composed.

    tensor   its name in the checkpoint
    place    how it falls into blocks
    vectors  the numbers of the k task vectors that get coefficients on it, ascending
    """

    tensor: str
    parameter: nn.Parameter = field(repr=False)
    place: Place
    vectors: tuple[int, ...]

    @property
    def count(self) -> int:
        """Elements."""
        return self.parameter.numel()


def chunk_of(target: Target, device: torch.device) -> int:
    """How many elements of a target are worked on at a time."""
    if device.type != "cpu":
        return max(_MOST, _DEVICE // len(target.vectors))
    return max(_LEAST, min(_MOST, _TOGETHER // len(target.vectors) // 4096 * 4096))


class Vectors:
    """Gives ranges of all task vectors of a target at once, float32 [k, stop − start] on the module's device.

    What is given is valid until the next range is asked for. Memory: the stacks, and one range of each task vector.
    """

    def __init__(self, pool: Pool, targets: Sequence[Target], memory: int, device: torch.device) -> None:
        self._pool, self._device = pool, device
        self._fills: dict[str, list[Fill]] = {}
        self._buffer: Float32 = np.zeros(0, np.float32)
        self._stacks: dict[str, Tensor] = {}
        for target in targets:
            size = 4 * target.count * len(target.vectors)
            if size <= memory:
                memory -= size
                self._stacks[target.tensor] = self._stacked(target)

    def range(self, target: Target, start: int, stop: int) -> Tensor:
        """Elements `start` to `stop` of the task vectors `target.vectors`."""
        stack = self._stacks.get(target.tensor)
        if stack is not None:
            return stack[:, start:stop]
        count = stop - start
        needed = len(target.vectors) * count
        if len(self._buffer) < needed:
            self._buffer = np.empty(needed, np.float32)
        rows = self._buffer[:needed].reshape(len(target.vectors), count)
        for row, fill in zip(rows, self._filling(target), strict=True):
            fill(start, stop, row)
        return torch.from_numpy(rows).to(self._device)

    def _filling(self, target: Target) -> list[Fill]:
        found = self._fills.get(target.tensor)
        if found is None:
            found = self._fills[target.tensor] = [filling(self._pool, n, target.tensor) for n in target.vectors]
        return found

    def _stacked(self, target: Target) -> Tensor:
        rows = np.empty((len(target.vectors), target.count), np.float32)
        for row, fill in zip(rows, self._filling(target), strict=True):
            for start in range(0, target.count, _MOST):
                stop = min(start + _MOST, target.count)
                fill(start, stop, row[start:stop])
        return torch.from_numpy(rows).to(self._device)


def filling(pool: Pool, number: int, tensor: str) -> Fill:
    """How one task vector is read on one tensor of the base."""
    term = pool.terms[number]
    if isinstance(term, Difference) and (direct := _difference(pool, term, tensor)) is not None:
        return direct
    values = pool.evaluation.vector(term, tensor)

    def fill(start: int, stop: int, into: Float32) -> None:
        into[:] = 0.0 if values is None else values(start, stop)

    return fill


def _difference(pool: Pool, term: Difference, tensor: str) -> Fill | None:
    """tuned − base without a copy between: where the tuned tensor is float32 and whole. The base is shared."""
    tuned, base = pool.plan.checkpoints[term.tuned], pool.plan.checkpoints[term.base]
    match = pool.plan.matches[term]
    if tensor not in match.lengths or match.lengths[tensor] < pool.base.info(tensor).count:
        return None
    if tuned.info(tensor).dtype != "F32":
        return None
    values, shared = tuned.stored(tensor), pool.evaluation.reader.shared
    own = base.stored(tensor) if base.info(tensor).dtype == "F32" else None

    def fill(start: int, stop: int, into: Float32) -> None:
        other = own[start:stop] if own is not None else shared(base, tensor, start, stop)
        np.subtract(values[start:stop], other, out=into)

    return fill
