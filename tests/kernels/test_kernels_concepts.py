"""Dictionaries of states: what each method finds, its activations, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.decomposition import NMF

from steerlang.kernels import concepts
from steerlang.kernels.errors import NumericsError, TooFewStates


def states(n: int = 40, width: int = 6, seed: int = 0, groups: int = 4) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    centres = rng.normal(scale=6, size=(groups, width))
    return np.asarray(centres[rng.integers(0, groups, n)] + rng.normal(size=(n, width)), dtype=np.float32)


METHODS: dict[str, Callable[..., concepts.Decomposition]] = {
    "kmeans": concepts.kmeans,
    "snmf": concepts.snmf,
    "pca": concepts.pca,
    "nmf": lambda z, k, seed: concepts.nmf(z, k, seed, "clip"),
    "largest_norm": concepts.largest_norm,
}


@pytest.mark.parametrize("method", METHODS)
def test_shapes_and_seed(method: str) -> None:
    z = states()
    made, again = METHODS[method](z, 3, 1), METHODS[method](z, 3, 1)
    assert made.components.shape == (3, 6)
    assert made.activations.shape == (40, 3)
    assert made.components.dtype == made.activations.dtype == np.float32
    np.testing.assert_array_equal(made.components, again.components)
    assert made.explained <= 1


@pytest.mark.parametrize("method", METHODS)
def test_more_concepts_than_states(method: str) -> None:
    with pytest.raises(TooFewStates, match="3 states"):
        METHODS[method](states(3), 4, 0)


@pytest.mark.parametrize("method", ["kmeans", "snmf", "nmf", "largest_norm"])
def test_fewer_distinct_states_than_concepts(method: str) -> None:
    z = np.repeat(states(3), 5, axis=0)
    with pytest.raises(TooFewStates, match="only 3 of 15 states differ"):
        METHODS[method](z, 4, 0)


def test_signed_zeros_are_one_state() -> None:
    z = np.array([[0.0, 1.0], [-0.0, 1.0], [2.0, 2.0]], np.float32)
    with pytest.raises(TooFewStates, match="only 2 of 3"):
        concepts.kmeans(z, 3, 0)


def test_centroids_are_means_of_the_nearest_states() -> None:
    z = states()
    made = concepts.kmeans(z, 4, 0)
    nearest = np.linalg.norm(z[:, None] - made.components[None], axis=-1).argmin(1)
    np.testing.assert_array_equal(nearest, made.activations.argmax(1))
    for k in range(4):
        np.testing.assert_allclose(z[nearest == k].mean(0), made.components[k], atol=1e-4)
    left = sum(((z[nearest == k] - made.components[k]) ** 2).sum() for k in range(4))
    assert made.explained == pytest.approx(1 - left / ((z - z.mean(0)) ** 2).sum(), abs=1e-5)


def test_sparse_dictionary_minimises_its_objective() -> None:
    z = states()
    made = concepts.snmf(z, 3, 0, alpha=0.5)
    assert (made.activations >= 0).all()
    assert (np.linalg.norm(made.components, axis=1) <= 1 + 1e-5).all()

    def loss(v: NDArray[Any]) -> float:
        return float(0.5 * ((z - v @ made.components) ** 2).sum() + 0.5 * np.abs(v).sum())

    best = loss(made.activations)
    rng = np.random.default_rng(0)
    for _ in range(20):
        other = np.maximum(made.activations + rng.normal(scale=0.05, size=made.activations.shape), 0)
        assert loss(other) >= best - 1e-2 * abs(best)
    np.testing.assert_allclose(concepts.sparse_codes(z, made.components, 0.5), made.activations, atol=2e-2)


def test_principal_directions_are_orthonormal_and_signed() -> None:
    z = states()
    made = concepts.pca(z, 3, 0)
    np.testing.assert_allclose(made.components @ made.components.T, np.eye(3), atol=1e-5)
    largest = made.components[np.arange(3), np.abs(made.components).argmax(1)]
    assert (largest > 0).all()
    with pytest.raises(NumericsError, match="6 wide"):
        concepts.pca(z, 7, 0)


def test_nonnegative_factors() -> None:
    z = np.abs(states())
    made = concepts.nmf(z, 3, 0)
    assert (made.components >= 0).all()
    assert (made.activations >= 0).all()
    ours = np.linalg.norm(z - made.activations @ made.components)
    theirs = NMF(3, random_state=0, max_iter=1000).fit(z).reconstruction_err_
    assert ours == pytest.approx(theirs, rel=1e-3)
    codes = concepts.nonnegative_codes(z, made.components, "refuse")
    assert np.linalg.norm(z - codes @ made.components) <= ours * 1.001
    with pytest.raises(NumericsError, match="nowhere negative"):
        concepts.nmf(-z, 3, 0)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.floats(0.1, 10))
def test_scaled_states_have_scaled_centroids(seed: int, scale: float) -> None:
    z = states(seed=seed)
    made, scaled = concepts.kmeans(z, 3, 0, 2), concepts.kmeans(np.float32(scale) * z, 3, 0, 2)
    if np.array_equal(made.activations.argmax(1), scaled.activations.argmax(1)):  # rounding may break a tie
        np.testing.assert_allclose(scaled.components, scale * made.components, rtol=1e-3, atol=1e-3)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000))
def test_the_order_of_states_does_not_matter_to_projections(seed: int) -> None:
    z = states(seed=seed)
    turned = np.random.default_rng(seed).permutation(len(z))
    made = concepts.pca(z, 2, 0)
    for project in (
        lambda x: concepts.closeness(x, made.components),
        lambda x: concepts.centred_products(x, made.components, made.offset),
        lambda x: concepts.sparse_codes(x, made.components, 0.1),
    ):
        np.testing.assert_allclose(project(z[turned]), project(z)[turned], atol=1e-4)
