"""Composing task vectors: several into one, entry by entry. τ_i are the vectors, λ_i their coefficients (or Λ_i).

    linear       Σ λ_i τ_i                                                                  (Ilharco et al., 2023)
    ties         trim each τ_i to the `density` largest; elect s = sign(Σ λ_i τ̂_i), + where it is 0; then
                 Σ_{agree} λ_i τ̂_i / d over the entries of sign s                           (Yadav et al., 2023)
    dare         Σ λ_i m_i τ_i / density, m_i ~ Bernoulli(density)                          (Yu et al., 2024)
    dare_ties    the same masks, then elected and merged like ties
    della        masks with probability density − ε + 2 ε rank, rank from 0 (smallest) to 1 (largest) in the row,
                 each divided by its probability; then elected and merged like ties         (Deep et al., 2024)
    breadcrumbs  Σ λ_i τ̂_i, the `gamma` largest dropped and of the rest the `density` largest kept (Davari et al., 2024)
    consensus    Σ λ_i τ_i where at least `agree` masks |τ_i| ≥ strictness · |Σ_j τ_j − τ_i| hold  (Wang et al., 2024)

d, by `normalize`: `count`, the number of agreeing entries (the paper's disjoint mean, times λ); `weights`, their Σ λ_i
(where the coefficients then cancel if they are equal); `none`, 1. Signs are elected with the coefficients applied.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import randomness, trimming
from .coefficients import Factor
from .dtypes import Float32
from .expression import Composed, Options
from .methods import settled

Values = Callable[[int, int], Float32]
_ZERO, _HALF = np.float32(0), np.float32(0.5)


@dataclass(frozen=True)
class Piece:
    """One task vector on one tensor: its values, its coefficient, what random masks know it by, and its threshold over
    the whole model for a share that is kept."""

    values: Values
    factor: Factor
    label: str
    whole: Callable[[float], float]

    def factor_of(self, start: int, stop: int) -> Float32 | np.float32:
        """λ_i of the elements `start` to `stop`."""
        return self.factor(start, stop) if callable(self.factor) else np.float32(self.factor)


def compose(composed: Composed, pieces: list[Piece], tensor: str, shape: tuple[int, ...], chunk: int) -> Values | None:
    """The composition on one tensor of the given shape; None where no vector reaches it."""
    if not pieces:
        return None
    options = settled(composed)
    if composed.method == "consensus":
        return lambda start, stop: _consensus(pieces, options, start, stop)
    kept = [_kept(composed.method, piece, options, tensor, shape, chunk) for piece in pieces]
    if composed.method in ("ties", "dare_ties", "della"):
        return lambda start, stop: _elected(pieces, kept, options.normalize or "count", start, stop)
    return lambda start, stop: _weighted_sum(pieces, kept, start, stop)


def _weighted_sum(pieces: list[Piece], kept: list[Values], start: int, stop: int) -> Float32:
    total = kept[0](start, stop)
    total *= pieces[0].factor_of(start, stop)
    for piece, values in zip(pieces[1:], kept[1:], strict=True):
        part = values(start, stop)
        part *= piece.factor_of(start, stop)
        total += part
    return total


def _elected(pieces: list[Piece], kept: list[Values], normalize: str, start: int, stop: int) -> Float32:
    """Sums P of the positive and N of the negative entries, with what they are divided by: one pass over the vectors,
    whatever their number. P ≥ −N elects +, so what is merged is ±max(P, −N) with the sign of P + N, + where that is 0.
    """
    size = stop - start
    positive, negative = np.zeros(size, np.float32), np.zeros(size, np.float32)
    # Counts of at most 255 vectors fit in bytes, which add up four times as fast.
    masses = np.zeros((2, size), np.uint8 if normalize == "count" and len(pieces) < 256 else np.float32)
    for piece, values in zip(pieces, kept, strict=True):
        part, factor = values(start, stop), piece.factor_of(start, stop)
        part *= factor
        # |x| + x is twice the positive part, exactly, at half the time of a maximum.
        size_of = np.abs(part)
        positive += size_of + part
        size_of -= part
        negative += size_of
        if normalize != "none":
            for mass, agrees in zip(masses, (part > _ZERO, part < _ZERO), strict=True):
                mass += agrees.view(np.uint8) if normalize == "count" else agrees * factor
    merged: Float32 = np.maximum(positive, negative)
    up = positive >= negative
    positive -= negative
    merged *= _HALF
    signs = positive.view(np.uint32)
    signs &= np.uint32(0x80000000)
    merged.view(np.uint32)[:] |= signs
    if normalize != "none":
        merged /= _mass(masses, up)
    return merged


def _mass(masses: NDArray[Any], up: NDArray[np.bool_]) -> Float32:
    """What is divided by: the mass of the elected sign; 1 where it is 0, and nothing agrees or the weights cancel."""
    if masses.dtype != np.uint8:
        chosen = np.where(up, masses[0], masses[1])
        weighed: Float32 = np.where(chosen == 0, np.float32(1), chosen)
        return weighed
    # Choosing by bits: a choice by random booleans costs ten times as much.
    masses[0] ^= masses[1]
    masses[0] &= np.uint8(0) - up.view(np.uint8)
    masses[1] ^= masses[0]
    counted: Float32 = np.maximum(masses[1], np.uint8(1)).astype(np.float32)
    return counted


def _consensus(pieces: list[Piece], options: Options, start: int, stop: int) -> Float32:
    """Two passes over the vectors of a chunk, so that memory does not grow with their number."""
    total = pieces[0].values(start, stop)
    for piece in pieces[1:]:
        total += piece.values(start, stop)
    votes = np.zeros(stop - start, np.int32)
    merged = np.zeros(stop - start, np.float32)
    strictness = np.float32(options.strictness or 0.0)
    for piece in pieces:
        part = piece.values(start, stop)
        # An entry that is 0 supports nothing, though 0 ≥ 0.
        votes += (np.abs(part) >= strictness * np.abs(total - part)) & (part != 0)
        part *= piece.factor_of(start, stop)
        merged += part
    merged *= votes >= (options.agree or 1)
    return merged


def _kept(method: str, piece: Piece, options: Options, tensor: str, shape: tuple[int, ...], chunk: int) -> Values:
    """τ̂_i: the vector with its entries dropped as the method says."""
    values, density, count = piece.values, options.density or 1.0, prod(shape)
    if method == "ties":
        smallest = piece.whole(density) if options.scope == "all" else _threshold(values, count, density, chunk)
        return lambda start, stop: trimming.at_least(values(start, stop), smallest)
    if method == "breadcrumbs":
        return _crumbs(piece, options, count, chunk)
    key = randomness.key_of(options.seed or 0, piece.label, tensor)
    if method in ("dare", "dare_ties"):
        return _dropped(values, key, density, bool(options.rescale))
    if method == "della":
        columns = shape[-1] if shape else 1
        return _ranked(values, key, density, options.epsilon or 0.0, bool(options.rescale), columns, count)
    return values


def _threshold(values: Values, count: int, density: float, chunk: int) -> float:
    return trimming.threshold(lambda: _passing(values, count, chunk), count, density, values)


def _passing(values: Values, count: int, chunk: int) -> Iterator[Float32]:
    for start in range(0, count, chunk):
        yield values(start, min(start + chunk, count))


def _crumbs(piece: Piece, options: Options, count: int, chunk: int) -> Values:
    values, density, gamma = piece.values, options.density or 1.0, options.gamma or 0.0
    if options.scope == "all":
        smallest = piece.whole(min(1.0, density + gamma))
        largest = piece.whole(gamma) if gamma else float("inf")
        # The threshold of the dropped share is itself dropped.
        largest = float(np.nextafter(np.float32(largest), np.float32(0))) if gamma else largest
        return lambda start, stop: trimming.between(values(start, stop), smallest, largest)
    top = int(gamma * count)
    bottom = max(0, count - int(density * count) - top)

    def passing() -> Iterator[Float32]:
        return _passing(values, count, chunk)

    smallest = trimming.order_statistic(passing, count, bottom, values) if bottom else 0.0
    largest = trimming.order_statistic(passing, count, count - 1 - top, values) if top else float("inf")
    return lambda start, stop: trimming.between(values(start, stop), smallest, largest)


def _dropped(values: Values, key: int, density: float, rescale: bool) -> Values:
    factor = np.float32(1.0 / density if rescale else 1.0)

    def kept(start: int, stop: int) -> Float32:
        found = values(start, stop)
        found *= randomness.bernoulli(key, start, stop, density) * factor
        return found

    return kept


def _ranked(
    values: Values, key: int, density: float, epsilon: float, rescale: bool, columns: int, count: int
) -> Values:
    def kept(start: int, stop: int) -> Float32:
        # Ranks need whole rows: those that the range cuts are read whole.
        first, last = start // columns * columns, min(-(-stop // columns) * columns, count)
        found = values(first, last)
        rank = trimming.ranks_in_rows(found, columns)[start - first : stop - first]
        probability = np.float32(density - epsilon) + np.float32(2 * epsilon) * rank
        part = found[start - first : stop - first]
        mask = randomness.bernoulli_each(key, start, stop, probability)
        part *= mask / probability if rescale else mask
        return part

    return kept
