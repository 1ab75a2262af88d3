"""Text on a terminal: how many cells characters take, and which part of a long line to show."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

TAB = "    "
_ELLIPSIS = "..."
_LEAD = 20  # characters shown before what is pointed at, in a line that is cut


def cells(character: str) -> int:
    """Terminal cells of one character: 0 for combining ones, 2 for wide ones, 4 for a tab."""
    if " " <= character <= "~":
        return 1
    if character == "\t":
        return len(TAB)
    category = unicodedata.category(character)
    if category in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def shown(character: str) -> str:
    """What is printed for a character: tabs become spaces, control characters a replacement mark."""
    if character == "\t":
        return TAB
    if unicodedata.category(character) in ("Cc", "Cs"):
        return "\ufffd"
    return "" if unicodedata.category(character) == "Cf" else character


def width(text: str) -> int:
    return sum(cells(c) for c in text)


@dataclass(frozen=True, slots=True)
class Window:
    """The part `[start, end)` of a line that is shown, `text` with marks where it was cut."""

    text: str
    line: str
    start: int
    end: int

    def column(self, index: int) -> int:
        """Cell at which character `index` of the line begins; what is cut away lies at the border."""
        lead = len(_ELLIPSIS) if self.start else 0
        index = max(self.start, min(index, self.end))
        return lead + width(self.line[self.start : index])


def window(line: str, focus: int, limit: int) -> Window:
    """The whole line if it fits into `limit` cells, else the part around character `focus`."""
    start, end = 0, len(line)
    if width(line) > limit:
        if width(line[:focus]) > limit - _LEAD:
            start = max(0, focus - _LEAD)
        room = limit - 2 * len(_ELLIPSIS)
        end = start
        while end < len(line) and room >= cells(line[end]):
            room -= cells(line[end])
            end += 1
    text = "".join(shown(c) for c in line[start:end])
    lead = _ELLIPSIS if start else ""
    tail = _ELLIPSIS if end < len(line) else ""
    return Window(lead + text + tail, line, start, end)
