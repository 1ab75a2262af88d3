"""The parts a column can play in a row, and what its cells must then be."""

from __future__ import annotations

from collections.abc import Mapping

from .json_rows import type_in_words
from .table import Row, RowProblem

ROLES = ("text", "source", "target", "label", "prompt", "image")
TEXT_ROLES = frozenset({"text", "source", "target", "prompt"})


def check_cell(row: Row, role: str, column: str) -> RowProblem | None:
    """What is wrong with the cell that `row` has for `role`, or None. The column must be there."""
    value = row.cells[column]
    if role == "label":
        if isinstance(value, (str, int)) and value != "":
            return None
        wrong = "is an empty text" if value == "" else f"holds {type_in_words(value)}"
        help = "a label is a text or a whole number"
        return RowProblem(row.line, column, f"column `{column}` {wrong}, not a label", help)
    if not isinstance(value, str):
        return RowProblem(row.line, column, f"column `{column}` holds {type_in_words(value)}, not a text")
    if not value.strip():
        return RowProblem(row.line, column, f"column `{column}` is empty")
    return None


def check_cells(row: Row, columns: Mapping[str, str]) -> list[RowProblem]:
    """What is wrong with the cells that `columns` (role to column) names. Absent ones are left to the caller."""
    found = (check_cell(row, role, column) for role, column in columns.items() if column in row.cells)
    return [problem for problem in found if problem is not None]
