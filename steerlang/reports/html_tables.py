"""Tables of any columns on the page: what a metric is made of, dictionaries of concepts, shifts."""

from __future__ import annotations

from .details import are_numbers, cell, is_numeric
from .findings import DetailTable
from .html_parts import Page, base_name, grid, heading, plural

MOST_ROWS = 200


def tables(page: Page) -> str:
    """Every table; what a section above shows under its name keeps its anchor there."""
    found = page.findings
    seen = {base_name(t.name) for t in found.metrics} | {base_name(t.name) for t in found.samples}
    parts = []
    for table in found.details:
        name = base_name(table.name)
        parts.append(heading(page, table.name, table.note, name not in seen) + _table(table))
        seen.add(name)
    return "\n".join(parts)


def _table(table: DetailTable) -> str:
    """Texts first, as they stand; lists of numbers are for programs to read."""
    shown = [i for i in range(len(table.columns)) if not are_numbers(table, i)]
    numeric = [is_numeric(table, i) for i in shown]
    heads = [table.columns[i].replace("_", " ") for i in shown]
    rows = [[cell(row[i]) for i in shown] for row in table.rows[:MOST_ROWS]]
    left = len(table.rows) - MOST_ROWS
    cut = f'<p class="soft">{plural(left, "more row")}: `--format json` gives all</p>' if left > 0 else ""
    return grid(heads, rows, numeric) + cut
