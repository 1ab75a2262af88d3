"""Agreement with the published code of concept shifts (xl-vlms at a599fe9, scikit-learn 1.5.2)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from steerlang.kernels import concepts, shifts
from steerlang.kernels.steering import add_masked
from steerlang.models.scopes import AllTokens, FromToken, GeneratedTokens, PassView, TokenScope, Whole

HERE = Path(__file__).parent / "xlvlms"
Arrays = Mapping[str, NDArray[Any]]


@pytest.fixture(scope="module")
def oracle() -> Arrays:
    with np.load(HERE / "fixtures.npz") as found:
        return {name: found[name] for name in found.files}


def order(found: NDArray[Any], wanted: NDArray[Any]) -> NDArray[np.int64]:
    """For each wanted row the nearest one found; each is taken once."""
    distances = np.linalg.norm(wanted[:, None] - found[None], axis=-1)
    rows = distances.argmin(axis=1)
    assert sorted(rows.tolist()) == list(range(len(wanted)))
    return rows


def test_kmeans(oracle: Arrays) -> None:
    made = concepts.kmeans(oracle["Z"], 4, seed=0)
    rows = order(made.components, oracle["kmeans_concepts"])
    np.testing.assert_allclose(made.components[rows], oracle["kmeans_concepts"], atol=1e-5)
    np.testing.assert_allclose(made.activations[:, rows], oracle["kmeans_acts"], atol=1e-5)
    projected = concepts.closeness(oracle["Zb"], made.components)
    np.testing.assert_allclose(projected[:, rows], oracle["kmeans_project_Zb"], atol=1e-5)


def test_pca(oracle: Arrays) -> None:
    made = concepts.pca(oracle["Z"], 4, seed=0)
    np.testing.assert_allclose(made.components, oracle["pca_concepts"], atol=1e-5)
    np.testing.assert_allclose(made.activations, oracle["pca_acts"], atol=1e-5)
    projected = concepts.centred_products(oracle["Zb"], made.components, made.offset)
    np.testing.assert_allclose(projected, oracle["pca_project_Zb"], atol=1e-5)


def test_snmf(oracle: Arrays) -> None:
    made = concepts.snmf(oracle["Z"], 4, seed=0)
    rows = order(made.components, oracle["snmf_concepts"])
    np.testing.assert_allclose(made.components[rows], oracle["snmf_concepts"], atol=1e-3)
    scale = np.abs(oracle["snmf_acts"]).max()
    np.testing.assert_allclose(made.activations[:, rows] / scale, oracle["snmf_acts"] / scale, atol=1e-3)
    # The transform by itself, on the published dictionary.
    projected = concepts.sparse_codes(oracle["Zb"], oracle["snmf_concepts"], alpha=1.0)
    scale = np.abs(oracle["snmf_project_Zb"]).max()
    np.testing.assert_allclose(projected / scale, oracle["snmf_project_Zb"] / scale, atol=1e-3)


def test_largest_norm_stands_in_the_opposite_order(oracle: Arrays) -> None:
    made = concepts.largest_norm(oracle["Z"], 4, seed=0)
    np.testing.assert_array_equal(made.components[::-1], oracle["simple_concepts"])
    np.testing.assert_allclose(made.activations[:, ::-1], oracle["simple_acts"], atol=1e-5)
    projected = concepts.closeness(oracle["Zb"], made.components)
    np.testing.assert_allclose(projected[:, ::-1], oracle["simple_project_Zb"], atol=1e-5)


@pytest.fixture(scope="module")
def common(oracle: Arrays) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.int64]]:
    """States of the samples found in both models, and the concept of each."""
    found_a, found_b = oracle["mask_a"], oracle["mask_b"]
    both = found_a & found_b
    activations = np.zeros((len(both), 4), np.float32)
    activations[found_a] = oracle["VA"]
    return oracle["Z"][both], oracle["Zb"][both], shifts.assigned(activations[both], "argmax")


@pytest.mark.parametrize(
    ("reduce", "name"), [("mean", "delta"), ("median", "delta_mean_method2"), ("trimmed", "delta_mean_method3")]
)
def test_shift(oracle: Arrays, common: Any, reduce: str, name: str) -> None:
    a, b, concept = common
    np.testing.assert_allclose(shifts.shift(a, b, concept, 4, reduce).delta, oracle[name], atol=1e-5)


def test_statistics_and_shifted(oracle: Arrays, common: Any) -> None:
    a, b, concept = common
    made = shifts.shift(a, b, concept, 4)
    np.testing.assert_allclose(made.consistency, oracle["shift_pair_cos"], atol=1e-5)
    np.testing.assert_allclose(made.alignment, oracle["shift_cos_to_mean"], atol=1e-5)
    np.testing.assert_allclose(made.magnitude, oracle["shift_mag"], atol=1e-5)
    np.testing.assert_allclose(oracle["UA"] + made.delta, oracle["shifted"], atol=1e-5)


def test_matching_and_recovery(oracle: Arrays) -> None:
    u, moved, to = oracle["UA"], oracle["shifted"], oracle["UB"]
    np.testing.assert_allclose(shifts.cosines(u, to), oracle["cosine"], atol=1e-5)
    match = shifts.matched(u, to)
    np.testing.assert_array_equal(match, oracle["match"])
    before, after = shifts.nearness(u, to[match]), shifts.nearness(moved, to[match])
    gain = before.distance - after.distance
    np.testing.assert_allclose(gain, oracle["improved_distance"], atol=1e-5)
    np.testing.assert_allclose(gain / before.distance, oracle["norm_improved_distance"], atol=1e-5)
    cosine = after.cosine - before.cosine
    np.testing.assert_allclose(cosine, oracle["improved_cosine"], atol=1e-5)
    np.testing.assert_allclose(cosine / before.cosine, oracle["norm_improved_cosine"], atol=1e-5)


def test_coarse_and_fine_vectors(oracle: Arrays) -> None:
    """The published `i_to_j` is U_i − U_j; ours from i to j is u_j − u_i."""
    coarse = oracle["Zb"].mean(0, dtype=np.float64) - oracle["Z"].mean(0, dtype=np.float64)
    np.testing.assert_allclose(coarse, oracle["coarse"], atol=1e-5)
    u = oracle["kmeans_concepts"]
    np.testing.assert_allclose(u[None, :] - u[:, None], -oracle["fine_all_pairs"], atol=1e-5)


def test_overlap_of_words_counts_sets() -> None:
    """The published count keeps duplicates (0.0694); of sets it is 2 · ½ / 12."""
    given = json.loads((HERE / "fixtures.json").read_text())["overlap"]
    matrix = shifts.dictionary_overlap(given["words"])
    off = matrix[~np.eye(4, dtype=bool)]
    assert off.mean() == pytest.approx(1 / 12)
    assert given["metric"] == pytest.approx((1 / 3 + 1 / 2) / 12)
    np.testing.assert_allclose(np.diag(matrix), [1, 1, 0, 1])


# The published `last` steers the last position of every pass, which is what ours calls generated; the published
# `only_gen` leaves out the position that produces the first new token, so its first pass has no counterpart here.
POLICIES: list[tuple[str, str, TokenScope]] = [
    ("all", "prefill", AllTokens()),
    ("all", "decode", AllTokens()),
    ("last", "prefill", GeneratedTokens()),
    ("last", "decode", GeneratedTokens()),
    ("only_gen", "decode", GeneratedTokens()),
    ("start2", "prefill", FromToken(2)),
    ("start2", "decode", FromToken(2)),
]


@pytest.mark.parametrize(("policy", "phase", "scope"), POLICIES)
def test_steered_tokens(oracle: Arrays, policy: str, phase: str, scope: TokenScope) -> None:
    given = torch.from_numpy(oracle["steer_in"])
    length = given.shape[1]
    first = phase == "prefill"
    h = given if first else given[:, :1]
    positions = torch.arange(length)[None] if first else torch.tensor([[length]])
    answer = scope.answer(PassView(positions, torch.tensor([[length]]), after_prompt=not first))
    where = torch.ones(h.shape[:2]) if isinstance(answer, Whole) else answer.float()
    found = add_masked(h, 1.5 * torch.from_numpy(oracle["coarse"]), where[..., None])
    np.testing.assert_allclose(found.numpy(), oracle[f"steer_{policy}_{phase}"], atol=1e-5)
