"""What reading a data file gives: rows with their line numbers, and everything that is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Union

MAX_LISTED_PROBLEMS = 20


class ProblemKind(Enum):
    """What a problem is about; the caller chooses the diagnostic code by it."""

    ROW = "row"
    COLUMN = "column"
    EMPTY = "empty"
    FILE = "file"
    EXTRA = "extra"


@dataclass(frozen=True, slots=True)
class RowProblem:
    """One thing wrong with a data file.

    `line` counts from 1; 0 means the whole file. `message` reads after "line 7: " or after the file's name; `help` says
    how to mend it, or is empty. `column` names the column at fault where there is one.
    """

    line: int
    column: str | None
    message: str
    help: str = ""
    kind: ProblemKind = ProblemKind.ROW


@dataclass(frozen=True, slots=True)
class Row:
    """One row: the line of the file it begins on (from 1) and its cells by column."""

    line: int
    cells: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Header:
    """The columns a file names before its rows."""

    columns: tuple[str, ...]


Event = Union[Row, RowProblem, Header]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of a data file that can be read, and what is wrong with the others.

    columns        in the order in which they first appear
    rows           the good rows (the first few only, where the reader was told to keep no more)
    row_count      how many good rows the file has
    problems       at most `MAX_LISTED_PROBLEMS`, by line
    problem_count  how many there are
    """

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    row_count: int
    problems: tuple[RowProblem, ...] = ()
    problem_count: int = 0

    @property
    def lines(self) -> tuple[int, ...]:
        """The line each kept row begins on."""
        return tuple(row.line for row in self.rows)


def empty_file() -> UnreadableError:
    """A file of no bytes."""
    return UnreadableError("is empty", "a file of zero bytes often comes from an interrupted copy", ProblemKind.EMPTY)


class UnreadableError(Exception):
    """A file that cannot be read at all; caught inside this package and turned into a `RowProblem`."""

    def __init__(self, message: str, help: str = "", kind: ProblemKind = ProblemKind.FILE) -> None:
        super().__init__(message)
        self.problem = RowProblem(0, None, message, help, kind)
