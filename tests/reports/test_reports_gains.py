"""Differences of metrics: their value and interval against independent computations."""

from __future__ import annotations

import math

import numpy as np
import pytest

from steerlang.operations.metric import Metric, mean_of
from steerlang.reports.gains import MOST_RESAMPLED, gain


def scores(count: int, shift: float, seed: int = 0) -> list[float]:
    generator = np.random.default_rng(seed)
    hard = generator.normal(size=count)  # what samples have in common
    return list(hard * 5 + shift + np.random.default_rng(seed + 1 + round(shift * 10)).normal(size=count) * 0.5)


@pytest.mark.parametrize("count", [40, 400, MOST_RESAMPLED + 500])
def test_the_interval_is_that_of_paired_differences(count: int) -> None:
    own, base = scores(count, 0.6), scores(count, 0.0)
    found = gain(mean_of(own) if count < 1000 else Metric(float(np.mean(own)), None, count, tuple(own)),
                 Metric(float(np.mean(base)), None, count, tuple(base)))  # fmt: skip
    differences = np.array(own) - np.array(base)
    half = 1.96 * differences.std(ddof=1) / math.sqrt(count)
    assert found.value == pytest.approx(differences.mean())
    assert found.interval is not None
    assert found.interval[0] == pytest.approx(differences.mean() - half, abs=0.35 * half)
    assert found.interval[1] == pytest.approx(differences.mean() + half, abs=0.35 * half)
    # What the samples have in common is no part of it: an interval of either mean is ten times as wide.
    assert found.interval[1] - found.interval[0] < 0.4 * 2 * 1.96 * np.std(own) / math.sqrt(count)


def test_there_is_none_where_samples_cannot_be_paired() -> None:
    mean = mean_of([0.0, 1.0, 1.0])
    assert gain(mean, mean_of([0.0, 1.0])).interval is None
    perplexity = Metric(math.exp(2.0), None, 3, (1.0, 2.0, 3.0))  # no mean of its scores
    assert gain(perplexity, mean).interval is None
    assert gain(Metric(0.5), Metric(0.25)).value == 0.25
    assert math.isnan(gain(Metric(math.nan), mean).value)


def test_the_same_numbers_give_the_same_interval() -> None:
    own, base = mean_of(scores(60, 0.6)), mean_of(scores(60, 0.0))
    assert gain(own, base) == gain(own, base)
    assert gain(own, own).interval == (0.0, 0.0)
