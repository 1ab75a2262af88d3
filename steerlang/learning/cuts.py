"""The two formulas of a block-diagonal Λ on a range of one tensor, for each way a tensor falls into blocks.

    add    θ += Σ_i λ_i[b(e)] τ_i[e]                      for every element e of the range, b(e) its block
    inner  G_i[b] += Σ_{e: b(e) = b} τ_i[e] g[e]          = ∂L/∂λ_i[b], g = ∂L/∂θ

Whole tensors, rows and equal parts are runs of equal length C in the flat order; columns repeat with period C; random
parts have an index array of the smallest integer type. No one-hot mask of a tensor is ever made.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Protocol

import torch
from torch import Tensor

from steerlang.weights import randomness
from steerlang.weights.blocks import Place

_FEW = 32


class Cut(Protocol):
    """How one tensor falls into `count` blocks."""

    def ranges(self, chunk: int) -> Iterator[tuple[int, int]]:
        """Ranges of about `chunk` elements that cover the tensor, none of which cuts what must stay together."""
        ...

    def add(self, theta: Tensor, tau: Tensor, values: Tensor, start: int) -> None:
        """theta [c] += Σ Λ τ; tau [k, c], values [k, count]. `theta` is float32 and changed in place."""
        ...

    def inner(self, gradient: Tensor, tau: Tensor, sums: Tensor, start: int) -> None:
        """sums [k, count] (float64) += the inner products of gradient [c] with tau [k, c], by block."""
        ...


class Runs:
    """`count` blocks that are runs of equal length, one after the other: whole tensors, rows, equal parts."""

    def __init__(self, elements: int, count: int) -> None:
        self._elements, self._length = elements, elements // count

    def ranges(self, chunk: int) -> Iterator[tuple[int, int]]:
        if self._length <= chunk:
            yield from _ranges(0, self._elements, chunk // self._length * self._length)
            return
        for first in range(0, self._elements, self._length):
            yield from _ranges(first, first + self._length, chunk)

    def add(self, theta: Tensor, tau: Tensor, values: Tensor, start: int) -> None:
        first, runs = start // self._length, -(-len(theta) // self._length)
        if runs == 1:
            theta.addmv_(tau.T, values[:, first].contiguous())
            return
        rows = theta.view(runs, self._length)
        for one, own in zip(tau, values, strict=True):
            rows.addcmul_(one.view(runs, self._length), own[first : first + runs, None])

    def inner(self, gradient: Tensor, tau: Tensor, sums: Tensor, start: int) -> None:
        first, runs = start // self._length, -(-len(gradient) // self._length)
        if runs == 1:
            sums[:, first] += tau @ gradient
            return
        products = (tau * gradient).view(len(tau), runs, self._length)
        sums[:, first : first + runs] += products.sum(-1)


class Columns:
    """`count` blocks that repeat: the columns of a matrix."""

    def __init__(self, elements: int, count: int) -> None:
        self._elements, self._count = elements, count

    def ranges(self, chunk: int) -> Iterator[tuple[int, int]]:
        yield from _ranges(0, self._elements, max(chunk // self._count, 1) * self._count)

    def add(self, theta: Tensor, tau: Tensor, values: Tensor, start: int) -> None:
        rows = theta.view(-1, self._count)
        for one, own in zip(tau, values, strict=True):
            rows.addcmul_(one.view(-1, self._count), own)

    def inner(self, gradient: Tensor, tau: Tensor, sums: Tensor, start: int) -> None:
        sums += (tau * gradient).view(len(tau), -1, self._count).sum(1)


class Scratch:
    """Room for one range by part, float32 [count, c], used again and again by all tensors."""

    def __init__(self) -> None:
        self._room = torch.zeros(0)

    def get(self, count: int, length: int, device: torch.device) -> Tensor:
        """A matrix [count, length] with whatever is in it."""
        if self._room.numel() < count * length:
            self._room = torch.empty(count * length, device=device)
        return self._room[: count * length].view(count, length)


class RandomParts:
    """`count` blocks that elements fall into at random.

    Few parts: the range is laid out by part, [count, c], for all task vectors at once, which makes both formulas a
    small matrix product. Many parts: element by element.
    """

    def __init__(self, place: Place, device: torch.device, scratch: Scratch) -> None:
        self._elements, self._count, self._scratch = math.prod(place.shape), place.count, scratch
        index = randomness.parts(place.key, 0, self._elements, place.count)
        self._index = torch.from_numpy(index).to(device)

    def ranges(self, chunk: int) -> Iterator[tuple[int, int]]:
        yield from _ranges(0, self._elements, chunk)

    def add(self, theta: Tensor, tau: Tensor, values: Tensor, start: int) -> None:
        index = self._index[start : start + len(theta)].to(torch.int64)
        if self._count > _FEW:
            for one, own in zip(tau, values, strict=True):
                theta.addcmul_(one, own[index])
            return
        sums = torch.mm(values.T, tau, out=self._scratch.get(self._count, len(theta), theta.device))
        theta.add_(sums.gather(0, index[None])[0])

    def inner(self, gradient: Tensor, tau: Tensor, sums: Tensor, start: int) -> None:
        index = self._index[start : start + len(gradient)].to(torch.int64)
        if self._count > _FEW:
            sums += torch.zeros(sums.shape, device=sums.device).index_add_(1, index, tau * gradient)
            return
        parts = self._scratch.get(self._count, len(gradient), gradient.device).zero_()
        parts.scatter_(0, index[None], gradient[None])
        sums += tau @ parts.T


def cut_of(place: Place, device: torch.device, scratch: Scratch) -> Cut:
    """The cut of one tensor."""
    elements = math.prod(place.shape)
    if place.cut == "random":
        return RandomParts(place, device, scratch)
    if place.cut == "column":
        return Columns(elements, place.count)
    return Runs(elements, place.count)


def _ranges(first: int, last: int, step: int) -> Iterator[tuple[int, int]]:
    for start in range(first, last, step):
        yield start, min(start + step, last)
