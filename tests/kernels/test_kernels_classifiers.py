"""Probes, discriminants and LAT against scikit-learn and numpy, and their laws."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.covariance import LedoitWolf, ledoit_wolf_shrinkage
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from steerlang.kernels.classifiers import lda, ledoit_wolf, probe
from steerlang.kernels.errors import NoVariation, NumericsError, ShapeMismatch, TooFewPairs
from steerlang.kernels.extraction import mean_difference
from steerlang.kernels.lat import lat

torch.set_num_threads(1)
STEADY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def sides(
    seed: int, n: int = 20, m: int = 26, layers: int = 2, width: int = 6, shift: float = 1.5
) -> tuple[Tensor, Tensor]:
    """Two sides whose features differ in scale by a factor of 50."""
    generator = torch.Generator().manual_seed(seed)
    scales = torch.logspace(-0.7, 1.0, width)
    x = torch.randn(n, layers, width, generator=generator) * scales
    y = torch.randn(m, layers, width, generator=generator) * scales
    return x, y + shift * torch.randn(layers, width, generator=generator) * scales


def cosine(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


@pytest.mark.parametrize("c", [0.01, 1.0, 30.0])
@pytest.mark.parametrize("width", [6, 90])
def test_a_probe_is_the_regression_of_sklearn_by_another_solver(c: float, width: int) -> None:
    x, y = sides(0, width=width)
    found = probe(x, y, c=c).directions.numpy().astype(float)
    labels = np.r_[np.zeros(len(x)), np.ones(len(y))]
    for layer in range(2):
        rows = torch.cat([x, y])[:, layer].double().numpy()
        fit = make_pipeline(StandardScaler(), LogisticRegression(C=c, solver="newton-cg", tol=1e-10, max_iter=10_000))
        fit.fit(rows, labels)
        normal = fit[1].coef_[0] / fit[0].scale_
        assert cosine(found[layer], normal) == pytest.approx(1, abs=1e-4)
        assert np.linalg.norm(found[layer]) == pytest.approx(1, abs=1e-6)


def test_the_gradient_of_the_probes_objective_is_zero() -> None:
    """From the formula alone: the direction in standardised units is stationary for some length."""
    x, y = sides(1, layers=1)
    v = probe(x, y).directions[0].double()
    states = torch.cat([x, y])[:, 0].double()
    z = (states - states.mean(0)) / states.std(0, correction=0)
    t = torch.cat([-torch.ones(len(x)), torch.ones(len(y))]).double()
    w_unit = torch.nn.functional.normalize(v * states.std(0, correction=0), dim=0)
    free = torch.zeros(2, dtype=torch.float64, requires_grad=True)  # length and offset
    optimiser = torch.optim.LBFGS([free], max_iter=500, tolerance_grad=1e-12, line_search_fn="strong_wolfe")

    def loss(w: Tensor, b: Tensor) -> Tensor:
        return 0.5 * w @ w + torch.nn.functional.softplus(-t * (z @ w + b)).sum()

    def step() -> Tensor:
        optimiser.zero_grad()
        value = loss(free[0] * w_unit, free[1])
        value.backward()
        return value

    optimiser.step(step)
    w = (free[0].detach() * w_unit).requires_grad_(True)
    loss(w, free[1].detach()).backward()
    assert w.grad is not None
    assert float(w.grad.norm()) < 1e-2
    assert float(free.detach()[0]) > 0


@pytest.mark.parametrize(("n", "width"), [(40, 6), (12, 90)])
@pytest.mark.parametrize("shrinkage", [None, 0.3, 1.0])
def test_lda_divides_by_the_covariance_within_the_sides(n: int, width: int, shrinkage: float | None) -> None:
    x, y = sides(2, n=n, m=n + 3, width=width)
    found = lda(x, y, shrinkage).directions.numpy().astype(float)
    for layer in range(2):
        a, b = x[:, layer].double().numpy(), y[:, layer].double().numpy()
        within = np.r_[a - a.mean(0), b - b.mean(0)]
        if shrinkage is None:
            covariance = LedoitWolf(assume_centered=True).fit(within).covariance_
        else:
            plain = within.T @ within / len(within)
            covariance = (1 - shrinkage) * plain + shrinkage * np.trace(plain) / width * np.eye(width)
        wanted = np.linalg.solve(covariance, b.mean(0) - a.mean(0))
        np.testing.assert_allclose(found[layer], wanted, rtol=1e-4, atol=1e-5 * np.abs(wanted).max())


@STEADY
@given(st.integers(0, 10_000), st.integers(3, 30), st.integers(2, 30))
def test_the_shrinkage_is_that_of_sklearn(seed: int, rows: int, width: int) -> None:
    centred = torch.randn(rows, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    wanted = ledoit_wolf_shrinkage(centred.numpy(), assume_centered=True)
    assert ledoit_wolf(centred) == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize("method", [probe, lda, lat])
def test_directions_point_from_source_to_target_and_turn_round_with_the_sides(method: object) -> None:
    x, y = sides(3, n=30, m=30, shift=3.0)
    there, back = method(x, y).directions, method(y, x).directions  # type: ignore[operator]
    delta = mean_difference(x, y).directions
    assert ((there * delta).sum(-1) > 0).all()
    assert ((back * delta).sum(-1) < 0).all()
    if method is not lat:  # the same shuffle pairs other states when the sides are exchanged
        torch.testing.assert_close(there, -back, rtol=1e-3, atol=1e-4)


@STEADY
@given(st.integers(0, 10_000), st.floats(0.1, 10), st.integers(0, 5))
def test_what_a_probe_separates_by_does_not_depend_on_the_scale_of_a_feature(seed: int, factor: float, at: int) -> None:
    x, y = sides(seed, layers=1)
    scale = torch.ones(6)
    scale[at] = factor
    plain, scaled = probe(x, y).directions[0], probe(x * scale, y * scale).directions[0]
    assert cosine((plain / scale).double().numpy(), scaled.double().numpy()) == pytest.approx(1, abs=1e-4)


@STEADY
@given(st.integers(0, 10_000))
def test_lda_follows_a_linear_map_of_the_states(seed: int) -> None:
    """Without shrinkage v·h does not depend on the basis: v maps by the inverse transpose."""
    x, y = sides(seed, n=40, m=40, layers=1)
    mix = torch.eye(6) + 0.3 * torch.randn(6, 6, generator=torch.Generator().manual_seed(seed))
    if float(torch.linalg.cond(mix)) > 30:
        return
    plain = lda(x, y, 0.0).directions[0].double()
    mapped = lda(x @ mix.T, y @ mix.T, 0.0).directions[0].double()
    torch.testing.assert_close(mix.T.double() @ mapped, plain, rtol=1e-2, atol=1e-3 * float(plain.abs().max()))


def test_lda_finds_a_direction_that_the_mean_difference_drowns() -> None:
    """One feature separates cleanly and moves little; another moves more and varies far more."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(200, 1, 2, generator=generator) * torch.tensor([0.1, 10.0])
    y = torch.randn(200, 1, 2, generator=generator) * torch.tensor([0.1, 10.0]) + torch.tensor([1.0, 3.0])
    by_lda = torch.nn.functional.normalize(lda(x, y).directions[0], dim=0)
    by_mean = torch.nn.functional.normalize(mean_difference(x, y).directions[0], dim=0)
    assert by_lda[0] > 0.99
    assert by_mean[0] < 0.5


def test_the_share_explained_is_that_between_the_sides() -> None:
    x = torch.tensor([[0.0], [2.0]])[:, None]
    y = torch.tensor([[4.0], [6.0]])[:, None]
    # Projections 0 2 | 4 6: total 20, within 2 + 2.
    assert lda(x, y).variance_explained.item() == pytest.approx(0.8)
    assert probe(x, y).variance_explained.item() == pytest.approx(0.8)


def test_lat_is_the_principal_direction_of_unit_differences_of_shuffled_states() -> None:
    x, y = sides(4, n=11, m=11)
    found = lat(x, y, seed=5)
    order = torch.randperm(22, generator=torch.Generator().manual_seed(5)).numpy()
    states = np.r_[x.numpy(), y.numpy()].astype(float)
    for layer in range(2):
        delta = states[order[:11], layer] - states[order[11:], layer]
        delta /= np.linalg.norm(delta, axis=1, keepdims=True)
        _, s, vh = np.linalg.svd(delta)
        votes = np.sign((y - x)[:, layer].numpy().astype(float) @ vh[0]).sum()
        np.testing.assert_allclose(found.directions[layer], vh[0] * np.sign(votes), atol=1e-5)
        assert found.variance_explained[layer] == pytest.approx(s[0] ** 2 / (s**2).sum(), rel=1e-5)


def test_lat_of_the_demonstrations_pairs_what_the_data_pairs() -> None:
    x, y = sides(5, n=9, m=9)
    delta = (y - x).numpy().astype(float)
    delta /= np.linalg.norm(delta, axis=-1, keepdims=True)
    for seed in (0, 1):
        found = lat(x, y, pairing="demonstrations", seed=seed).directions
        for layer in range(2):
            assert abs(cosine(found[layer].numpy(), np.linalg.svd(delta[:, layer])[2][0])) == pytest.approx(1, abs=1e-6)


def test_lat_depends_on_the_seed_and_on_nothing_else() -> None:
    x, y = sides(6, n=8, m=8)
    assert torch.equal(lat(x, y, seed=1).directions, lat(x, y, seed=1).directions)
    assert not torch.allclose(lat(x, y, seed=1).directions, lat(x, y, seed=2).directions, atol=1e-3)
    torch.testing.assert_close(lat(x[:, :1], y[:, :1], seed=1).directions, lat(x, y, seed=1).directions[:1])


def test_mean_difference_and_probe_agree_on_well_separated_sides_and_pca_need_not() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(400, 1, 16, generator=generator)
    y = torch.randn(400, 1, 16, generator=generator) + 0.5
    a, b = mean_difference(x, y).directions[0].double().numpy(), probe(x, y, c=0.01).directions[0].double().numpy()
    assert cosine(a, b) > 0.97


def test_what_is_refused() -> None:
    x, y = sides(7)
    for method in (probe, lda, lat):
        with pytest.raises(TooFewPairs, match="at least 2"):
            method(x[:1], y[:1])
        with pytest.raises(ShapeMismatch):
            method(x, y[..., :3])
    same = torch.ones(4, 1, 6)
    with pytest.raises(NoVariation, match="do not differ"):
        probe(same, same)
    with pytest.raises(NoVariation, match="neither side varies"):
        lda(same, same + 1)
    with pytest.raises(NoVariation):
        lat(same, same)
    with pytest.raises(NumericsError, match="singular"):
        lda(*sides(8, n=3, m=3, width=40), shrinkage=0.0)
    with pytest.raises(ShapeMismatch, match="pairs"):
        lat(x, y, pairing="demonstrations")
