"""Metrics on the page: a chart, and a table with intervals and what stands beside each number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from html import escape

from .comparing import Comparisons, compared
from .curves import curves
from .findings import MetricRow, MetricTable, Together, number, plain
from .gains import Gain
from .html_parts import Markup, Page, anchor, fold, grid, heading, line_of, named, quoted
from .origins import PROMPTED, RANDOM, UNSTEERED
from .random_rows import banded, is_random_point

MOST_ROWS = 30  # of a table before it is folded away
FEWEST, MOST_COLUMNS = 3, 12  # metrics that are worth a table of them all

_TAGS = frozenset({UNSTEERED, PROMPTED, RANDOM})


def metrics(page: Page) -> str:
    """Numbers without axes in one table, every other metric as a chart and a table."""
    found = page.findings
    beside = compared(found.metrics)
    parts = [_chosen(found.chosen), _missing(beside), *_overviews(page)]
    single = [t for t in found.metrics if not t.axes and t.rows]
    parts += [_metric(page, t, beside) for t in found.metrics if t.axes]
    parts.append(_singles(page, single, beside) if single else "")
    return "\n".join(part for part in parts if part)


def _chosen(chosen: Sequence[tuple[str, str]]) -> str:
    return "".join(f"<p>chosen: <code>{escape(n)}</code> is {escape(p)}</p>\n" for n, p in chosen)


def _missing(beside: Comparisons) -> str:
    """What the steered models are not held against."""
    if not beside.missing:
        return ""
    *others, last = beside.missing
    words = f"{', '.join(others)} and {last}" if others else last
    how = "<code>controls(model, random = 10, prompt = …)</code> has all of them"
    return f'<p class="soft">Not measured beside the steered models: {words}; {how}.</p>\n'


def _overviews(page: Page) -> list[str]:
    """Metrics of the same points, beside each other where there are several."""
    groups: dict[object, list[MetricTable]] = {}
    for table in page.findings.metrics:
        shown = banded(table)
        if table.axes and len(shown.rows) <= MOST_ROWS:
            groups.setdefault((shown.axes, shown.points), []).append(shown)
    made = []
    for tables in groups.values():
        if not FEWEST <= len(tables) <= MOST_COLUMNS:
            continue
        heads = [*tables[0].axes, *(named(page, t.name) for t in tables)]
        rows = [[*map(plain, r.labels), *(number(t.rows[i].value) for t in tables)]
                for i, r in enumerate(tables[0].rows)]  # fmt: skip
        made.append("<h3>Beside each other</h3>\n" + grid(heads, rows, len(tables[0].axes)))
    return made


def _metric(page: Page, table: MetricTable, beside: Comparisons) -> str:
    every = [[*map(plain, r.labels), number(r.value)] for r in table.rows]
    shown = banded(table)
    heads = [*shown.axes, shown.name]
    labels = _labels(shown, beside)
    rows: list[list[str]] = [[*own, number(r.value)] for own, r in zip(labels, shown.rows, strict=True)]
    own = any(_is_together(r) for r in shown.rows)
    for head, cells in _columns(shown.rows, replace(beside, random={}) if own else beside):
        heads.append(head)
        rows = [[*row, cell] for row, cell in zip(rows, cells, strict=True)]
    drawn = beside.controlled(table)
    if drawn and drawn != table.name:
        content = f'<p class="soft">drawn beside {named(page, drawn)}</p>\n'
    else:
        content = curves(table, page.findings.chosen, beside)
    content += _unless_long(grid(heads, rows, len(shown.axes)), len(rows))
    if len(shown.rows) < len(table.rows):
        each = grid([*table.axes, table.name], _random_only(table, every), len(table.axes))
        content += fold("every random direction", each)
    return heading(page, table.name, table.description) + _to_table(page, table.name) + content


def _to_table(page: Page, name: str) -> str:
    """A link to the tables that a metric has."""
    if name not in page.tabled:
        return ""
    return f'<p class="soft">what it is made of: <a href="#{anchor("t", name)}">table</a></p>\n'


def _is_together(row: MetricRow) -> bool:
    return any(isinstance(x, Together) for x in row.labels)


def _random_only(table: MetricTable, rows: list[list[str]]) -> list[list[str]]:
    return [row for row, r in zip(rows, table.rows, strict=True) if is_random_point(r.labels, r.origin)]


def _labels(table: MetricTable, beside: Comparisons) -> list[list[str]]:
    """The labels of all rows; where models differ, the last says what its model is, unless it is called so."""
    roles = {r.origin.role for r in table.rows if r.origin is not None}
    tags = {r: beside.base_word if r == UNSTEERED else r for r in _TAGS} if len(roles) > 1 else {}
    found: list[list[str]] = []
    for row in table.rows:
        labels = [escape(plain(x)) for x in row.labels]
        tag = tags.get(row.origin.role, "") if row.origin is not None else ""
        if tag and labels and tag not in labels and not _is_together(row):
            labels[-1] += f' <span class="tag">{tag}</span>'
        found.append([Markup(label) for label in labels])
    return found


def _singles(page: Page, tables: Sequence[MetricTable], beside: Comparisons) -> str:
    """Metrics without axes, a row each."""
    rows = [t.rows[0] for t in tables]
    heads = ["metric", "value"]
    made: list[list[str]] = [[_anchored(page, t), number(r.value)] for t, r in zip(tables, rows, strict=True)]
    for head, cells in _columns(rows, beside):
        heads.append(head)
        made = [[*row, cell] for row, cell in zip(made, cells, strict=True)]
    heads.append("what it is")
    made = [[*row, quoted(t.description)] for row, t in zip(made, tables, strict=True)]
    return "<h3>Single numbers</h3>\n" + grid(heads, made, 1, "singles")


def _anchored(page: Page, table: MetricTable) -> Markup:
    own = anchor("r", table.name)
    name = f'<span id="{own}"><code>{escape(table.name)}</code></span>'
    return Markup(name + line_of(page, table.name) + _table_mark(page, table.name))


def _table_mark(page: Page, name: str) -> str:
    return f' <a class="line-link" href="#{anchor("t", name)}">table</a>' if name in page.tabled else ""


def _unless_long(table: str, rows: int) -> str:
    return table if rows <= MOST_ROWS else fold(f"table of {rows} rows", table)


# ---- columns, each only where some row has something in it -----------------------------------------------------------


def _columns(rows: Sequence[MetricRow], beside: Comparisons) -> list[tuple[str, list[str]]]:
    made = [(head, [cell(row, beside) for row in rows]) for head, cell in _COLUMNS]
    return [(head.format(beside.base_word), cells) for head, cells in made if any(cells)]


def _interval(row: MetricRow, _: Comparisons) -> str:
    return between(row.interval)


def between(interval: tuple[float, float] | None) -> str:
    return f"{number(interval[0])} … {number(interval[1])}" if interval else ""


def _count(row: MetricRow, _: Comparisons) -> str:
    return str(row.count or "")


def _gain(row: MetricRow, _: Comparisons) -> str:
    return gain_text(row.gain)


def gain_text(gain: Gain | None) -> str:
    """`+0.43 (0.30 … 0.57)`."""
    if gain is None:
        return ""
    value = number(gain.value)
    signed = value if value.startswith("-") or value == "nan" else f"+{value}"
    return f"{signed} ({between(gain.interval)})" if gain.interval else signed


def _random(row: MetricRow, beside: Comparisons) -> str:
    """The range of random directions that are used as a row's vectors are."""
    if is_random_point(row.labels, row.origin):
        return ""
    values = [d.value for d in beside.directions(row)]
    if len(values) < 2:
        return number(values[0]) if values else ""
    return f"{number(min(values))} … {number(max(values))} ({len(values)})"


_COLUMNS: tuple[tuple[str, Callable[[MetricRow, Comparisons], str]], ...] = (
    ("95 % interval", _interval), ("n", _count), ("against {}", _gain), ("random directions", _random),
)  # fmt: skip
