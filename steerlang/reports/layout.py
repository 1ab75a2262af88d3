"""Laying text out in columns: widths as terminals count them, cutting, colours, and signs with an ASCII form."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

_STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}
_SIGNS = {
    "yes": ("✓", "ok"), "no": ("✗", "FAILED"), "open": ("?", "?"),
    "ellipsis": ("…", "..."), "dot": ("·", "-"), "line": ("⏎", "\\n"),
    "arrow": ("→", "->"), "times": ("×", "x"), "rule": ("─", "-"),
}


@dataclass(frozen=True)
class Screen:
    """Where text goes: how wide it is, and whether it shows colours and more than ASCII."""

    width: int = 100
    color: bool = False
    unicode: bool = True

    def paint(self, text: str, *styles: str) -> str:
        """Text in the given styles; as it stands where there are no colours."""
        if not self.color or not text:
            return text
        return f"\x1b[{';'.join(_STYLES[s] for s in styles)}m{text}\x1b[0m"

    def sign(self, name: str) -> str:
        return _SIGNS[name][0 if self.unicode else 1]

    def clean(self, text: str) -> str:
        """Text of unknown origin on one line: nothing in it can steer the terminal."""
        text = text.replace("\r\n", "\n").replace("\n", f" {self.sign('line')} ").replace("\t", " ")
        return "".join(c if _is_harmless(c) else "\ufffd" for c in text)

    def cut(self, text: str, width: int) -> str:
        """Text of at most `width` columns; what does not fit is replaced by an ellipsis."""
        if text_width(text) <= width:
            return text
        mark = self.sign("ellipsis")
        room = width - text_width(mark)
        kept: list[str] = []
        for c in text:
            room -= _char_width(c)
            if room < 0:
                break
            kept.append(c)
        return "".join(kept).rstrip() + mark


# Characters that change the direction of what follows them.
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def _is_harmless(c: str) -> bool:
    return unicodedata.category(c) not in {"Cc", "Cs", "Cn"} and c not in _TURNING


def _char_width(c: str) -> int:
    if unicodedata.combining(c) or unicodedata.category(c) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(c) in {"W", "F"} else 1


def text_width(text: str) -> int:
    """Columns a text takes on a terminal. Text without colours."""
    return len(text) if text.isascii() else sum(map(_char_width, text))


def pad(text: str, width: int, right: bool = False) -> str:
    """Text filled up with blanks to `width` columns, on the left of it for `right`."""
    blanks = " " * max(0, width - text_width(text))
    return blanks + text if right else text + blanks


def columns(rows: Sequence[Sequence[str]], right: Sequence[bool], indent: str = "  ", gap: str = "  ") -> list[str]:
    """Rows as aligned lines; `right` says which columns stand against their right edge."""
    if not rows:
        return []
    widths = [max(text_width(row[i]) for row in rows) for i in range(len(rows[0]))]
    filled = ([pad(cell, w, r) for cell, w, r in zip(row, widths, right, strict=True)] for row in rows)
    return [(indent + gap.join(cells)).rstrip() for cells in filled]
