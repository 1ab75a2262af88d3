"""How concepts move between two models: shifts, their statistics, matching, recovery (Khayatan et al. 2025).

States ``a`` and ``b [n, D]`` are of the same samples in both models, in the same order. Sums are float64.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steerlang.kernels.errors import NumericsError

Array = NDArray[np.float32]
Wide = NDArray[np.float64]
_TRIMMED = 0.1


@dataclass(frozen=True, eq=False)
class Shift:
    """``delta [K, D]``, 0 for a concept without samples; ``counts [K]`` samples of each concept.

    ``consistency [K]``: the mean cosine of two differences b_i − a_i of a concept, NaN for fewer than two samples;
    ``alignment [K]``: their mean cosine to Δ_k, NaN without samples; ``magnitude [K]``: ‖Δ_k‖.
    """

    delta: Array
    counts: NDArray[np.int64]
    consistency: Wide
    alignment: Wide
    magnitude: Wide


def assigned(activations: Array, by: str) -> NDArray[np.int64]:
    """The concept of each sample: argmax_k V_ik, or of |V_ik| (``argmax_abs``); the first of equals."""
    values = np.abs(activations) if by == "argmax_abs" else activations
    return np.asarray(values.argmax(axis=1), dtype=np.int64)


def shift(a: Array, b: Array, concept: NDArray[np.int64], k: int, reduce: str = "mean") -> Shift:
    """Δ_k = R_{A_k} b − R_{A_k} a, A_k = {i : concept_i = k}, R the mean, the median or the trimmed mean of each entry.

    ``median``: of an even number the lower middle one, as published. ``trimmed``: without the ⌊n/10⌋ largest and
    smallest.
    """
    if a.shape != b.shape:
        raise NumericsError(f"states of shapes {a.shape} and {b.shape}", "compare the same samples in both models")
    delta = np.zeros((k, a.shape[1]), np.float32)
    counts = np.bincount(concept, minlength=k).astype(np.int64)
    statistics = np.full((3, k), np.nan)
    statistics[2] = 0
    for index in np.flatnonzero(counts):
        here = concept == index
        x, y = a[here].astype(np.float64), b[here].astype(np.float64)
        moved = _REDUCE[reduce](y) - _REDUCE[reduce](x)
        delta[index] = moved
        statistics[:, index] = _consistency(y - x), _alignment(y - x, moved), np.linalg.norm(moved)
    return Shift(delta, counts, statistics[0], statistics[1], statistics[2])


def _median(x: Wide) -> Wide:
    middle = (len(x) - 1) // 2
    return np.asarray(np.partition(x, middle, axis=0)[middle])


def _trimmed(x: Wide) -> Wide:
    cut = int(_TRIMMED * len(x))
    kept: Wide = np.sort(x, axis=0)[cut : len(x) - cut].mean(axis=0)
    return kept


_REDUCE: Mapping[str, Callable[[Wide], Wide]] = {
    "mean": lambda x: np.asarray(x.mean(axis=0)),
    "median": _median,
    "trimmed": _trimmed,
}


def _units(x: Wide) -> Wide:
    """Rows at length 1; zero rows stay zero, so that they have cosine 0 with everything."""
    norms = np.linalg.norm(x, axis=-1, keepdims=True)
    return np.asarray(x / np.where(norms == 0, 1, norms))


def _consistency(differences: Wide) -> float:
    """The mean of cos(d_i, d_j) over i < j, from ‖Σ d̂_i‖² = Σ ‖d̂_i‖² + 2 Σ_{i<j} cos."""
    n = len(differences)
    if n < 2:
        return float("nan")
    units = _units(differences)
    return float(((units.sum(axis=0) ** 2).sum() - (units**2).sum()) / (n * (n - 1)))


def _alignment(differences: Wide, delta: Wide) -> float:
    return float((_units(differences) @ _units(delta)).mean())


# ---- matching and recovery -----------------------------------------------------------------------------------------


def cosines(u: Array, w: Array) -> Wide:
    """cos(u_i, w_j) ``[K, M]``."""
    return np.asarray(_units(u.astype(np.float64)) @ _units(w.astype(np.float64)).T)


def matched(u: Array, w: Array, by: str = "hungarian") -> NDArray[np.int64]:
    """For each row of U ``[K, D]`` the row of W ``[M, D]`` it goes with: ``hungarian`` gives each row of W at most once
    and maximises the sum of cosines (K ≤ M); ``nearest`` takes the largest cosine of each."""
    similar = cosines(u, w)
    if by == "nearest":
        return np.asarray(similar.argmax(axis=1), dtype=np.int64)
    if len(u) > len(w):
        raise NumericsError(
            f"{len(u)} concepts cannot each have one of {len(w)}", "decompose both alike, or match by `nearest`"
        )
    from scipy.optimize import linear_sum_assignment

    return np.asarray(linear_sum_assignment(-similar)[1], dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Nearness:
    """How near concepts u are to those they should become, û: ``distance`` ‖û − u‖, ``cosine`` cos(û, u), ``[K]``."""

    distance: Wide
    cosine: Wide


def nearness(u: Array, wanted: Array) -> Nearness:
    x, y = u.astype(np.float64), wanted.astype(np.float64)
    return Nearness(np.linalg.norm(y - x, axis=1), np.asarray((_units(x) * _units(y)).sum(axis=1)))


def overlap(found: Sequence[Any], wanted: Sequence[Any]) -> float:
    """|T ∩ T̂| / |T̂| of two sets; NaN where T̂ is empty."""
    target = set(wanted)
    return len(target & set(found)) / len(target) if target else float("nan")


def dictionary_overlap(words: Sequence[Sequence[Any]]) -> Wide:
    """|T_i ∩ T_j| / |T_i| ``[K, K]`` of the sets T; the row of an empty one is 0."""
    sets = [set(w) for w in words]
    return np.array([[len(a & b) / len(a) if a else 0.0 for b in sets] for a in sets])


def correlation(x: Sequence[float], y: Sequence[float], by: str = "pearson") -> float:
    """Pearson's r, or Spearman's (Pearson's of the ranks, equals sharing their mean rank); NaN where a side is constant
    or fewer than two pairs are numbers."""
    from scipy.stats import rankdata

    pairs = np.array([(p, q) for p, q in zip(x, y, strict=True) if not (np.isnan(p) or np.isnan(q))], dtype=np.float64)
    if len(pairs) < 2:
        return float("nan")
    left, right = (rankdata(column) for column in pairs.T) if by == "spearman" else pairs.T
    left, right = left - left.mean(), right - right.mean()
    length = float(np.linalg.norm(left) * np.linalg.norm(right))
    return float(np.clip(left @ right / length, -1, 1)) if length else float("nan")
