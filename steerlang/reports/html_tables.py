"""Tables of any columns on the page: what a metric is made of, dictionaries of concepts, shifts."""

from __future__ import annotations

from .details import are_numbers, cell, is_numeric
from .findings import DetailTable
from .html_parts import Page, anchor, base_name, fold, grid, heading, plural

MOST_ROWS = 200


def tables(page: Page) -> str:
    """Every table; what a section above shows under its name keeps its anchor there."""
    found = page.findings
    seen = {base_name(t.name) for t in found.metrics} | {base_name(t.name) for t in found.samples}
    tabled: set[str] = set()
    parts = []
    for table in found.details:
        name = base_name(table.name)
        mark = "" if name in tabled else f'<span id="{anchor("t", name)}"></span>'
        parts.append(mark + heading(page, table.name, table.note, name not in seen) + _shown(page, table))
        seen.add(name)
        tabled.add(name)
    return "\n".join(parts)


def _shown(page: Page, table: DetailTable) -> str:
    """A table; one of the samples of concepts is folded away, since boards of concepts show it."""
    whole = _table(table)
    shown = any(base_name(board.name) == base_name(table.name) for board in page.findings.boards)
    return fold(f"table of {plural(len(table.rows), 'row')}", whole) if shown else whole


def _table(table: DetailTable) -> str:
    """Texts first, as they stand; lists of numbers are for programs to read."""
    shown = [i for i in range(len(table.columns)) if not are_numbers(table, i)]
    numeric = [is_numeric(table, i) for i in shown]
    heads = [table.columns[i].replace("_", " ") for i in shown]
    rows = [[cell(row[i]) for i in shown] for row in table.rows[:MOST_ROWS]]
    left = len(table.rows) - MOST_ROWS
    cut = f'<p class="soft">{plural(left, "more row")}: `--format json` gives all</p>' if left > 0 else ""
    return grid(heads, rows, numeric) + cut
