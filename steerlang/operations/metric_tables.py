"""Metrics with a number for each of several names, and metrics less others of the same samples."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from .metric import Lines, Metric, interval_of, mean_of, sums_of

Shares = Mapping[str, float]


def counted(shares: Sequence[Shares], by: str, names: Sequence[str] | None = None) -> Metric:
    """How much samples add to each name; as a whole, in how many samples there is any.

    Lines stand in the order of `names`; left out, the greatest first.
    """
    totals: Counter[str] = Counter()
    for share in shares:
        totals.update(share)
    order = sorted(totals, key=lambda name: (-totals[name], name)) if names is None else names
    columns = [[share.get(name, 0.0) for share in shares] for name in order]
    whole, *found = sums_of([[float(any(share.values())) for share in shares], *columns])
    lines = Lines(by, True, {name: _bare(line) for name, line in zip(order, found, strict=True)})
    return replace(whole, lines=lines, shares=tuple(shares))


def grouped(scores: Sequence[float], groups: Sequence[str], by: str) -> Metric:
    """The mean of per-sample scores, and that of each group of samples, by name."""
    together = list(zip(scores, groups, strict=True))
    numbers = {name: _bare(mean_of([s for s, g in together if g == name])) for name in sorted(set(groups))}
    return replace(mean_of(scores), lines=Lines(by, False, numbers), shares=tuple({group: 1.0} for group in groups))


def paired(found: Metric, base: Metric) -> Metric:
    """`found` less `base`, measured on the same samples, line by line where there are lines.

    The interval draws samples, each with both its scores; there is none where the values are not made of scores.
    """
    whole = _paired(found, base)
    if found.lines is None or base.lines is None or found.lines.by != base.lines.by:
        return whole
    names = tuple(dict.fromkeys([*found.lines.numbers, *base.lines.numbers]))
    if found.lines.counts:
        shares = tuple(map(_less, found.shares, base.shares))
        return replace(counted(shares, found.lines.by, names), **_scalar(whole))
    numbers = {name: _bare(_paired(found[name], base[name])) for name in names}
    return replace(whole, lines=replace(found.lines, numbers=numbers), shares=found.shares)


def _paired(found: Metric, base: Metric) -> Metric:
    value, count = found.value - base.value, found.count
    if found.draws and base.draws and found.count == base.count:
        # Both drew the same samples in the same order.
        drawn = tuple(a - b for a, b in zip(found.draws, base.draws, strict=True))
        return Metric(value, interval_of(drawn), count, draws=drawn)
    times = _times(found, base)
    if times is None:
        return Metric(value, None, count)
    apart = mean_of([a - b for a, b in zip(found.scores, base.scores, strict=True)])
    assert apart.interval is not None
    return Metric(value, (apart.interval[0] * times, apart.interval[1] * times), count, apart.scores)


def _times(found: Metric, base: Metric) -> int | None:
    """What the means of both metrics' scores are multiplied by to give their values: 1 for means, their number for
    sums; None for what is neither, such as a ratio over all samples."""
    count = len(found.scores)
    if not count or count != len(base.scores):
        return None
    for times in (1, count):
        if all(math.isclose(m.value * count, math.fsum(m.scores) * times, abs_tol=1e-9) for m in (found, base)):
            return times
    return None


def _less(left: Shares, right: Shares) -> dict[str, float]:
    names = dict.fromkeys([*left, *right])
    return {name: left.get(name, 0.0) - right.get(name, 0.0) for name in names}


def _scalar(metric: Metric) -> dict[str, Any]:
    return {"value": metric.value, "interval": metric.interval, "count": metric.count, "scores": metric.scores}


def _bare(metric: Metric) -> Metric:
    """A number as it stands in a list: its samples' scores stand with the whole."""
    return replace(metric, scores=(), draws=())
