"""Concepts of states Z ``[N, D]``: dictionaries U ``[K, D]`` with a concept a row, and activations V ``[N, K]``.

Formulas are those of Parekh et al. 2024 (CoX-LMM, arXiv:2406.08074) and Khayatan et al. 2025 (arXiv:2501.03012) with
their published code; the fitting is scikit-learn's. Arrays are float32, distances are summed in float64.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steerlang.kernels.errors import NumericsError, TooFewStates

States = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Decomposition:
    """``components [K, D]``, ``activations [N, K]``, and ``offset [D]``, subtracted before states are projected (0 but
    for `pca`). ``explained``: 1 − ‖Z − Ẑ‖² / ‖Z − mean Z‖², Ẑ what the dictionary makes of the states; for `kmeans`
    each state's centroid. ``steps``: iterations of the fit, 0 where there are none; ``converged``: whether it ended
    before the most that were allowed."""

    components: States
    activations: States
    offset: States
    explained: float
    steps: int = 0
    converged: bool = True


def kmeans(z: States, k: int, seed: int, restarts: int = 10) -> Decomposition:
    """U the centroids of Lloyd's algorithm (k-means++ starts, the best of ``restarts``), V = 1/(1 + ‖z − u_k‖₂)."""
    from sklearn.cluster import KMeans

    check_count(z, k)
    with _quiet():
        fitted = KMeans(k, n_init=restarts, random_state=seed).fit(z)
    centres = _float(fitted.cluster_centers_)
    explained = 1 - _share(float(fitted.inertia_), _spread(z))
    return Decomposition(centres, closeness(z, centres), _no_offset(z), explained, int(fitted.n_iter_),
                         fitted.n_iter_ < fitted.max_iter)  # fmt: skip


def snmf(z: States, k: int, seed: int, alpha: float = 1.0, steps: int = 1000) -> Decomposition:
    """Semi-nonnegative factorisation by sparse dictionary learning: min ½‖Z − VU‖² + α‖V‖₁, V ≥ 0, ‖u_k‖ ≤ 1.

    Coordinate descent (scikit-learn's `DictionaryLearning`, `cd` and `lasso_cd`).
    """
    from sklearn.decomposition import DictionaryLearning

    check_count(z, k)
    learner = DictionaryLearning(
        k, alpha=alpha, max_iter=steps, fit_algorithm="cd", transform_algorithm="lasso_cd", positive_code=True,
        random_state=seed,
    )  # fmt: skip
    with _quiet():
        codes = learner.fit_transform(z)
        components = _float(learner.components_)
    return _reconstructing(z, components, _float(codes), int(learner.n_iter_), steps)


def pca(z: States, k: int, seed: int) -> Decomposition:
    """U the first K principal directions of the centred states, each at length 1, V = (Z − mean Z) Uᵀ.

    Signs are scikit-learn's: the entry of largest magnitude of each row of U is positive.
    """
    from sklearn.decomposition import PCA

    check_count(z, k, distinct=False)
    if k > z.shape[1]:
        raise NumericsError(f"{k} principal directions of states {z.shape[1]} wide", f"take at most {z.shape[1]}")
    fitted = PCA(k, random_state=seed)
    activations = _float(fitted.fit_transform(z))
    explained = float(fitted.explained_variance_ratio_.sum())
    return Decomposition(_float(fitted.components_), activations, _float(fitted.mean_), explained)


def nmf(z: States, k: int, seed: int, negatives: str = "refuse", steps: int = 1000) -> Decomposition:
    """min ½‖Z − VU‖², U ≥ 0, V ≥ 0 (Lee and Seung, 1999). It needs states ≥ 0, which few sites give (after a ReLU):
    ``negatives`` = ``clip`` takes max(0, z)."""
    from sklearn.decomposition import NMF

    check_count(z, k)
    z = _nonnegative(z, negatives)
    learner = NMF(k, random_state=seed, max_iter=steps)
    with _quiet():
        codes = learner.fit_transform(z)
    return _reconstructing(z, _float(learner.components_), _float(codes), int(learner.n_iter_), steps)


def largest_norm(z: States, k: int, seed: int) -> Decomposition:
    """U the K distinct states of greatest norm, the longest first; V = 1/(1 + ‖z − u_k‖₂). The published baseline."""
    check_count(z, k)
    norms = np.linalg.norm(z.astype(np.float64), axis=1)
    components = _float(np.stack(list(_first_distinct(z[np.argsort(-norms, kind="stable")], k))))
    nearest = components[_distances(z, components).argmin(axis=1)]
    explained = 1 - _share(float(((z - nearest).astype(np.float64) ** 2).sum()), _spread(z))
    return Decomposition(components, closeness(z, components), _no_offset(z), explained)


# ---- activations of other states -----------------------------------------------------------------------------------


def closeness(z: States, components: States) -> States:
    """V = 1/(1 + ‖z − u_k‖₂): 1 where a state is the concept, towards 0 far from it."""
    return _float(1 / (1 + _distances(z, components)))


def centred_products(z: States, components: States, offset: States) -> States:
    """V = (Z − offset) Uᵀ."""
    return _float(z @ components.T - offset @ components.T)


def sparse_codes(z: States, components: States, alpha: float, steps: int = 1000) -> States:
    """V = argmin ½‖z − vU‖² + α‖v‖₁, v ≥ 0, a state at a time (the transform of `snmf`)."""
    from sklearn.decomposition import sparse_encode

    with _quiet():
        found: Any = sparse_encode(z, components, algorithm="lasso_cd", alpha=alpha, positive=True, max_iter=steps)
    return _float(found)


def nonnegative_codes(z: States, components: States, negatives: str, steps: int = 1000) -> States:
    """V = argmin ½‖z − vU‖², v ≥ 0 (the transform of `nmf`)."""
    from scipy.optimize import nnls

    z = _nonnegative(z, negatives)
    return _float(np.stack([nnls(components.T.astype(np.float64), row.astype(np.float64))[0] for row in z]))


# ---- checks --------------------------------------------------------------------------------------------------------


def check_count(z: States, k: int, distinct: bool = True) -> None:
    """Raises TooFewStates where Z has fewer than K rows, or fewer that differ."""
    if len(z) < k:
        raise TooFewStates(f"{k} concepts are asked for, and there are {len(z)} states", f"take at most {len(z)}")
    if not distinct:
        return
    found = sum(1 for _ in _first_distinct(z, k))
    if found < k:
        raise TooFewStates(
            f"{k} concepts are asked for, and only {found} of {len(z)} states differ",
            f"take at most {found}, or read states that differ more: other tokens, other texts",
        )


def _first_distinct(z: States, k: int) -> Iterator[States]:
    """The first K rows that differ; fewer where there are fewer. It rarely looks further than K rows."""
    seen: set[bytes] = set()
    for row in z:
        mark = (row + np.float32(0)).tobytes()  # -0 is 0
        if mark not in seen:
            seen.add(mark)
            yield row
            if len(seen) == k:
                return


def _nonnegative(z: States, negatives: str) -> States:
    if negatives == "clip":
        return np.maximum(z, 0)
    if (z < 0).any():
        raise NumericsError(
            f"`nmf` needs states that are nowhere negative, and {float((z < 0).mean()):.0%} of these numbers are",
            "take `snmf`, or `nmf(negatives = clip)`, which takes what is negative as 0",
        )
    return z


@contextmanager
def _quiet() -> Iterator[None]:
    """Without scikit-learn's warnings of steps inside a fit; whether the fit itself has converged is recorded."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


# ---- parts ---------------------------------------------------------------------------------------------------------


def _reconstructing(z: States, components: States, codes: States, steps: int, most: int) -> Decomposition:
    left = float(((z - codes @ components).astype(np.float64) ** 2).sum())
    return Decomposition(components, codes, _no_offset(z), 1 - _share(left, _spread(z)), steps, steps < most)


def _distances(z: States, components: States) -> NDArray[Any]:
    """‖z − u_k‖₂ ``[N, K]``; scikit-learn sums float32 rows in float64, in pieces."""
    from sklearn.metrics.pairwise import euclidean_distances

    found: NDArray[Any] = euclidean_distances(z, components)
    return found


def _spread(z: States) -> float:
    """‖Z − mean Z‖², in pieces, whose sums are added in float64: without a copy of all states at once."""
    mean = z.mean(axis=0, dtype=np.float64).astype(np.float32)
    pieces = ((part - mean).ravel() for part in np.array_split(z, max(1, len(z) // 1024)))
    return float(sum(float(piece @ piece) for piece in pieces))


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _no_offset(z: States) -> States:
    return np.zeros(z.shape[1], np.float32)


def _float(values: NDArray[Any]) -> States:
    return np.ascontiguousarray(values, dtype=np.float32)
