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
class Table:
    """What a metric is made of, row by row: names of columns, and rows of JSON-like cells (numbers, texts, lists of
    them, None)."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...] = field(default=(), repr=False)

    def column(self, name: str) -> list[Any]:
        """The cells of a column. Raises ValueError for a name it does not have."""
        at = self.columns.index(name)
        return [row[at] for row in self.rows]

    def records(self) -> list[dict[str, Any]]:
        """The rows as mappings by column."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


@dataclass(frozen=True)
class Metric:
    """`value`, its 95 % bootstrap interval over samples where it is a mean of per-sample scores, and their number.

    `scores` holds one number a sample (or a concept), in their order; empty for metrics that have none. `table` is
    there for metrics that are more than a number.
    """

    value: float
    interval: tuple[float, float] | None = None
    count: int = 0
    scores: tuple[float, ...] = field(default=(), repr=False)
    table: Table | None = None

    @classmethod
    def over(cls, scores: Sequence[float], table: Table) -> Metric:
        """The mean of scores, NaN where there is no number left out, with its interval and the table."""
        numbers = [s for s in scores if not math.isnan(s)]
        mean = mean_of(numbers)
        return cls(mean.value, mean.interval, mean.count, tuple(scores), table)

    def payload(self) -> Payload:
        meta: dict[str, Any] = {
            "value": self.value,
            "interval": list(self.interval) if self.interval else None,
            "count": self.count,
        }
        if self.table is not None:
            meta["table"] = {"columns": list(self.table.columns), "rows": [list(r) for r in self.table.rows]}
        return Payload(KIND, meta, rows=tuple({"score": s} for s in self.scores))

    @classmethod
    def of(cls, payload: Payload) -> Metric:
        meta: Any = payload.meta
        interval = tuple(meta["interval"]) if meta["interval"] else None
        given = meta.get("table")
        table = None if given is None else Table(tuple(given["columns"]), tuple(tuple(r) for r in given["rows"]))
        scores = tuple(r["score"] for r in payload.rows)
        return cls(float(meta["value"]), interval, int(meta["count"]), scores, table)

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


def interval_of(drawn: Sequence[float]) -> tuple[float, float] | None:
    """The 95 % percentile interval of draws in any order; None where there are none."""
    return _ends(sorted(drawn))


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
