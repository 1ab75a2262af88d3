"""Which curves a metric table gives: a sweep over numbers along the bottom, one curve for each other point."""

from __future__ import annotations

from collections.abc import Sequence

from .findings import Label, MetricRow, MetricTable, banded, point_text
from .svg import Mark, Point, Series, chart, strip

MOST_SERIES = 8


def curves(table: MetricTable, chosen: Sequence[tuple[str, str]] = ()) -> str:
    """The chart of a metric over a sweep; without one, its models beside the range of random directions; else empty.

    chosen  names of points that were chosen while running and the points, `s = 0.1`: marked where they are on the chart
    """
    table = banded(table)
    axis = sweep_axis(table)
    if axis is None:
        return _beside_random(table)
    names = [a for i, a in enumerate(table.axes) if i != axis]
    groups: dict[tuple[Label, ...], list[MetricRow]] = {}
    for row in table.rows:
        groups.setdefault(tuple(x for i, x in enumerate(row.labels) if i != axis), []).append(row)
    series = [Series(point_text(names, rest) or table.name, _points(rows, axis)) for rest, rows in groups.items()]
    name = table.axes[axis]
    places = {f"{name} = {r.labels[axis]}": float(str(r.labels[axis])) for r in table.rows}
    at: dict[float, list[str]] = {}
    for choice, point in chosen:
        if point in places:
            at.setdefault(places[point], []).append(choice)
    marked = [(x, ", ".join(names)) for x, names in at.items()]
    return chart(series[:MOST_SERIES], f"{table.name} over {name}", name, table.name, marked)


def _beside_random(table: MetricTable) -> str:
    """The models of a metric, with the range that random directions reach as a band; empty where there are none."""
    if table.axes != ("model",):
        return ""
    random = [row for row in table.rows if "random:" in str(row.labels[0])]
    if not random or random[0].interval is None:
        return ""
    marks = [Mark(str(r.labels[0]), r.value, r.interval) for r in table.rows if r is not random[0]]
    return strip(marks, random[0].interval, f"{table.name}; the band is what random directions reach")


def _points(rows: Sequence[MetricRow], axis: int) -> tuple[Point, ...]:
    return tuple(Point(float(str(r.labels[axis])), r.value, r.interval) for r in rows)


def sweep_axis(table: MetricTable) -> int | None:
    """The axis with the most points among those whose labels are all numbers; None when there is none."""
    found: dict[int, int] = {}
    for i in range(len(table.axes)):
        labels = {r.labels[i] for r in table.rows}
        if len(labels) > 1 and all(isinstance(x, (int, float)) and not isinstance(x, bool) for x in labels):
            found[i] = len(labels)
    return max(found, key=lambda i: (found[i], -i)) if found else None
