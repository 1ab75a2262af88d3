"""Rows of comma- and tab-separated files with a header. Quoting follows RFC 4180 in both; every cell is a text."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import BinaryIO

from .table import Event, Header, ProblemKind, Row, RowProblem, UnreadableError
from .text_lines import TextLine, text_lines, without_blank_end

_QUOTE_HELP = 'write a quote inside a quoted field twice (`""`), and close every quoted field'


class _Lines:
    """Lines for `csv.reader`, with a record of those that cannot be used."""

    def __init__(self, lines: Iterator[TextLine]) -> None:
        self._lines = lines
        self.bad: dict[int, str] = {}

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            if line.trouble:
                self.bad[line.number] = line.trouble
            yield line.text + "\n"


def separated_rows(handle: BinaryIO, delimiter: str) -> Iterator[Event]:
    """Rows of a table whose first line names the columns."""
    lines = _Lines(without_blank_end(text_lines(handle)))
    reader = csv.reader(iter(lines), delimiter=delimiter, strict=True)
    header = _header(reader, lines)
    yield Header(header)
    while True:
        first = reader.line_num + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield RowProblem(first, None, f"is malformed: {error}", _csv_help(str(error)))
            continue
        trouble = [text for number, text in lines.bad.items() if number >= first]
        lines.bad.clear()
        yield RowProblem(first, None, trouble[0]) if trouble else _row(first, header, fields)


def _csv_help(message: str) -> str:
    if "field larger" in message:
        return "a quoted field may lack its closing quote"
    return _QUOTE_HELP


def _header(reader: Iterator[list[str]], lines: _Lines) -> tuple[str, ...]:
    try:
        header = tuple(next(reader))
    except StopIteration:
        raise UnreadableError("has no header line", "name the columns in the first line", ProblemKind.EMPTY) from None
    except csv.Error as error:
        raise UnreadableError(f"has a malformed header line: {error}", _QUOTE_HELP) from None
    if lines.bad:
        raise UnreadableError(f"has a header line that {next(iter(lines.bad.values()))}", "save the file as UTF-8")
    if not header or any(not name.strip() for name in header):
        raise UnreadableError("has a column without a name in its header line", "name every column in the first line")
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise UnreadableError(f"names column `{twice[0]}` twice in its header line", "give every column its own name")
    return header


def _row(line: int, header: tuple[str, ...], fields: list[str]) -> Row | RowProblem:
    if not fields or (len(header) > 1 and fields == [""]):
        return RowProblem(line, None, "is empty", "delete the line")
    if len(fields) != len(header):
        many = "field" if len(fields) == 1 else "fields"
        help = "put a field that holds the separator into double quotes" if len(fields) > len(header) else ""
        return RowProblem(line, None, f"has {len(fields)} {many}, but the header names {len(header)}", help)
    return Row(line, dict(zip(header, fields, strict=True)))
