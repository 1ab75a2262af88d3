"""Reading data files: JSON lines, JSON, CSV, TSV, plain lines, parquet.

Files are streamed; every bad row is reported with its line and does not hide the others. A blank line inside a file is
a bad row, blank lines at its end are not. Nothing is guessed: the format is what the program says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from .csv_rows import separated_rows
from .json_rows import json_list_rows, jsonl_rows
from .parquet_rows import parquet_rows
from .roles import check_cells
from .table import MAX_LISTED_PROBLEMS, Event, Header, ProblemKind, Row, RowProblem, Table, UnreadableError
from .text_lines import text_lines, without_blank_end

FORMATS = ("jsonl", "json", "csv", "tsv", "lines", "parquet")


def read_table(
    path: Path | str, format: str, columns: Mapping[str, str] | None = None, keep: int | None = None
) -> Table:
    """The rows of a data file.

    columns  role (`text`, `source`, `target`, `label`, `prompt`, `image`) to the column that plays it: these must be
             there, and their cells must be what the role asks
    keep     how many rows to keep; all are read and counted (None: keep all)
    """
    fold = _Fold(dict(columns or {}), keep)
    try:
        for event in read_rows(Path(path), format):
            fold.add(event)
    except UnreadableError as error:
        fold.report(error.problem)
        return fold.table()
    except RecursionError:
        fold.report(RowProblem(0, None, "is nested too deeply", kind=ProblemKind.FILE))
        return fold.table()
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        fold.report(RowProblem(0, None, f"cannot be read: {reason}", kind=ProblemKind.FILE))
        return fold.table()
    return fold.finished()


def read_rows(path: Path, format: str) -> Iterator[Event]:
    """Rows and problems in the order of the file. Raises `UnreadableError` or `OSError` when there is no reading on."""
    if format == "parquet":
        yield from parquet_rows(path)
        return
    with path.open("rb") as handle:
        yield from _rows(handle, format)


def _rows(handle: BinaryIO, format: str) -> Iterator[Event]:
    if format == "jsonl":
        return jsonl_rows(handle)
    if format == "json":
        return json_list_rows(handle)
    if format in ("csv", "tsv"):
        return separated_rows(handle, "," if format == "csv" else "\t")
    if format == "lines":
        return _plain_rows(handle)
    raise ValueError(f"no such format: {format!r}")


def _plain_rows(handle: BinaryIO) -> Iterator[Row | RowProblem]:
    for line in without_blank_end(text_lines(handle)):
        if line.trouble:
            yield RowProblem(line.number, None, line.trouble)
        elif line.is_blank:
            yield RowProblem(line.number, None, "is empty", "delete the line")
        else:
            yield Row(line.number, {"text": line.text})


class _Problems:
    """The first few of many problems, and their number."""

    def __init__(self) -> None:
        self.listed: list[RowProblem] = []
        self.count = 0

    def add(self, problem: RowProblem) -> None:
        self.count += 1
        if len(self.listed) < MAX_LISTED_PROBLEMS:
            self.listed.append(problem)

    def join(self, other: _Problems) -> None:
        self.listed = sorted(self.listed + other.listed, key=lambda p: p.line)[:MAX_LISTED_PROBLEMS]
        self.count += other.count


class _Fold:
    """Collects rows and problems into a `Table`."""

    def __init__(self, columns: Mapping[str, str], keep: int | None) -> None:
        self._needed = columns
        self._keep = keep
        self._columns: dict[str, None] = {}
        self._rows: list[Row] = []
        self._row_count = 0
        self._seen = 0
        self._problems = _Problems()
        # Kept apart until the end: a column no row has is one mistake in the program, not one in every row.
        self._absent = {column: _Problems() for column in columns.values()}

    def add(self, event: Event) -> None:
        if isinstance(event, Header):
            self._columns.update(dict.fromkeys(event.columns))
            return
        self._seen += 1
        if isinstance(event, RowProblem):
            self.report(event)
        else:
            self._add_row(event)

    def _add_row(self, row: Row) -> None:
        self._columns.update(dict.fromkeys(row.cells))
        problems = check_cells(row, self._needed)
        for problem in problems:
            self.report(problem)
        absent = [column for column in self._absent if column not in row.cells]
        for column in absent:
            self._absent[column].add(RowProblem(row.line, column, f"has no column `{column}`"))
        if problems or absent:
            return
        self._row_count += 1
        if self._keep is None or len(self._rows) < self._keep:
            self._rows.append(row)

    def report(self, problem: RowProblem) -> None:
        self._problems.add(problem)

    def finished(self) -> Table:
        """The table once the file has been read to its end."""
        for column, problems in self._absent.items():
            if column in self._columns:
                self._problems.join(problems)
            elif self._columns:
                self.report(RowProblem(0, column, f"has no column `{column}`", kind=ProblemKind.COLUMN))
        if not self._seen:
            self.report(RowProblem(0, None, "has no rows", kind=ProblemKind.EMPTY))
        return self.table()

    def table(self) -> Table:
        """What has been collected so far."""
        rows, problems = tuple(self._rows), self._problems
        return Table(tuple(self._columns), rows, self._row_count, tuple(problems.listed), problems.count)
