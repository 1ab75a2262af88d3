"""Tables of any columns on the page: what a metric is made of, dictionaries of concepts, shifts."""

from __future__ import annotations

from html import escape
from itertools import groupby
from pathlib import PurePath
from typing import Any

from .details import are_numbers, cell, is_numeric
from .findings import DetailTable
from .html_parts import Markup, Page, anchor, base_name, fold, grid, heading, picture, plural

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
    """The samples of concepts as rows of images, where they are images; anything else as a table."""
    gallery = _gallery(page, table)
    whole = _table(page, table)
    return gallery + fold(f"table of {plural(len(table.rows), 'row')}", whole) if gallery else whole


def _gallery(page: Page, table: DetailTable) -> str:
    """For each concept its images, strongest first, with their activations."""
    if not {"concept", "image", "activation"} <= set(table.columns):
        return ""
    concept, activation = (table.columns.index(name) for name in ("concept", "activation"))
    parts = []
    for name, group in groupby(table.rows[:MOST_ROWS], key=lambda row: row[concept]):
        figures = [
            f"<figure>{shown}<figcaption>{escape(cell(row[activation]))}</figcaption></figure>"
            for row in group if (shown := _picture(page, table, row))
        ]  # fmt: skip
        if figures:
            row = f'<div class="gallery">{"".join(figures)}</div>'
            parts.append(f'<p class="soft">concept {escape(cell(name))}</p>{row}')
    return "\n".join(parts)


def _picture(page: Page, table: DetailTable, row: tuple[Any, ...]) -> str:
    return picture(page, str(PurePath(table.folder, cell(row[table.columns.index("image")]))))


def _table(page: Page, table: DetailTable) -> str:
    """Texts first, as they stand; lists of numbers are for programs to read."""
    shown = [i for i in range(len(table.columns)) if not are_numbers(table, i)]
    numeric = [is_numeric(table, i) for i in shown]
    heads = [table.columns[i].replace("_", " ") for i in shown]
    rows = [[_cell(page, table, row, i) for i in shown] for row in table.rows[:MOST_ROWS]]
    left = len(table.rows) - MOST_ROWS
    cut = f'<p class="soft">{plural(left, "more row")}: `--format json` gives all</p>' if left > 0 else ""
    return grid(heads, rows, numeric) + cut


def _cell(page: Page, table: DetailTable, row: tuple[Any, ...], column: int) -> str:
    """A cell's text; images are shown above their names."""
    words = cell(row[column])
    return Markup(_picture(page, table, row) + escape(words)) if table.columns[column] == "image" else words
