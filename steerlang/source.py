"""Program text with stable positions.

A `Span` is a half-open range of code points into one `Source`. Lines and columns are computed only when something is
shown, from the line index of the source; both count from 1 and columns count code points.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a text: `line` and `column` count from 1, `offset` from 0, all in code points."""

    line: int
    column: int
    offset: int


@dataclass(frozen=True, eq=False)
class Source:
    """One program text and the name it is shown under.

    `name` is what messages print (a path relative to the working directory, or `<stdin>`); `path` is the absolute
    path relative imports and data files are resolved against, or None for text that has no folder.
    """

    name: str
    text: str
    path: str | None = None

    @cached_property
    def line_starts(self) -> tuple[int, ...]:
        starts = [0]
        starts.extend(i + 1 for i, c in enumerate(self.text) if c == "\n")
        return tuple(starts)

    def position(self, offset: int) -> Position:
        offset = max(0, min(offset, len(self.text)))
        line = bisect_right(self.line_starts, offset) - 1
        return Position(line + 1, offset - self.line_starts[line] + 1, offset)

    def line(self, number: int) -> str:
        """Text of line `number` (from 1) without its line break."""
        start = self.line_starts[number - 1]
        end = self.line_starts[number] if number < len(self.line_starts) else len(self.text)
        return self.text[start:end].rstrip("\r\n")

    @property
    def line_count(self) -> int:
        return len(self.line_starts)


@dataclass(frozen=True, slots=True)
class Span:
    """Half-open range `[start, end)` of code points in `source`."""

    source: Source
    start: int
    end: int

    @property
    def text(self) -> str:
        return self.source.text[self.start : self.end]

    @property
    def first(self) -> Position:
        return self.source.position(self.start)

    @property
    def last(self) -> Position:
        return self.source.position(self.end)

    def to(self, other: Span) -> Span:
        """The smallest span of the same source that covers both."""
        return Span(self.source, min(self.start, other.start), max(self.end, other.end))
