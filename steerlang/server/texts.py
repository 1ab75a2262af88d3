"""Texts as an editor holds them: positions in its units, and edits that arrive piece by piece.

An editor counts lines from 0, ends them at `\\n`, `\\r\\n` or `\\r`, and counts columns in the code units of an
encoding that client and server agreed on; here offsets count code points from the start of the text.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from lsprotocol import types as lsp

_BREAK = re.compile(r"\r\n|\n|\r")

#: Code units a character takes in each encoding.
UNITS: Mapping[str, Callable[[str], int]] = {
    "utf-8": lambda c: 1 if c < "\x80" else 2 if c < "\u0800" else 3 if c < "\U00010000" else 4,
    "utf-16": lambda c: 1 if c < "\U00010000" else 2,
    "utf-32": lambda c: 1,
}

Change = lsp.TextDocumentContentChangePartial | lsp.TextDocumentContentChangeWholeDocument


@dataclass(frozen=True)
class Text:
    """A text and the encoding its positions are counted in."""

    text: str
    encoding: str = "utf-16"

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *(m.end() for m in _BREAK.finditer(self.text))]

    def _end(self, line: int) -> int:
        """Offset of the end of a line, its break left out."""
        if line + 1 == len(self._starts):
            return len(self.text)
        end = self._starts[line + 1] - 1
        return end - 1 if end > self._starts[line] and self.text[end - 1 : end + 1] == "\r\n" else end

    def offset(self, position: lsp.Position) -> int:
        """The offset of a position; one beyond a line or the text means its end, one within a character its start."""
        if position.line >= len(self._starts):
            return len(self.text)
        start, end = self._starts[position.line], self._end(position.line)
        line = self.text[start:end]
        if line.isascii():
            return min(start + position.character, end)
        units, left = UNITS[self.encoding], position.character
        for i, character in enumerate(line):
            if left < units(character):
                return start + i
            left -= units(character)
        return end

    def position(self, offset: int) -> lsp.Position:
        offset = max(0, min(offset, len(self.text)))
        line = bisect_right(self._starts, offset) - 1
        before = self.text[self._starts[line] : offset]
        units = UNITS[self.encoding]
        return lsp.Position(line, len(before) if before.isascii() else sum(map(units, before)))

    def range(self, start: int, end: int) -> lsp.Range:
        return lsp.Range(self.position(start), self.position(end))

    @property
    def whole(self) -> lsp.Range:
        return self.range(0, len(self.text))

    def length(self, start: int, end: int) -> int:
        """Code units between two offsets."""
        return sum(map(UNITS[self.encoding], self.text[start:end]))

    def line_of(self, offset: int) -> int:
        return bisect_right(self._starts, offset) - 1

    def changed(self, changes: Sequence[Change]) -> Text:
        """The text after changes, each of which counts from the text that the one before it left."""
        current = self
        for change in changes:
            if isinstance(change, lsp.TextDocumentContentChangePartial):
                start, end = (current.offset(p) for p in (change.range.start, change.range.end))
                start, end = min(start, end), max(start, end)
                current = Text(current.text[:start] + change.text + current.text[end:], self.encoding)
            else:
                current = Text(change.text, self.encoding)
        return current


@dataclass(frozen=True)
class Document:
    """A file that is open in the editor. `path` is where it lies, None for one without a file."""

    uri: str
    version: int
    content: Text
    path: str | None

    @property
    def text(self) -> str:
        return self.content.text
