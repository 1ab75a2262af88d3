"""Lines of a program with marks under what is pointed at."""

from __future__ import annotations

from dataclasses import dataclass

from steerlang.source import Source, Span

from .cells import Window, window
from .codes import Severity
from .model import Label
from .style import Style


@dataclass(frozen=True, slots=True)
class Mark:
    """A range `[start, end)` of one line to underline; `end` may equal `start` for a place between characters."""

    line: int
    start: int
    end: int
    message: str
    is_primary: bool


def snippet(
    source: Source, labels: list[tuple[Label, bool]], gutter: int, limit: int, severity: Severity, style: Style,
) -> list[str]:
    """The lines that `labels` (with whether each is the primary one) point at, marked and numbered."""
    by_line: dict[int, list[Mark]] = {}
    for label, is_primary in labels:
        for mark in _marks(source, label, is_primary):
            by_line.setdefault(mark.line, []).append(mark)
    bar = style.frame("|")
    rows = [f"{' ' * gutter} {bar}"]
    previous = 0
    for number in sorted(by_line):
        if previous and number == previous + 2:
            text = window(source.line(previous + 1), 0, limit).text
            rows.append(f"{style.frame(str(previous + 1).rjust(gutter))} {bar} {text}".rstrip())
        elif previous and number > previous + 1:
            rows.append(style.frame("..."))
        marks = sorted(by_line[number], key=lambda m: (m.start, m.end))
        focus = next((m for m in marks if m.is_primary), marks[0])
        shown = window(source.line(number), focus.start, limit)
        rows.append(f"{style.frame(str(number).rjust(gutter))} {bar} {shown.text}".rstrip())
        rows += [f"{' ' * gutter} {bar} {row}" for row in _underlines(shown, marks, severity, style)]
        previous = number
    return rows


def _marks(source: Source, label: Label, is_primary: bool) -> list[Mark]:
    """The label on its line; on its first and last line when it covers several."""
    first, last = _positions(label.span)
    start_line, start = first
    end_line, end = last
    if start_line == end_line:
        return [Mark(start_line, start, end, label.message, is_primary)]
    line = source.line(end_line)
    indent = len(line) - len(line.lstrip())
    return [
        Mark(start_line, start, max(start + 1, len(source.line(start_line).rstrip())), "", is_primary),
        Mark(end_line, min(indent, end), end, label.message, is_primary),
    ]


def _positions(span: Span) -> tuple[tuple[int, int], tuple[int, int]]:
    """Line and character index of both ends; an end at the start of a line belongs to the line before."""
    first, last = span.first, span.last
    if last.line > first.line and last.column == 1:
        text = span.source.line(last.line - 1)
        return (first.line, first.column - 1), (last.line - 1, len(text))
    return (first.line, first.column - 1), (last.line, last.column - 1)


def _underlines(shown: Window, marks: list[Mark], severity: Severity, style: Style) -> list[str]:
    """One row with the marks and the rightmost message, then one row for each message left."""
    cells: list[tuple[str, bool]] = []
    for mark in sorted(marks, key=lambda m: m.is_primary):
        start, end = _columns(shown, mark)
        cells += [(" ", False)] * (end - len(cells))
        cells[start:end] = [("^" if mark.is_primary else "-", mark.is_primary)] * (end - start)
    rest = [m for m in marks if m.message]
    inline = rest.pop() if rest and rest[-1].end >= max(m.end for m in marks) else None
    row = _painted(cells, severity, style)
    if inline is not None:
        row += " " + _paint(inline.message, inline.is_primary, severity, style)
    rows = [row]
    while rest:
        lowest = rest.pop()
        for text in ("|", lowest.message):
            columns = [(_columns(shown, m)[0], "|", m.is_primary) for m in rest]
            columns.append((_columns(shown, lowest)[0], text, lowest.is_primary))
            rows.append(_at_columns(columns, severity, style))
    return rows


def _columns(shown: Window, mark: Mark) -> tuple[int, int]:
    start, end = shown.column(mark.start), shown.column(mark.end)
    return start, max(end, start + 1)


def _at_columns(columns: list[tuple[int, str, bool]], severity: Severity, style: Style) -> str:
    row, length = "", 0
    for column, text, is_primary in columns:
        if column < length:
            continue
        row += " " * (column - length) + _paint(text, is_primary, severity, style)
        length = column + len(text)
    return row


def _painted(cells: list[tuple[str, bool]], severity: Severity, style: Style) -> str:
    row = ""
    start = 0
    for i in range(1, len(cells) + 1):
        if i == len(cells) or cells[i] != cells[start]:
            character, is_primary = cells[start]
            row += _paint(character * (i - start), is_primary, severity, style)
            start = i
    return row


def _paint(text: str, is_primary: bool, severity: Severity, style: Style) -> str:
    return style.severity(severity, text) if is_primary else style.frame(text)
