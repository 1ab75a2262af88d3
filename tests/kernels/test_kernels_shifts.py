"""Shifts of concepts: laws, statistics against pairs taken one by one, matching, correlation."""

from __future__ import annotations

from itertools import combinations, permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import pearsonr, spearmanr, trim_mean

from steerlang.kernels import concepts, shifts
from steerlang.kernels.errors import NumericsError

seeds = st.integers(0, 10_000)


def two_models(seed: int, n: int = 30, width: int = 5) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(n, width)) * 3
    return a.astype(np.float32), (a + rng.normal(size=(n, width)) + 1).astype(np.float32)


def cosine(x: Any, y: Any) -> float:
    return float(x @ y / np.linalg.norm(x) / np.linalg.norm(y))


@settings(max_examples=25, deadline=None)
@given(seeds)
def test_a_centroid_shifted_whole_is_the_mean_of_the_states_after(seed: int) -> None:
    """With k-means, α = 1 and all samples in both models: u_k + Δ_k is the mean of b over A_k."""
    a, b = two_models(seed)
    made = concepts.kmeans(a, 3, 0, 10)
    concept = shifts.assigned(made.activations, "argmax")
    moved = made.components + shifts.shift(a, b, concept, 3).delta
    for k in range(3):
        # Lloyd's algorithm ends where no state changes its centroid, so U is the mean of a over A_k.
        np.testing.assert_allclose(moved[k], b[concept == k].mean(0), atol=1e-4)


@settings(max_examples=25, deadline=None)
@given(seeds, st.sampled_from(["mean", "median", "trimmed"]), st.floats(0.1, 10))
def test_samples_in_another_order_and_states_in_another_unit(seed: int, reduce: str, scale: float) -> None:
    a, b = two_models(seed)
    concept = np.random.default_rng(seed).integers(0, 4, len(a))
    found = shifts.shift(a, b, concept, 4, reduce)
    turned = np.random.default_rng(seed + 1).permutation(len(a))
    same = shifts.shift(a[turned], b[turned], concept[turned], 4, reduce)
    np.testing.assert_allclose(same.delta, found.delta, atol=1e-4)
    np.testing.assert_allclose(same.consistency, found.consistency, atol=1e-6)
    scaled = shifts.shift(np.float32(scale) * a, np.float32(scale) * b, concept, 4, reduce)
    np.testing.assert_allclose(scaled.delta, scale * found.delta, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(scaled.alignment, found.alignment, atol=1e-3)


def test_statistics_pair_by_pair() -> None:
    a, b = two_models(3)
    concept = np.arange(len(a)) % 3
    found = shifts.shift(a, b, concept, 3)
    for k in range(3):
        d = (b - a)[concept == k].astype(float)
        assert found.consistency[k] == pytest.approx(np.mean([cosine(x, y) for x, y in combinations(d, 2)]))
        assert found.alignment[k] == pytest.approx(np.mean([cosine(x, d.mean(0)) for x in d]), abs=1e-6)
        assert found.magnitude[k] == pytest.approx(np.linalg.norm(d.mean(0)), rel=1e-6)


def test_reductions_are_of_each_side() -> None:
    a, b = two_models(4, n=21)
    concept = np.zeros(21, np.int64)
    median = np.median(b.astype(float), 0) - np.median(a.astype(float), 0)
    np.testing.assert_allclose(shifts.shift(a, b, concept, 1, "median").delta[0], median, rtol=1e-5)
    trimmed = trim_mean(b.astype(float), 0.1, 0) - trim_mean(a.astype(float), 0.1, 0)
    np.testing.assert_allclose(shifts.shift(a, b, concept, 1, "trimmed").delta[0], trimmed, rtol=1e-5)


def test_concepts_without_samples_and_with_one() -> None:
    a, b = two_models(5, n=4)
    found = shifts.shift(a, b, np.array([0, 0, 0, 2]), 4)
    assert found.counts.tolist() == [3, 0, 1, 0]
    assert not found.delta[[1, 3]].any()
    assert np.isnan(found.consistency[1:]).all()
    assert np.isnan(found.alignment[[1, 3]]).all()
    assert found.alignment[2] == pytest.approx(1)
    assert found.magnitude[[1, 3]].tolist() == [0, 0]


def test_samples_that_stay_have_cosine_zero() -> None:
    a, b = two_models(6, n=3)
    b[0] = a[0]
    found = shifts.shift(a, b, np.zeros(3, np.int64), 1)
    d = (b - a).astype(float)
    assert found.consistency[0] == pytest.approx(cosine(d[1], d[2]) / 3)


def test_assignment_by_value_and_by_magnitude() -> None:
    v = np.array([[0.5, -2.0], [1.0, 1.0]], np.float32)
    assert shifts.assigned(v, "argmax").tolist() == [0, 0]
    assert shifts.assigned(v, "argmax_abs").tolist() == [1, 0]


def test_shapes_must_agree() -> None:
    a, b = two_models(7)
    with pytest.raises(NumericsError, match="shapes"):
        shifts.shift(a, b[:-1], np.zeros(len(a), np.int64), 1)


@settings(max_examples=25, deadline=None)
@given(seeds)
def test_matching_is_the_best_of_all_permutations(seed: int) -> None:
    rng = np.random.default_rng(seed)
    u, w = (rng.normal(size=(4, 3)).astype(np.float32) for _ in range(2))
    similar = shifts.cosines(u, w)
    best = max(sum(similar[i, p[i]] for i in range(4)) for p in permutations(range(4)))
    match = shifts.matched(u, w)
    assert sorted(match.tolist()) == [0, 1, 2, 3]
    assert similar[np.arange(4), match].sum() == pytest.approx(best)
    nearest = shifts.matched(u, w, "nearest")
    assert similar[np.arange(4), nearest].sum() >= best - 1e-9


def test_more_concepts_than_partners() -> None:
    u, w = np.eye(3, dtype=np.float32), np.eye(3, dtype=np.float32)[:2]
    with pytest.raises(NumericsError, match="3 concepts cannot each have one of 2"):
        shifts.matched(u, w)
    assert shifts.matched(w, u).tolist() == [0, 1]


def test_overlaps() -> None:
    assert shifts.overlap(["a", "b"], ["b", "c"]) == 0.5
    assert np.isnan(shifts.overlap(["a"], []))
    assert shifts.dictionary_overlap([["a", "b"], ["b"], []]).tolist() == [[1, 0.5, 0], [1, 1, 0], [0, 0, 0]]


@settings(max_examples=25, deadline=None)
@given(seeds)
def test_correlations_are_those_of_scipy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 6, 12).astype(float)
    y = x + rng.normal(size=12)
    if len(set(x)) == 1:
        return
    assert shifts.correlation(x, y) == pytest.approx(pearsonr(x, y).statistic)
    assert shifts.correlation(x, y, "spearman") == pytest.approx(spearmanr(x, y).statistic)


def test_correlation_leaves_out_what_is_no_number() -> None:
    nan = float("nan")
    assert shifts.correlation([1, 2, nan, 4], [2, 4, 100, 8]) == pytest.approx(1)
    assert np.isnan(shifts.correlation([1, nan], [1, 2]))
    assert np.isnan(shifts.correlation([1, 1], [1, 2]))
