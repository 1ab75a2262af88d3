"""Random directions among the points of a metric: which they are, and all of them as one row."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from .findings import Label, Labels, MetricRow, MetricTable, Together
from .origins import RANDOM, UNSTEERED, Origin

_RANDOM = re.compile(r"random_\d+")


def is_random(label: Label) -> bool:
    """Whether a point of the axis `model` is one of the random directions of `controls`."""
    return isinstance(label, str) and _RANDOM.fullmatch(label) is not None


def is_random_point(labels: Labels, origin: Origin | None) -> bool:
    """Whether a point is one of random directions: by what was computed there, or by its name where that is unknown."""
    return origin.role == RANDOM if origin is not None else any(map(is_random, labels))


def banded(table: MetricTable) -> MetricTable:
    """A metric with its random directions drawn together: one row of their mean and their range (not an interval of a
    mean) for each way they are used in. As it was where there are fewer than three."""
    groups: dict[object, list[MetricRow]] = {}
    for row in table.rows:
        if is_random_point(row.labels, row.origin):
            groups.setdefault(_way(row), []).append(row)
    if not groups or min(map(len, groups.values())) < 3:
        return table
    rows = [row for row in table.rows if not is_random_point(row.labels, row.origin)]
    rows = _same_once(rows)
    rows += [together(found) for found in groups.values()]
    return replace(table, rows=tuple(rows))


def _same_once(rows: Sequence[MetricRow]) -> list[MetricRow]:
    """Random directions at scale 0 are the unsteered model as often as there are directions: shown once."""
    groups: dict[object, list[MetricRow]] = {}
    for n, row in enumerate(rows):
        unsteered = row.origin is not None and row.origin.role == UNSTEERED and row.origin.recipe
        groups.setdefault((_way(row), row.value) if unsteered else n, []).append(row)
    return [replace(g[0], labels=_shared(g, Together(UNSTEERED))) if len(g) > 2 else r
            for g in groups.values() for r in (g[:1] if len(g) > 2 else g)]  # fmt: skip


def _way(row: MetricRow) -> object:
    """What random directions have in common that are used in one way."""
    if row.origin is not None:
        return row.origin.recipe, row.origin.base
    return tuple(x for x in row.labels if not is_random(x))


def together(rows: Sequence[MetricRow]) -> MetricRow:
    """Random directions as one row: their mean, and their range. What differs between their labels is their number."""
    values = [row.value for row in rows]
    labels = _shared(rows, Together(f"{len(rows)} random: mean, range"))
    interval = (min(values), max(values))
    return MetricRow(labels, sum(values) / len(values), interval, rows[0].count, rows[0].origin)


def _shared(rows: Sequence[MetricRow], otherwise: Together) -> Labels:
    """The labels of several rows: those in which they differ are named `otherwise`."""
    return tuple(x[0] if len(set(x)) == 1 else otherwise for x in zip(*(r.labels for r in rows), strict=True))
