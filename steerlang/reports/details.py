"""Tables of more than one number a row: what a metric is made of, dictionaries of concepts and their shifts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .findings import DetailTable, number, selector_text
from .layout import Screen, columns, text_width

MOST_TABLES = 12
MOST_ROWS = 20
_MARGIN = 4


def metric_detail(name: str, metric: Any) -> DetailTable | None:
    """The table of a metric that has one, or its numbers by name."""
    if metric.lines is not None:
        return _numbers(name, metric.lines)
    table = metric.table
    return None if table is None else DetailTable(name, tuple(table.columns), tuple(tuple(row) for row in table.rows))


def _numbers(name: str, lines: Any) -> DetailTable:
    rows = tuple((n, m.value, *(m.interval or (None, None)), m.count) for n, m in lines.numbers.items())
    return DetailTable(name, (lines.by, "count" if lines.counts else "mean", "from", "to", "n"), rows)


def dictionary_detail(name: str, dictionary: Any) -> DetailTable:
    """A row a concept: how many states are nearest to it, and its length."""
    made = dictionary.provenance
    method = dictionary.method
    facts = [f"{dictionary.k} concepts by {method['name']}", f"layer {dictionary.place.layer}"]
    site = selector_text(dictionary.place.site)
    facts += [site] if site != "residual" else []
    facts += [f"{100 * made['explained']:.3g}% explained"] if "shifted_by" not in made else ["shifted"]
    if dictionary.activations is not None:
        facts.append(f"{made['states']} states" + (f", {made['left_out']} without" if made["left_out"] else ""))
    counts = dictionary.counts or (None,) * dictionary.k
    rows = tuple(zip(range(dictionary.k), counts, dictionary.norms, strict=True))
    return DetailTable(name, ("concept", "strongest in", "length"), rows, " · ".join(facts))


def shift_detail(name: str, shift: Any) -> DetailTable:
    """A row a concept: its samples, how far it moves, and how much they move together."""
    rows = zip(range(shift.k), shift.counts, shift.magnitude, shift.consistency, shift.alignment, strict=True)
    made = shift.provenance
    note = f"{made['reduce']} over {made['samples']} samples in both models"
    return DetailTable(name, ("concept", "samples", "length", "consistency", "alignment"), tuple(rows), note)


def vectors_detail(name: str, value: Any) -> DetailTable | None:
    """What a `vector` holds where that is more than one: a shift, or a list by name; None for a single one."""
    if hasattr(value, "delta"):
        return shift_detail(name, value)
    if not isinstance(value, dict):
        return None
    rows = tuple(
        (one, layer, float(length), float(length / of) if of else None)
        for one, vector in value.items()
        for layer, length, of in zip(vector.layers, vector.norms, vector.state_norms, strict=True)
    )
    return DetailTable(name, ("vector", "layer", "length", "share of the states"), rows, f"{len(value)} vectors")


# ---- on a terminal -------------------------------------------------------------------------------------------------


def details(tables: Sequence[DetailTable], screen: Screen) -> list[list[str]]:
    found = [_lines(table, screen) for table in tables[:MOST_TABLES]]
    if len(tables) > MOST_TABLES:
        more = f"{len(tables) - MOST_TABLES} more tables"
        found.append([f"  {screen.sign('ellipsis')} and {more}; `--format json` gives all"])
    return found


def _lines(table: DetailTable, screen: Screen) -> list[str]:
    shown = [i for i in range(len(table.columns)) if not are_numbers(table, i)]
    texts = [[screen.clean(cell(row[i])) for i in shown] for row in table.rows[:MOST_ROWS]]
    heads = [table.columns[i].replace("_", " ") for i in shown]
    widths = [max([text_width(head), *(text_width(row[n]) for row in texts)]) for n, head in enumerate(heads)]
    kept = _that_fit(widths, screen.width)
    room = screen.width - sum(widths[n] + 2 for n in kept[:-1]) - _MARGIN
    texts = [[screen.cut(row[n], max(room, 12)) if n == kept[-1] else row[n] for n in kept] for row in texts]
    right = [is_numeric(table, shown[n]) for n in kept]
    lines = columns([[heads[n] for n in kept], *texts], right)
    name = screen.cut(screen.clean(table.name), 48)
    note = screen.cut(screen.clean(table.note), max(screen.width - text_width(name) - 2, 4)) if table.note else ""
    more = len(table.rows) - MOST_ROWS
    rest = [f"  {screen.sign('ellipsis')} and {more} more; `--format json` gives all"] if more > 0 else []
    heading = screen.paint(name, "bold") + (f"  {screen.paint(note, 'dim')}" if note else "")
    return [heading, screen.paint(lines[0], "dim"), *lines[1:], *rest]


def _that_fit(widths: Sequence[int], width: int) -> list[int]:
    """The columns that fit beside each other, from the left, two at least; the last may be cut."""
    kept: list[int] = []
    taken = 2
    for n, own in enumerate(widths):
        if len(kept) >= 2 and taken + min(own, 24) > width:
            break
        kept.append(n)
        taken += own + 2
    return kept


def cell(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(cell(v) for v in value)
    return value if isinstance(value, str) else number(value)


def is_numeric(table: DetailTable, column: int) -> bool:
    return all(row[column] is None or isinstance(row[column], (int, float)) for row in table.rows)


def are_numbers(table: DetailTable, column: int) -> bool:
    """Whether cells are lists of numbers, which belong to another column and are for programs to read."""
    cells = [row[column] for row in table.rows if row[column]]
    return bool(cells) and all(isinstance(c, (list, tuple)) and not isinstance(c[0], str) for c in cells)


# ---- as JSON ------------------------------------------------------------------------------------------------------


def detail_document(table: DetailTable) -> dict[str, Any]:
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    return {"name": table.name, "note": table.note, "rows": rows}
