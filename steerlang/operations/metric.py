"""A measured number, with its interval and what it was measured on."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from steerlang.data.text_metrics import bootstrap_interval
from steerlang.engine.payload import Payload

KIND = "metric"
CONDITION = "condition"
DRAWS = 1000


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
class Lines:
    """The numbers of a metric that has several: by what they are named (`answer`), and a number for each.

    counts  whether a line is a sum over all samples (a line that is not there is 0) or the mean over its own samples
    """

    by: str
    counts: bool
    numbers: Mapping[str, Metric]

    def document(self) -> dict[str, Any]:
        # A list: the store sorts the keys of mappings.
        lines = [
            {"name": name, "value": m.value, "interval": list(m.interval) if m.interval else None, "count": m.count}
            for name, m in self.numbers.items()
        ]
        return {"by": self.by, "counts": self.counts, "numbers": lines}

    @classmethod
    def of(cls, document: Any) -> Lines:
        return cls(document["by"], document["counts"], {line["name"]: _metric(line) for line in document["numbers"]})


@dataclass(frozen=True)
class Metric:
    """`value`, its 95 % bootstrap interval over samples where it is a mean of per-sample scores, and their number.

    scores  one number a sample (or a concept), in their order; empty for metrics that have none
    table   there for metrics that are more than a number
    draws   the values of the bootstrap's resamples, where the value is no mean or sum of scores
    lines   its numbers by name, where it has several
    shares  what each sample adds to which of them
    """

    value: float
    interval: tuple[float, float] | None = None
    count: int = 0
    scores: tuple[float, ...] = field(default=(), repr=False)
    table: Table | None = None
    draws: tuple[float, ...] = field(default=(), repr=False)
    lines: Lines | None = None
    shares: tuple[Mapping[str, float], ...] = field(default=(), repr=False)

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
        if self.draws:
            meta["draws"] = list(self.draws)
        rows: Iterable[dict[str, Any]] = ({"score": s} for s in self.scores)
        if self.lines is not None:
            meta["lines"] = self.lines.document()
            rows = ({**row, "in": dict(share)} for row, share in zip(rows, self.shares, strict=True))
        return Payload(KIND, meta, rows=tuple(rows))

    @classmethod
    def of(cls, payload: Payload) -> Metric:
        meta: Any = payload.meta
        given = meta.get("table")
        lines = Lines.of(meta["lines"]) if "lines" in meta else None
        return replace(
            _metric(meta),
            scores=tuple(r["score"] for r in payload.rows),
            table=None if given is None else Table(tuple(given["columns"]), tuple(tuple(r) for r in given["rows"])),
            draws=tuple(meta.get("draws", ())),
            lines=lines,
            shares=tuple(r["in"] for r in payload.rows) if lines is not None else (),
        )

    def __float__(self) -> float:
        return self.value

    def __getitem__(self, name: str | int) -> Metric:
        """One of its numbers by name, with the scores of its samples. KeyError where there is none."""
        name = str(name)
        if self.lines is None and self.table is not None and self.table.columns[0] == "concept":
            if not name.isdigit() or int(name) >= len(self.scores):
                raise KeyError(f"there is no concept `{name}`: they are 0 to {len(self.scores) - 1}")
            return Metric(self.scores[int(name)])
        if self.lines is None:
            raise KeyError(f"this metric is one number, and `{name}` is asked of it")
        own = [(score, share[name]) for score, share in zip(self.scores, self.shares, strict=True) if name in share]
        if not self.lines.counts:
            if not own:
                raise KeyError(f"no sample is of {self.lines.by} `{name}`")
            return mean_of([score for score, _ in own])
        return sum_of([share.get(name, 0.0) for share in self.shares])


def _metric(meta: Any) -> Metric:
    return Metric(float(meta["value"]), tuple(meta["interval"]) if meta["interval"] else None, int(meta["count"]))


def mean_of(scores: Sequence[float], seed: int = 0) -> Metric:
    """The mean of per-sample scores with its bootstrap interval."""
    values = [float(s) for s in scores]
    if not values:
        return Metric(math.nan)
    return Metric(sum(values) / len(values), bootstrap_interval(values, seed=seed), len(values), tuple(values))


def sum_of(scores: Sequence[float]) -> Metric:
    """The sum of per-sample numbers, with its interval over samples drawn with replacement."""
    return sums_of([scores])[0]


def sums_of(columns: Sequence[Sequence[float]]) -> list[Metric]:
    """The sum of each of some columns of numbers of the same samples; all intervals are of the same draws (seed 0)."""
    import numpy

    count = len(columns[0]) if columns else 0
    if not count:
        return [Metric(0.0) for _ in columns]
    values = numpy.asarray(columns, dtype=float).T
    source = numpy.random.default_rng(0)
    times = (source.multinomial(count, numpy.full(count, 1 / count)) for _ in range(DRAWS))
    drawn = numpy.sort(numpy.stack([drawn @ values for drawn in times]), axis=0)
    return [
        Metric(math.fsum(column), _ends(drawn[:, i].tolist()), count, tuple(map(float, column)))
        for i, column in enumerate(columns)
    ]


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
    for _ in range(DRAWS):
        chosen = source.choices(places, k=len(below))
        under = sum(below[i] for i in chosen)
        if under:
            drawn.append(sum(above[i] for i in chosen) / under)
    return Metric(sum(above) / sum(below), interval_of(drawn), len(below))


def interval_of(drawn: Sequence[float]) -> tuple[float, float] | None:
    """The 95 % percentile interval of draws in any order; None where there are none."""
    return _ends(sorted(drawn))


def _resampled(scores: Sequence[float], seed: int) -> tuple[float, list[float]]:
    """The mean of scores, and the means of resamples of them."""
    source = random.Random(seed)
    count = len(scores)
    return sum(scores) / count, [sum(source.choices(scores, k=count)) / count for _ in range(DRAWS)]


def _ends(drawn: Sequence[float]) -> tuple[float, float] | None:
    """The 95 % percentile interval of sorted draws, at the order statistics nearest outside."""
    if not drawn:
        return None
    low = math.floor(0.025 * (len(drawn) - 1))
    return drawn[low], drawn[len(drawn) - 1 - low]


def condition(holds: bool, left: float | bool | None, right: float | bool | None, operator: str) -> Payload:
    """The outcome of a condition and what was compared."""
    return Payload(CONDITION, {"holds": holds, "left": left, "right": right, "operator": operator})
