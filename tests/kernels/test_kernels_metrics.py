"""Divergence, likelihood, separability, intervals, and the extraction report."""

from __future__ import annotations

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score
from torch import Tensor

from steerlang.kernels.errors import NumericsError, ShapeMismatch
from steerlang.kernels.extraction import Extraction, icv, mean_difference, pca
from steerlang.kernels.metrics import auc, bootstrap_interval, kl_divergence, token_log_likelihoods
from steerlang.kernels.quality import quality

torch.set_num_threads(1)
# Runs share their processors: how long an example takes says nothing.
STEADY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def test_kl_is_torchs_and_zero_of_itself() -> None:
    generator = torch.Generator().manual_seed(0)
    p, q = torch.randn(2, 5, 11, generator=generator)
    wanted = torch.nn.functional.kl_div(
        q.log_softmax(-1), p.log_softmax(-1), log_target=True, reduction="none"
    ).sum(-1)
    torch.testing.assert_close(kl_divergence(p, q), wanted)
    assert torch.equal(kl_divergence(p, p), torch.zeros(5))
    assert not torch.allclose(kl_divergence(p, q), kl_divergence(q, p))
    with pytest.raises(ShapeMismatch):
        kl_divergence(p, q[:, :5])


def test_kl_where_p_rules_a_token_out() -> None:
    p = torch.tensor([0.0, -torch.inf])
    assert float(kl_divergence(p, torch.tensor([0.0, 0.0]))) == pytest.approx(0.6931472)
    assert float(kl_divergence(p, p)) == 0.0


@pytest.mark.parametrize("chunk", [1, 3, 100])
def test_token_log_likelihoods(chunk: int) -> None:
    generator = torch.Generator().manual_seed(1)
    logits = (5 * torch.randn(7, 13, generator=generator)).bfloat16()
    targets = torch.randint(0, 13, (7,), generator=generator)
    wanted = -torch.nn.functional.cross_entropy(logits.float(), targets, reduction="none")
    torch.testing.assert_close(token_log_likelihoods(logits, targets, chunk), wanted)
    assert token_log_likelihoods(logits[:0], targets[:0]).shape == (0,)


@settings(STEADY, max_examples=40)
@given(
    positive=st.lists(st.integers(-4, 4), min_size=1, max_size=12),
    negative=st.lists(st.integers(-4, 4), min_size=1, max_size=12),
)
def test_auc_is_sklearns_with_ties(positive: list[int], negative: list[int]) -> None:
    labels = [1] * len(positive) + [0] * len(negative)
    assert auc(torch.tensor(positive), torch.tensor(negative)) == pytest.approx(
        roc_auc_score(labels, positive + negative)
    )


def test_auc_needs_both_kinds() -> None:
    with pytest.raises(NumericsError):
        auc(torch.tensor([1.0]), torch.tensor([]))


def test_bootstrap_is_seeded_holds_the_mean_and_narrows() -> None:
    values = torch.randn(400, generator=torch.Generator().manual_seed(2))
    low, high = bootstrap_interval(values, seed=3)
    assert (low, high) == bootstrap_interval(values, seed=3)
    assert (low, high) != bootstrap_interval(values, seed=4)
    assert low < float(values.mean()) < high
    # The normal interval of a mean: ±1.96 σ/√n.
    assert high - low == pytest.approx(2 * 1.96 * float(values.std()) / 20, rel=0.1)
    narrow = bootstrap_interval(values, seed=3, level=0.5)
    assert low < narrow[0] < narrow[1] < high
    with pytest.raises(NumericsError):
        bootstrap_interval(values[:0], seed=0)


def contrast(seed: int, n: int, strength: float) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    axis = torch.zeros(3, 16)
    axis[:, 0] = strength
    x = torch.randn(n, 3, 16, generator=generator)
    y = torch.randn(n, 3, 16, generator=generator) + axis
    return x, y


def test_report_tells_a_contrast_from_none() -> None:
    strong = quality(mean_difference, *contrast(0, 60, 4.0), seed=0)
    none = quality(mean_difference, *contrast(0, 60, 0.0), seed=0)
    assert strong.held_out_auc is not None
    assert none.held_out_auc is not None
    assert strong.split_half_cosine is not None
    assert none.split_half_cosine is not None
    assert (strong.held_out_auc > 0.95).all()
    assert (none.held_out_auc < 0.8).all()
    assert (strong.split_half_cosine > 0.8).all()
    assert (none.split_half_cosine < 0.6).all()
    torch.testing.assert_close(strong.cosine_to_mean_difference, torch.ones(3))
    assert (strong.direction_norm > 2.5).all()


def test_report_shows_that_centred_pca_lost_the_contrast() -> None:
    x, y = contrast(1, 80, 6.0)
    centred = quality(lambda a, b: pca(a, b, "mean"), x, y, seed=0)
    plain = quality(lambda a, b: pca(a, b, "none"), x, y, seed=0)
    assert (centred.cosine_to_mean_difference.abs() < 0.5).all()
    assert (plain.cosine_to_mean_difference > 0.9).all()


def test_report_of_a_method_that_drops_the_embedding_row() -> None:
    x, y = contrast(2, 20, 3.0)
    report = quality(icv, x, y, seed=0)
    states = torch.cat([x, y])[:, 1:].norm(dim=-1).mean(0)
    torch.testing.assert_close(report.state_norm, states)
    assert report.held_out_auc is not None
    assert report.held_out_auc.shape == (2,)


def test_report_says_none_where_there_is_too_little() -> None:
    x, y = contrast(3, 5, 3.0)
    report = quality(icv, x, y, seed=0)
    assert report.split_half_cosine is None  # halves of 2 and 3, icv needs 3
    tiny = quality(mean_difference, x[:3], y[:3], seed=0)
    assert tiny.held_out_auc is None
    one = quality(mean_difference, x[:1], y[:1], seed=0)
    assert one.split_half_cosine is None


def test_report_is_seeded_and_uses_unseen_pairs_only() -> None:
    x, y = contrast(4, 30, 1.0)
    assert (
        quality(mean_difference, x, y, seed=1).held_out_auc.tolist()
        == quality(  # type: ignore[union-attr]
            mean_difference, x, y, seed=1
        ).held_out_auc.tolist()
    )  # type: ignore[union-attr]
    seen: list[int] = []

    def spy(a: Tensor, b: Tensor) -> Extraction:
        seen.append(a.shape[0])
        return mean_difference(a, b)

    quality(spy, x, y, seed=1, whole=mean_difference(x, y))
    assert seen == [15, 15, 21]
