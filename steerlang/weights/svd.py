"""Matrices in factors: B A cut to its largest singular values, and the best factors of a matrix that is only streamed.

    truncation  B A = Q_b (R_b R_aᵀ) Q_aᵀ, the SVD of the small middle kept to rank r (Eckart & Young, 1936)
    large ones  subspace iteration over runs of rows (Halko, Martinsson & Tropp, 2011); what is lost is measured on the
                matrix itself
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from .dtypes import Float32

# Up to so many numbers a matrix is decomposed as a whole; a larger one is only ever read in rows.
WHOLE = 1 << 21
_OVERSAMPLING, _ITERATIONS = 16, 3
_RUN = 64 * 1024

Pair = tuple[Float32, Float32]


@dataclass(frozen=True)
class Cut:
    """B [rows, r] and A [r, columns], the squared norm of what B A lacks of the matrix, and that of the matrix."""

    b: Float32
    a: Float32
    lost: float
    total: float


def truncated(b: Float32, a: Float32, rank: int) -> Cut:
    """B A cut to its `rank` largest singular values."""
    left, upper = np.linalg.qr(b.astype(np.float64))
    right, lower = np.linalg.qr(a.astype(np.float64).T)
    u, s, v = np.linalg.svd(upper @ lower.T)
    total = float(np.square(s).sum())
    if rank >= a.shape[0]:
        # Nothing is lost: the factors stay as they are, to the bit.
        return Cut(b, a, 0.0, total)
    kept = balanced(left @ u[:, : len(s)], s, v[: len(s)] @ right.T, rank)
    return Cut(*kept, float(np.square(s[rank:]).sum()), total)


@dataclass(frozen=True)
class Rows:
    """A matrix [height, width] by its elements `start` to `stop`, read in runs of whole rows."""

    height: int
    width: int
    values: Callable[[int, int], Float32]

    def runs(self) -> Iterator[tuple[int, Float32]]:
        """(first row, some rows [n, width])."""
        step = max(1, _RUN // max(self.width, 1)) * self.width
        for start in range(0, self.height * self.width, max(step, 1)):
            stop = min(start + step, self.height * self.width)
            yield start // self.width, self.values(start, stop).reshape(-1, self.width)

    def square(self) -> float:
        """The squared norm."""
        return math.fsum(float(np.square(run, dtype=np.float64).sum()) for _, run in self.runs())

    def times(self, right: Float32) -> Float32:
        """τ · right."""
        return np.concatenate([run @ right for _, run in self.runs()])

    def transposed_times(self, left: Float32) -> Float32:
        """τᵀ · left."""
        total = np.zeros((self.width, left.shape[1]), np.float32)
        for row, run in self.runs():
            total += run.T @ left[row : row + len(run)]
        return total


def best(rows: Rows, rank: int) -> Cut:
    """The best factors of a given rank."""
    if rows.height * rows.width <= WHOLE:
        whole = np.concatenate([run for _, run in rows.runs()]).astype(np.float64)
        u, s, v = np.linalg.svd(whole, full_matrices=False)
        return Cut(*balanced(u, s, v, rank), float(np.square(s[rank:]).sum()), float(np.square(s).sum()))
    size = min(rank + _OVERSAMPLING, rows.height, rows.width)
    basis = np.random.default_rng(0).standard_normal((rows.width, size), np.float32)
    for _ in range(_ITERATIONS):
        left = np.linalg.qr(rows.times(basis))[0]
        basis = np.linalg.qr(rows.transposed_times(left))[0]
    left = np.linalg.qr(rows.times(basis))[0]
    u, s, v = np.linalg.svd(rows.transposed_times(left).T.astype(np.float64), full_matrices=False)
    b, a = balanced(left @ u, s, v, rank)
    lost = math.fsum(float(np.square(run - b[row : row + len(run)] @ a).sum()) for row, run in rows.runs())
    return Cut(b, a, lost, rows.square())


def balanced(u: Any, s: Any, v: Any, rank: int) -> Pair:
    """B = U √S and A = √S V, so that both are of one size."""
    root = np.sqrt(s[:rank])
    return (u[:, :rank] * root).astype(np.float32), (root[:, None] * v[:rank]).astype(np.float32)
