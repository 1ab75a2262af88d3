"""Directions from states: mean difference, principal components, in-context vectors.

Every method takes ``x`` and ``y``, the states of the source and of the target side, float32 ``[n, L, D]`` (n
demonstrations, L rows: layers or other places, D width), and gives directions that point **from x towards y**. With
Δ_i = y_i − x_i, sums run in float64 and results are float32. All are deterministic.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from steerlang.kernels.errors import NoVariation, NumericsError, ShapeMismatch, TooFewPairs

Centre = Literal["none", "mean", "pairwise"]
IcvVariant = Literal["code", "paper"]


@dataclass(frozen=True)
class Extraction:
    """Directions ``[L, D]`` (float32) and the share of variance they explain ``[L]`` (0 to 1, NaN where undefined).

    What "variance" means is said by each method. For `icv`, L is one less than the rows given. ``logits`` ``[L, 2]``
    (scale a, intercept b) is given by classifiers: the probability that a state h is of the target side is
    σ(a h·v̂ + b), v̂ the direction at length 1.
    """

    directions: Tensor
    variance_explained: Tensor
    logits: Tensor | None = None


def mean_difference(x: Tensor, y: Tensor) -> Extraction:
    """v_l = mean_i y_il − mean_i x_il, in the units of the states (CAA, Rimsky et al. 2024; DiffMean).

    x ``[n, L, D]``, y ``[m, L, D]``; n and m may differ. Variance explained: Σ(Δ_i·v̂)² / Σ‖Δ_i‖², the share of the
    (uncentred) differences along v; NaN when n ≠ m or all differences are zero.
    """
    check_states(x, y, paired=False)
    v = y.double().mean(0) - x.double().mean(0)
    if x.shape[0] != y.shape[0]:
        share = torch.full((v.shape[0],), float("nan"))
    else:
        delta = y.double() - x.double()
        unit = torch.nn.functional.normalize(v, dim=-1, eps=1e-300)
        along = torch.einsum("nld,ld->nl", delta, unit).square().sum(0)
        share = (along / delta.square().sum((0, 2))).float()
    return Extraction(v.float(), share)


def pca(x: Tensor, y: Tensor, centre: Centre = "none") -> Extraction:
    """First principal direction of the differences, per layer, unit length.

    * ``none``: first right singular vector of Δ, sign so that v·mean(Δ) ≥ 0.
    * ``mean``: of Δ − mean(Δ) (repeng's ``pca_diff``; removes the mean difference); sign by the majority of pairs
      with Δ_i·v > 0, ties to the mean.
    * ``pairwise``: of the 2n rows ±Δ_i/2 (repeng's ``pca_center``, CAST's ``pca_pairwise``), whose principal axis is
      that of the uncentred Δ; sign as for ``mean``.

    Variance explained: σ₁²/Σσ². Needs n ≥ 1 (``mean``: n ≥ 2). Raises TooFewPairs, NoVariation.
    """
    check_states(x, y, paired=True)
    needed = 2 if centre == "mean" else 1
    if x.shape[0] < needed:
        raise TooFewPairs(f"pca with centre {centre}", x.shape[0], needed)
    delta = (y.double() - x.double()).transpose(0, 1)  # [L, n, D]
    mean = delta.mean(1)
    rows = delta - mean[:, None] if centre == "mean" else delta
    v, largest, total = principal(rows)
    require_variation(largest.sqrt(), delta)
    towards_mean = (v * mean).sum(-1)
    if centre == "none":
        turned = sign(towards_mean)
    else:
        votes = torch.einsum("lnd,ld->ln", delta, v).sign().sum(-1)
        turned = torch.where(votes == 0, sign(towards_mean), votes.sign())
    return Extraction((v * turned[:, None]).float(), (largest / total).float())


def principal(rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """First right singular vectors of ``rows [L, n, D]`` (either sign), their squared singular values σ₁², and Σσ².

    By eigenvectors of the smaller of the two products of the rows with themselves, which costs a fraction of a singular
    value decomposition; σ₁ is exact to some 1e-8 of the largest row. Shapes ``[L, D]``, ``[L]``, ``[L]``.
    """
    found = [_first(layer) for layer in rows]
    v = torch.nn.functional.normalize(torch.stack([v for v, _ in found]), dim=-1, eps=1e-300)
    return v, torch.stack([value for _, value in found]), rows.square().sum((-2, -1))


def _first(rows: Tensor) -> tuple[Tensor, Tensor]:
    """The first right singular vector of ``rows [n, D]``, of any length, and σ₁²."""
    if rows.shape[0] < rows.shape[1]:
        values, vectors = _largest(rows @ rows.T, 1)
        return vectors[:, 0] @ rows, values[0]
    values, vectors = _largest(rows.T @ rows, 1)
    return vectors[:, 0], values[0]


def _largest(product: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Largest eigenvalues, largest first, and eigenvectors of a product of rows with themselves ``[m, m]``."""
    from scipy.linalg import eigh

    size = product.shape[0]
    values, vectors = eigh(product.numpy(), subset_by_index=[size - count, size - 1], check_finite=False)
    return torch.from_numpy(values[::-1].copy()).clamp_min(0), torch.from_numpy(vectors[:, ::-1].copy())


def icv(x: Tensor, y: Tensor, variant: IcvVariant = "code", rank: int = 1) -> Extraction:
    """In-context vector (Liu et al. 2024, arXiv 2311.06668), over the concatenation of all rows.

    Row 0 of x and y ``[n, L, D]`` is the embedding output: it takes part in the decomposition and is dropped from the
    result, which is ``[L − 1, D]``. With Δ the ``[n, L·D]`` matrix of differences:

    * ``code`` (the published code): mean(Δ) + Σ_{r ≤ rank} V_r, V the right singular vectors of Δ − mean(Δ), each
      signed so that the entry of U[:, r] largest in magnitude is positive. n ≥ 3, rank < n. In the units of the
      states: the mean dominates, each V_r has length 1 over the whole concatenation.
    * ``paper`` (equation 2): first right singular vector of Δ, not centred, aligned with mean(Δ); unit length over the
      whole concatenation, embedding included.

    Variance explained: Σ_{r ≤ rank} σ_r²/Σσ² of the decomposition, one number repeated for every layer.
    """
    check_states(x, y, paired=True)
    n, rows, width = x.shape
    if rows < 2:
        raise ShapeMismatch(
            "icv needs the embedding row and at least one layer", "give states [n, 1 + layers, D]"
        )
    delta = (y.double() - x.double()).reshape(n, rows * width)
    if variant == "paper":
        if rank != 1:
            raise NumericsError(
                f"the paper's in-context vector has rank 1, {rank} asked for", "use variant code"
            )
        direction, share = _icv_paper(delta)
    else:
        direction, share = _icv_code(delta, rank)
    layers = direction.reshape(rows, width)[1:]
    return Extraction(layers.float(), torch.full((rows - 1,), float(share)))


def _icv_code(delta: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    n = delta.shape[0]
    if n < 3:
        raise TooFewPairs("icv", n, 3)
    if not 1 <= rank < n:
        raise NumericsError(
            f"icv of rank {rank} from {n} demonstrations is not defined",
            f"choose a rank from 1 to {n - 1}: centred differences of n demonstrations have rank n - 1 at most",
        )
    mean = delta.mean(0)
    centred = delta - mean
    squares, u = _largest(centred @ centred.T, rank)
    # Differences that are all alike leave only rounding to decompose, and a direction of length 1 out of rounding.
    require_variation(squares[-1].sqrt()[None], delta[None])
    largest = u.gather(0, u.abs().argmax(0)[None])[0]
    components = torch.nn.functional.normalize(u.T @ centred, dim=-1, eps=1e-300) * sign(largest)[:, None]
    return mean + components.sum(0), squares.sum() / centred.square().sum()


def _icv_paper(delta: Tensor) -> tuple[Tensor, Tensor]:
    v, largest, total = principal(delta[None])
    require_variation(largest.sqrt(), delta[None])
    direction = v[0] * sign(v[0] @ delta.mean(0))
    return direction, largest[0] / total[0]


def sign(value: Tensor) -> Tensor:
    """+1 or −1, +1 for zero: a direction is never multiplied by 0."""
    return torch.where(value < 0, -1.0, 1.0).to(value.dtype)


def require_variation(singular: Tensor, delta: Tensor) -> None:
    """Singular values ``[L]`` must stand above the rounding of the differences ``[L, n, D]`` they come from."""
    floor = torch.finfo(torch.float32).eps * delta.flatten(1).norm(dim=-1)
    flat = (singular <= floor).nonzero().flatten().tolist()
    if flat:
        raise NoVariation(
            "the differences between the two sides do not vary",
            "the states read are the same on both sides, or differ by one constant: check which token is read",
            flat[0] if len(singular) > 1 else None,
        )


def check_states(x: Tensor, y: Tensor, paired: bool) -> None:
    if x.ndim != 3 or y.ndim != 3 or x.shape[1:] != y.shape[1:]:
        raise ShapeMismatch(
            f"states of the two sides must both be [n, L, D]: {tuple(x.shape)} and {tuple(y.shape)} given",
            "read both sides from the same model, site and layers",
        )
    if x.shape[0] == 0 or y.shape[0] == 0:
        raise TooFewPairs("extraction", 0, 1)
    if paired and x.shape[0] != y.shape[0]:
        raise ShapeMismatch(
            f"this method works on pairs, but there are {x.shape[0]} states on one side and {y.shape[0]} on the other",
            "use mean_difference for unpaired data, or give pairs",
        )
