"""The parts a column can play in a row, and what its cells must then be."""

from __future__ import annotations

from collections.abc import Mapping

from .json_rows import type_in_words
from .table import Row, RowProblem

ROLES = ("text", "source", "target", "label", "prompt", "image", "references", "answer_type", "id")
TEXT_ROLES = frozenset({"text", "source", "target", "prompt"})
# What no model reads: it goes along with what is generated for a row, and metrics look at it.
CARRIED = ("references", "answer_type")
_NAMES = {"label": "a label", "id": "an id", "answer_type": "a type of answers"}


def check_cell(row: Row, role: str, column: str) -> RowProblem | None:
    """What is wrong with the cell that `row` has for `role`, or None. The column must be there."""
    value = row.cells[column]
    if role in _NAMES:
        if isinstance(value, (str, int)) and value != "":
            return None
        wrong = "is an empty text" if value == "" else f"holds {type_in_words(value)}"
        message = f"column `{column}` {wrong}, not {_NAMES[role]}"
        return RowProblem(row.line, column, message, f"{_NAMES[role]} is a text or a whole number")
    if role == "references":
        return _check_references(row.line, column, value)
    if not isinstance(value, str):
        return RowProblem(row.line, column, f"column `{column}` holds {type_in_words(value)}, not a text")
    if not value.strip():
        return RowProblem(row.line, column, f"column `{column}` is empty")
    return None


def references_of(value: object) -> tuple[str, ...] | None:
    """The reference texts of a cell: a list of texts, or a text in which `|` stands between them; None where it is
    neither. An entry may be a whole number, or an object with its text as `answer`, as in the files of VQA."""
    entries = value if isinstance(value, list) else value.split("|") if isinstance(value, str) else [value]
    found = [_reference(entry) for entry in entries]
    return None if None in found else tuple(text.strip() for text in found if text is not None)


def _reference(entry: object) -> str | None:
    if isinstance(entry, Mapping):
        entry = entry.get("answer")
    if isinstance(entry, int) and not isinstance(entry, bool):
        return str(entry)
    return entry if isinstance(entry, str) else None


def _check_references(line: int, column: str, value: object) -> RowProblem | None:
    found = references_of(value)
    if found is None:
        message = f"column `{column}` holds {type_in_words(value)}, not reference texts"
        return RowProblem(line, column, message, "give a list of texts, or one text with `|` between them")
    if not any(found):
        return RowProblem(line, column, f"column `{column}` holds no reference text")
    return None


def check_cells(row: Row, columns: Mapping[str, str]) -> list[RowProblem]:
    """What is wrong with the cells that `columns` (role to column) names. Absent ones are left to the caller."""
    found = (check_cell(row, role, column) for role, column in columns.items() if column in row.cells)
    return [problem for problem in found if problem is not None]
