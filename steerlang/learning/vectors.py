"""The numbers of the task vectors: read from disk range by range, or stacked [k, d] in memory where a budget allows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from steerlang.weights.blocks import Place
from steerlang.weights.dtypes import Float32
from steerlang.weights.evaluation import Values

from .pool import Pool


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


class Vectors:
    """Gives ranges of all task vectors of a target at once, float32 [k, stop − start] on the module's device.

    What is given is valid until the next range is asked for. Memory: the stacks, and one range of each task vector.
    """

    def __init__(self, pool: Pool, targets: Sequence[Target], memory: int, device: torch.device) -> None:
        self._pool, self._device = pool, device
        self._streams: dict[str, list[Values]] = {}
        self._buffer: Float32 = np.zeros(0, np.float32)
        self._stacks: dict[str, Tensor] = {}
        for target in targets:
            size = 4 * target.count * len(target.vectors)
            if size <= memory:
                memory -= size
                self._stacks[target.tensor] = self._stacked(target)

    @property
    def stacked(self) -> int:
        """Bytes of the stacks."""
        return sum(stack.numel() * 4 for stack in self._stacks.values())

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
        for row, values in zip(rows, self._values(target), strict=True):
            row[:] = values(start, stop)
        return torch.from_numpy(rows).to(self._device)

    def _values(self, target: Target) -> list[Values]:
        found = self._streams.get(target.tensor)
        if found is None:
            found = [self._stream(number, target.tensor) for number in target.vectors]
            self._streams[target.tensor] = found
        return found

    def _stream(self, number: int, tensor: str) -> Values:
        values = self._pool.evaluation.vector(self._pool.terms[number], tensor)
        return _zeros if values is None else values

    def _stacked(self, target: Target) -> Tensor:
        rows = np.empty((len(target.vectors), target.count), np.float32)
        for row, number in zip(rows, target.vectors, strict=True):
            values, step = self._stream(number, target.tensor), self._pool.evaluation.chunk
            for start in range(0, target.count, step):
                stop = min(start + step, target.count)
                row[start:stop] = values(start, stop)
        return torch.from_numpy(rows).to(self._device)


def _zeros(start: int, stop: int) -> Float32:
    return np.zeros(stop - start, np.float32)
