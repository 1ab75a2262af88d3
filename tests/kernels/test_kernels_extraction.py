"""Directions: formulas on small tensors, signs, laws, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA
from torch import Tensor

from steerlang.kernels.errors import NoVariation, NumericsError, ShapeMismatch, TooFewPairs
from steerlang.kernels.extraction import icv, mean_difference, pca

torch.set_num_threads(1)
# Runs share their processors: how long an example takes says nothing.
STEADY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def pairs(seed: int, n: int = 6, rows: int = 3, width: int = 5, shift: float = 1.0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, rows, width, generator=generator)
    y = (
        x
        + shift * torch.randn(rows, width, generator=generator)
        + torch.randn(n, rows, width, generator=generator)
    )
    return x, y


def test_mean_difference_points_from_x_to_y() -> None:
    x = torch.tensor([[[0.0, 0.0]], [[2.0, 0.0]]])
    y = torch.tensor([[[1.0, 3.0]], [[3.0, 5.0]]])
    found = mean_difference(x, y)
    assert found.directions.tolist() == [[1.0, 4.0]]
    # Δ = (1, 3), (1, 5): along (1, 4)/√17 lie 13²/17 and 21²/17 of 10 and 26.
    assert found.variance_explained[0] == pytest.approx((13**2 + 21**2) / 17 / 36)


def test_mean_difference_takes_unpaired_sides() -> None:
    x, y = pairs(0)
    found = mean_difference(x[:4], y)
    torch.testing.assert_close(found.directions, y.mean(0) - x[:4].mean(0))
    assert found.variance_explained.isnan().all()


def test_pca_centred_is_that_of_sklearn() -> None:
    x, y = pairs(1, n=8)
    found = pca(x, y, centre="mean")
    for layer in range(3):
        fit = PCA(1).fit((y - x)[:, layer].double().numpy())
        cosine = float(np.dot(fit.components_[0], found.directions[layer].numpy()))
        assert abs(cosine) == pytest.approx(1.0, abs=1e-6)
        assert found.variance_explained[layer] == pytest.approx(fit.explained_variance_ratio_[0], rel=1e-5)


def test_pca_uncentred_is_the_axis_of_largest_projection() -> None:
    x, y = pairs(2)
    v = pca(x, y, centre="none").directions
    delta = (y - x).double()
    best = torch.einsum("nld,ld->nl", delta, v.double()).square().sum(0)
    for layer in range(3):
        largest = torch.linalg.eigvalsh(delta[:, layer].T @ delta[:, layer])[-1]
        assert float(best[layer]) == pytest.approx(float(largest), rel=1e-6)
    assert (torch.einsum("ld,ld->l", v.double(), delta.mean(0)) > 0).all()


def test_pairwise_is_pca_of_both_sides_about_their_midpoints() -> None:
    x, y = pairs(3)
    v = pca(x, y, centre="pairwise").directions
    for layer in range(3):
        middle = (x + y)[:, layer] / 2
        rows = torch.cat([y[:, layer] - middle, x[:, layer] - middle]).double().numpy()
        assert abs(np.dot(PCA(1).fit(rows).components_[0], v[layer].numpy())) == pytest.approx(1.0, abs=1e-6)


def test_signs_by_majority_and_ties_by_the_mean() -> None:
    """Three small steps one way outvote a large one the other way in `mean` and `pairwise`, not in `none`."""
    delta = torch.tensor([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [-9.0, 0.0]])[:, None]
    x = torch.zeros_like(delta)
    assert pca(x, delta, centre="none").directions[0, 0] == pytest.approx(-1)
    assert pca(x, delta, centre="pairwise").directions[0, 0] == pytest.approx(1)
    assert pca(x, delta, centre="mean").directions[0, 0] == pytest.approx(1)
    tie = torch.tensor([[1.0, 0.0], [-9.0, 0.0]])[:, None]
    assert pca(x[:2], tie, centre="pairwise").directions[0, 0] == pytest.approx(-1)


@settings(STEADY, max_examples=25)
@given(
    seed=st.integers(0, 10_000),
    swap=st.sampled_from(["none", "mean", "pairwise", "icv", "paper", "mean_difference"]),
)
def test_swapping_the_sides_turns_the_direction_round(seed: int, swap: str) -> None:
    x, y = pairs(seed, shift=3.0)
    if swap == "mean_difference":
        there, back = mean_difference(x, y).directions, mean_difference(y, x).directions
    elif swap == "paper":
        there, back = icv(x, y, "paper").directions, icv(y, x, "paper").directions
    elif swap == "icv":
        there, back = icv(x, y).directions, icv(y, x).directions
    else:
        there, back = pca(x, y, swap).directions, pca(y, x, swap).directions  # type: ignore[arg-type]
    torch.testing.assert_close(there, -back, rtol=1e-4, atol=1e-5)


@settings(STEADY, max_examples=25)
@given(seed=st.integers(0, 10_000))
def test_the_order_of_demonstrations_does_not_matter(seed: int) -> None:
    x, y = pairs(seed)
    order = torch.randperm(6, generator=torch.Generator().manual_seed(seed))
    for extract in (mean_difference, pca, icv):
        torch.testing.assert_close(
            extract(x, y).directions, extract(x[order], y[order]).directions, rtol=1e-4, atol=1e-5
        )


def test_icv_is_the_mean_plus_signed_components() -> None:
    x, y = pairs(5, n=7)
    delta = (y - x).reshape(7, -1).double()
    u, _, vh = torch.linalg.svd(delta - delta.mean(0), full_matrices=False)
    for rank in (1, 3):
        wanted = delta.mean(0)
        for r in range(rank):
            wanted = wanted + vh[r] * u[u[:, r].abs().argmax(), r].sign()
        torch.testing.assert_close(icv(x, y, rank=rank).directions, wanted.reshape(3, 5)[1:].float())


def test_icv_of_the_paper_is_one_unit_vector_over_all_rows() -> None:
    x, y = pairs(6)
    delta = (y - x).reshape(6, -1).double()
    first = torch.linalg.svd(delta)[2][0]
    first = first * (first @ delta.mean(0)).sign()
    torch.testing.assert_close(icv(x, y, "paper").directions, first.reshape(3, 5)[1:].float())


def test_what_is_refused() -> None:
    x, y = pairs(7)
    with pytest.raises(TooFewPairs, match="icv needs at least 3 demonstrations, 2 given"):
        icv(x[:2], y[:2])
    with pytest.raises(NumericsError, match="rank 6 from 6"):
        icv(x, y, rank=6)
    with pytest.raises(NumericsError, match="rank 1"):
        icv(x, y, "paper", rank=2)
    with pytest.raises(ShapeMismatch, match="pairs"):
        pca(x[:3], y)
    with pytest.raises(ShapeMismatch, match="both be"):
        mean_difference(x, y[..., :4])
    with pytest.raises(TooFewPairs, match="pca with centre mean"):
        pca(x[:1], y[:1], centre="mean")
    with pytest.raises(NoVariation) as flat:
        pca(x, x + 1.0, centre="mean")
    assert flat.value.row == 0
    with pytest.raises(NoVariation):
        icv(x, x + 1.0)
    with pytest.raises(NoVariation) as flat:
        pca(x, torch.stack([y[:, 0], x[:, 1], y[:, 2]], 1))
    assert flat.value.row == 1
