"""Which curves a metric table gives: a sweep over numbers along the bottom, one curve for each other point.

Controls are drawn as such wherever the program has them: the unsteered model and the prompted one across the chart,
random directions as a band of their range.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from .comparing import Comparisons
from .findings import Label, MetricRow, MetricTable, Together, plain, point_text
from .origins import PROMPTED, RANDOM, UNSTEERED
from .random_rows import banded, is_random_point
from .svg import Level, Mark, Point, Series, chart, strip

MOST_SERIES = 8
MOST_MARKS = 24

_STYLES = {UNSTEERED: "base", PROMPTED: "told", RANDOM: "random"}


def curves(table: MetricTable, chosen: Sequence[tuple[str, str]] = (), beside: Comparisons | None = None) -> str:
    """The chart of a metric over a sweep; without one, its points one below the other. Empty where there is one point,
    or where nothing was measured but random directions.

    chosen  names of points that were chosen while running and the points, `s = 0.1`: marked where they are on the chart
    beside  what the program measured of controls
    """
    beside = beside or Comparisons()
    shown = banded(table)
    axis = sweep_axis(shown)
    if axis is None:
        return _one_below_the_other(shown, beside)
    name = shown.axes[axis]
    title = f"{shown.name} over {name}"
    y_name = f"{shown.name} ({shown.unit})" if shown.unit else shown.name
    x_name = f"{name} ({shown.means[name]})" if name in shown.means else name
    series = _series(shown, axis)
    controls, levels = _controls(shown, axis, series, beside)
    return chart([*controls, *series[:MOST_SERIES]], title, x_name, y_name, _places(shown, axis, chosen), levels)


def _series(table: MetricTable, axis: int) -> list[Series]:
    """A curve for each point of the other axes."""
    names = [a for i, a in enumerate(table.axes) if i != axis]
    groups: dict[tuple[Label, ...], list[MetricRow]] = {}
    for row in table.rows:
        groups.setdefault(tuple(x for i, x in enumerate(row.labels) if i != axis), []).append(row)
    called = ((point_text(names, rest) or table.name, rows) for rest, rows in groups.items())
    return [Series(name, _points(rows, axis), _style(rows)) for name, rows in called]


def _style(rows: Sequence[MetricRow]) -> str:
    """That of a control, where all points are of one."""
    if any(isinstance(x, Together) for r in rows for x in r.labels):
        return "random"
    roles = {r.origin.role if r.origin is not None else "" for r in rows}
    if len(roles) > 1:  # a curve may pass scale 0, which is the unsteered model
        roles.discard(UNSTEERED)
    return _STYLES.get(roles.pop(), "") if len(roles) == 1 else ""


def _controls(
    table: MetricTable, axis: int, series: Sequence[Series], beside: Comparisons
) -> tuple[list[Series], list[Level]]:
    """What other definitions measured of controls, where the table has none of its own."""
    steered = [r for r in table.rows if not any(isinstance(x, Together) for x in r.labels)]
    styles = {s.style for s in series}
    levels = []
    for style, name, of in (("base", UNSTEERED, beside.base), ("told", PROMPTED, beside.told)):
        level = _only(r for row in steered if (r := of(row)) is not None)
        if style not in styles and level is not None:
            levels.append(Level(name, level.value, style))
    if "random" in styles:
        return [], levels
    points, most = [], 0
    for at, rows in _by_place(steered, axis).items():
        found = [d for row in rows for d in beside.directions(row)]
        unsteered = [r.value for r in rows if r.origin is not None and r.origin.role == UNSTEERED]
        values = [d.value for d in found] or unsteered  # random directions do as little at scale 0
        if values:
            points.append(Point(at, math.fsum(values) / len(values), (min(values), max(values))))
        most = max(most, len(found))
    words = "random direction" if most == 1 else "random directions: mean, range"
    return ([Series(f"{most} {words}", tuple(points), "random")] if most else []), levels


def _by_place(rows: Iterable[MetricRow], axis: int) -> dict[float, list[MetricRow]]:
    found: dict[float, list[MetricRow]] = {}
    for row in rows:
        found.setdefault(float(str(row.labels[axis])), []).append(row)
    return found


def _places(table: MetricTable, axis: int, chosen: Sequence[tuple[str, str]]) -> list[tuple[float, str]]:
    """Where points stand that were chosen while running."""
    name = table.axes[axis]
    places = {f"{name} = {r.labels[axis]}": float(str(r.labels[axis])) for r in table.rows}
    at: dict[float, list[str]] = {}
    for choice, point in chosen:
        if point in places:
            at.setdefault(places[point], []).append(choice)
    return [(x, ", ".join(names)) for x, names in at.items()]


def _one_below_the_other(table: MetricTable, beside: Comparisons) -> str:
    """Points of a metric as marks, with the range that random directions reach as a band."""
    random = [r for r in table.rows if any(isinstance(x, Together) for x in r.labels)]
    rows = [r for r in table.rows if r not in random]
    if not table.axes or not rows or len(rows) > MOST_MARKS or len(rows) + len(random) < 2:
        return ""
    alike = len({r.origin.role for r in table.rows if r.origin is not None}) < 2  # nothing is a control of another
    marks = [Mark(_called(table, r), r.value, r.interval, "" if alike else _style([r])) for r in rows]
    own = {point_text(table.axes, r.labels) for r in rows}
    values, count = _directions(random, rows, beside)
    told = {id(r): r for row in rows if (r := beside.told(row)) is not None}
    if PROMPTED not in own:
        marks += [Mark(PROMPTED, r.value, r.interval, "told") for r in told.values() if r not in rows]
    base = _only(r for row in rows if (r := beside.base(row)) is not None)
    unit = f"{table.name} ({table.unit})" if table.unit else table.name
    words = f"{count} random direction{'s' * (count > 1)}"
    title = f"{unit}; the band is what {words} reach{'es' * (count == 1)}" if values else unit
    return strip(marks, (min(values), max(values)) if values else None, title, base.value if base is not None else None)


def _directions(
    random: Sequence[MetricRow], rows: Sequence[MetricRow], beside: Comparisons
) -> tuple[list[float], int]:
    """The ends of the range of random directions, and how many there are: of the table itself, or else of others."""
    if random:
        name = next(str(x) for x in random[0].labels if isinstance(x, Together))
        ends = [x for r in random for x in r.interval or ()]
        return ends, int(name.split(" ", 1)[0])
    found = [d.value for row in rows if not is_random_point(row.labels, row.origin) for d in beside.directions(row)]
    return found, len(found)


def _only(rows: Iterable[MetricRow]) -> MetricRow | None:
    """The row, where all are the same one."""
    found = {id(r): r for r in rows}
    return next(iter(found.values())) if len(found) == 1 else None


def _called(table: MetricTable, row: MetricRow) -> str:
    """A point's name on the chart: of a single axis its label alone."""
    return plain(row.labels[0]) if len(table.axes) == 1 else point_text(table.axes, row.labels)


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
