"""A measured number, with its interval and what it was measured on."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from steerlang.data.text_metrics import bootstrap_interval
from steerlang.engine.payload import Payload

KIND = "metric"
CONDITION = "condition"
_DRAWS = 1000


@dataclass(frozen=True)
class Metric:
    """`value`, its 95 % bootstrap interval over samples where it is a mean of per-sample scores, and their number.

    `scores` holds one number a sample, in the order of the samples; empty for metrics that have none.
    """

    value: float
    interval: tuple[float, float] | None = None
    count: int = 0
    scores: tuple[float, ...] = field(default=(), repr=False)

    def payload(self) -> Payload:
        meta: dict[str, Any] = {
            "value": self.value,
            "interval": list(self.interval) if self.interval else None,
            "count": self.count,
        }
        return Payload(KIND, meta, rows=tuple({"score": s} for s in self.scores))

    @classmethod
    def of(cls, payload: Payload) -> Metric:
        meta: Any = payload.meta
        interval = tuple(meta["interval"]) if meta["interval"] else None
        return cls(float(meta["value"]), interval, int(meta["count"]), tuple(r["score"] for r in payload.rows))

    def __float__(self) -> float:
        return self.value


def mean_of(scores: Sequence[float], seed: int = 0) -> Metric:
    """The mean of per-sample scores with its bootstrap interval."""
    values = [float(s) for s in scores]
    if not values:
        return Metric(math.nan)
    return Metric(sum(values) / len(values), bootstrap_interval(values, seed=seed), len(values), tuple(values))


def mean_of_means(groups: Sequence[Sequence[float]], seed: int = 0) -> Metric:
    """The mean over groups of each group's mean. Its interval resamples the scores within each group."""
    means = [_resampled(group, seed + i) for i, group in enumerate(groups)]
    drawn = sorted(sum(draws) / len(means) for draws in zip(*(m[1] for m in means), strict=True))
    value = sum(m[0] for m in means) / len(means)
    scores = tuple(float(s) for group in groups for s in group)
    return Metric(value, _ends(drawn), len(scores), scores)


def ratio_of_means(above: Sequence[float], below: Sequence[float], seed: int = 0) -> Metric:
    """mean(above) / mean(below), scores of the same samples; NaN where the lower is 0. Its interval draws samples, each
    with both its scores. There are no scores per sample: a ratio of means is no mean of ratios."""
    if not below or not sum(below):
        return Metric(math.nan, None, len(below))
    source = random.Random(seed)
    drawn: list[float] = []
    places = range(len(below))
    for _ in range(_DRAWS):
        chosen = source.choices(places, k=len(below))
        under = sum(below[i] for i in chosen)
        if under:
            drawn.append(sum(above[i] for i in chosen) / under)
    return Metric(sum(above) / sum(below), _ends(sorted(drawn)), len(below))


def _resampled(scores: Sequence[float], seed: int) -> tuple[float, list[float]]:
    """The mean of scores, and the means of resamples of them."""
    source = random.Random(seed)
    count = len(scores)
    return sum(scores) / count, [sum(source.choices(scores, k=count)) / count for _ in range(_DRAWS)]


def _ends(drawn: Sequence[float]) -> tuple[float, float] | None:
    """The 95 % percentile interval of sorted draws, at the order statistics nearest outside."""
    if not drawn:
        return None
    low = math.floor(0.025 * (len(drawn) - 1))
    return drawn[low], drawn[len(drawn) - 1 - low]


def condition(holds: bool, left: float | bool | None, right: float | bool | None, operator: str) -> Payload:
    """The outcome of a condition and what was compared."""
    return Payload(CONDITION, {"holds": holds, "left": left, "right": right, "operator": operator})
