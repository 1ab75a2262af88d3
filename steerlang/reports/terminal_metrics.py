"""Metrics on a terminal: tables of numbers with their intervals, and what they rose by where there is room."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .findings import MetricRow, MetricTable, label_text, number
from .gains import Gain
from .layout import Screen, columns, text_width
from .random_rows import banded
from .terminal_parts import heading, more

MOST_ROWS = 40
AGAINST = "vs unsteered"


def metrics(tables: Sequence[MetricTable], screen: Screen) -> list[list[str]]:
    """Metrics of the same points as one table, those without axes as one list; random directions are one row."""
    tables = [banded(t) for t in tables]
    found: list[list[str]] = []
    single = [t for t in tables if not t.axes]
    if single:
        found.append(_single(single, screen))
    groups: dict[object, list[MetricTable]] = {}
    for table in tables:
        if table.axes:
            groups.setdefault((table.axes, table.points), []).append(table)
    for group in groups.values():
        found.extend(_grouped(group, screen))
    return found


def _single(tables: Sequence[MetricTable], screen: Screen) -> list[str]:
    rows = [[t.name, number(r.value), _interval(r.interval), f"n = {r.count}" if r.count else ""]
            for t in tables for r in t.rows]
    return [heading("metrics", screen), *columns(rows, [False, True, False, False])]


def _grouped(tables: Sequence[MetricTable], screen: Screen) -> Iterator[list[str]]:
    """Tables of one set of points; as many metrics beside each other as the screen is wide."""
    first = tables[0]
    labels = [[label_text(a, x) for a, x in zip(first.axes, row.labels, strict=True)] for row in first.rows]
    batch: list[MetricTable] = []
    for table in tables:
        if batch and not _fits(_rows([*batch, table], labels, gains=False), screen):
            yield _block(batch, labels, screen)
            batch = []
        batch.append(table)
    yield _block(batch, labels, screen)


def _block(tables: Sequence[MetricTable], labels: list[list[str]], screen: Screen) -> list[str]:
    whole = _rows(tables, labels, gains=True)
    lines = whole if _fits(whole, screen) else _rows(tables, labels, gains=False)
    counts = sorted({r.count for t in tables for r in t.rows if r.count})
    note = f"n = {counts[0]}" if len(counts) == 1 else (f"n = {counts[0]}..{counts[-1]}" if counts else "")
    shown = [heading("metrics", screen, note), screen.paint(lines[0], "cyan"), *lines[1:]]
    return [*shown, *more(len(labels) - MOST_ROWS, screen)]


def _fits(lines: Sequence[str], screen: Screen) -> bool:
    return max(map(text_width, lines)) <= screen.width


def _rows(tables: Sequence[MetricTable], labels: list[list[str]], gains: bool) -> list[str]:
    """The aligned lines of some metrics, names first."""
    shown = [t for t in tables if gains and any(r.gain is not None for r in t.rows)]
    heads = [x for t in tables for x in ((t.name, "", AGAINST) if t in shown else (t.name, ""))]
    rows = [[*[""] * len(labels[0]), *heads]]
    for i, names in enumerate(labels[:MOST_ROWS]):
        rows.append([*names, *(x for t in tables for x in _cells(t.rows[i], t in shown))])
    kinds = [x for t in tables for x in ((True, False, False) if t in shown else (True, False))]
    return columns(rows, [*[False] * len(labels[0]), *kinds])


def _cells(row: MetricRow, with_gain: bool) -> list[str]:
    return [number(row.value), _interval(row.interval), *([_gain(row.gain)] if with_gain else [])]


def _gain(gain: Gain | None) -> str:
    if gain is None:
        return ""
    value = number(gain.value)
    signed = value if value.startswith("-") or value == "nan" else f"+{value}"
    return " ".join(x for x in (signed, _interval(gain.interval)) if x)


def _interval(interval: tuple[float, float] | None) -> str:
    return f"[{number(interval[0])}, {number(interval[1])}]" if interval is not None else ""
