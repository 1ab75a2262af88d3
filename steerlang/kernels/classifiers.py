"""Directions that separate the two sides best: logistic regression and linear discriminant analysis.

Inputs and signs are those of `steerlang.kernels.extraction`; the sides need not be paired. Each layer is fitted alone.
"Variance explained" is η² of the projection on the direction: the share of its variance that lies between the sides.
"""

from __future__ import annotations

import warnings
from dataclasses import replace

import torch
from torch import Tensor

from steerlang.kernels.errors import NoVariation, NumericsError, TooFewPairs
from steerlang.kernels.extraction import Extraction, check_states

_MOST_STEPS = 5000


def probe(x: Tensor, y: Tensor, c: float = 1.0) -> Extraction:
    """Normal of a logistic regression of y against x, mapped back to the units of the states, length 1.

    Per layer, with z = (h − μ)/σ over both sides together (σ the population deviation; 1 for a constant feature):
    min over w, b of ½‖w‖² + C Σ log(1 + exp(−t (w·z + b))), t = +1 for y and −1 for x; v = (w/σ) / ‖w/σ‖. Larger C
    fits the data closer. ``logits``: a = ‖w/σ‖ and b − (w/σ)·μ, with which σ(a h·v̂ + b) is the regression's
    probability. x ``[n, L, D]``, y ``[m, L, D]``. Needs two states a side. Fitted by scikit-learn (L-BFGS).

    Raises TooFewPairs, NoVariation (layers whose sides are the same), NumericsError (no convergence).
    """
    _check_sides("probe", x, y)
    fitted = [_probe_layer(x[:, layer], y[:, layer], c) for layer in range(x.shape[1])]
    found = _with_separation(torch.stack([unit for unit, _ in fitted]), x, y)
    return replace(found, logits=torch.stack([logit for _, logit in fitted]))


def _probe_layer(x: Tensor, y: Tensor, c: float) -> tuple[Tensor, Tensor]:
    """The direction ``[D]``, and scale and intercept of the logit along it ``[2]``."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    states = torch.cat([x, y]).double()
    sides = torch.cat([torch.zeros(len(x)), torch.ones(len(y))])
    spread = states.std(0, correction=0)
    spread = torch.where(spread > _rounding(states), spread, torch.inf)  # what is constant says nothing of the side
    standard = (states - states.mean(0)) / spread
    fitted = LogisticRegression(C=c, max_iter=_MOST_STEPS, tol=1e-5)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        try:
            fitted.fit(standard.float().numpy(), sides.numpy())
        except ConvergenceWarning as unfinished:
            raise NumericsError(
                f"the probe did not converge in {_MOST_STEPS} steps", "lower `c`: it then fits less closely"
            ) from unfinished
    normal: Tensor = torch.from_numpy(fitted.coef_[0]).double() / spread
    if not bool(normal.any()):
        raise NoVariation(
            "the two sides do not differ", "check which token is read: pairs should differ there"
        )
    scale = normal.norm()
    intercept = float(fitted.intercept_[0]) - normal @ states.mean(0)
    return (normal / scale).float(), torch.stack([scale, intercept]).float()


def lda(x: Tensor, y: Tensor, shrinkage: float | None = None) -> Extraction:
    """v = Σ_w⁻¹ (μ_y − μ_x), per layer: Fisher's discriminant, which discounts what each side varies in anyway.

    Σ_w = (1 − ρ) S + ρ (tr S / D) I, S the covariance within the sides (N = n + m rows, each less its side's mean,
    divided by N). ``shrinkage`` ρ from 0 to 1; None: Ledoit and Wolf's (2004) estimate, a layer each. With ρ = 1, v is
    a multiple of the mean difference. Not in the units of the states: steer with ``unit = residual`` or ``unit``.

    x ``[n, L, D]``, y ``[m, L, D]``. Needs two states a side. Raises TooFewPairs, NoVariation, NumericsError (S is
    singular and ρ is 0).
    """
    _check_sides("lda", x, y)
    directions = [_lda_layer(x[:, layer], y[:, layer], shrinkage) for layer in range(x.shape[1])]
    return _with_separation(torch.stack(directions), x, y)


def _lda_layer(x: Tensor, y: Tensor, shrinkage: float | None) -> Tensor:
    x, y = x.double(), y.double()
    delta = y.mean(0) - x.mean(0)
    within = torch.cat([x - x.mean(0), y - y.mean(0)])
    rows, width = within.shape
    scale = within.square().sum() / (rows * width)  # tr S / D
    if scale.sqrt() <= _rounding(torch.cat([x, y])).max():
        raise NoVariation(
            "neither side varies, so there is no covariance to divide by",
            "give demonstrations that differ among themselves, or use mean_difference",
        )
    by_rows = rows < width
    product = within @ within.T if by_rows else within.T @ within
    rho = _ledoit_wolf(within, product) if shrinkage is None else shrinkage
    ridge = rho * scale
    if by_rows and rho > 0:
        # (aI + cRᵀR)⁻¹δ = (δ − Rᵀ(a/c I + RRᵀ)⁻¹Rδ)/a: a system of as many unknowns as rows.
        small = product.mul_(1 - rho)
        small.diagonal().add_(ridge * rows)
        inner = torch.cholesky_solve((within @ delta)[:, None], torch.linalg.cholesky(small))[:, 0]
        found: Tensor = (delta - (1 - rho) * within.T @ inner) / ridge
        return found.float()
    matrix = (within.T @ within if by_rows else product).mul_((1 - rho) / rows)
    matrix.diagonal().add_(ridge)
    factor, failed = torch.linalg.cholesky_ex(matrix)
    if int(failed) or factor.diagonal().min() <= 1e-7 * factor.diagonal().max():
        raise NumericsError(
            f"the covariance of {rows} states of width {width} is singular",
            "leave `shrinkage` out (Ledoit-Wolf), or give one above 0",
        )
    return torch.cholesky_solve(delta[:, None], factor)[:, 0].float()


def ledoit_wolf(centred: Tensor) -> float:
    """The shrinkage towards (tr S / D) I that Ledoit and Wolf (2004) estimate from centred rows ``[N, D]``; 0 to 1.

    ρ = min(β, δ)/δ with δ = ‖S − μI‖²/D, β = (1/D N) (Σ_i ‖r_i‖⁴/N − ‖S‖²), μ = tr S / D, S = RᵀR/N.
    """
    rows, width = centred.shape
    return _ledoit_wolf(centred, centred @ centred.T if rows < width else centred.T @ centred)


def _ledoit_wolf(centred: Tensor, product: Tensor) -> float:
    """`ledoit_wolf`, given either product of the rows with themselves: RRᵀ and RᵀR have one norm."""
    rows, width = centred.shape
    squared = float(product.square().sum()) / rows**2  # ‖S‖²
    lengths = centred.square().sum(1)
    trace = float(lengths.sum()) / rows
    delta = (squared - trace**2 / width) / width
    beta = (float(lengths.square().sum()) / rows - squared) / (width * rows)
    return 0.0 if min(beta, delta) <= 0 else min(beta, delta) / delta


def _rounding(states: Tensor) -> Tensor:
    """What float32 rounding alone makes of a feature that is constant, ``[D]``."""
    return torch.finfo(torch.float32).eps * states.abs().amax(0)


def _with_separation(directions: Tensor, x: Tensor, y: Tensor) -> Extraction:
    unit = torch.nn.functional.normalize(directions.double(), dim=-1, eps=1e-300)
    shares = [_separation(x[:, i].double() @ v, y[:, i].double() @ v) for i, v in enumerate(unit)]
    return Extraction(directions, torch.tensor(shares))


def _separation(x: Tensor, y: Tensor) -> float:
    """η²: the share of the variance of two sides' projections ``[n]``, ``[m]`` that lies between their means."""
    both = torch.cat([x, y])
    total = float((both - both.mean()).square().sum())
    within = float((x - x.mean()).square().sum() + (y - y.mean()).square().sum())
    return float("nan") if total == 0 else 1 - within / total


def _check_sides(method: str, x: Tensor, y: Tensor) -> None:
    check_states(x, y, paired=False)
    fewest = min(x.shape[0], y.shape[0])
    if fewest < 2:
        raise TooFewPairs(method, fewest, 2)
