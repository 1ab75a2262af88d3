"""What stands between two tokens of a line: a space or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .lexing import Token
from .vocabulary import INFIX

if TYPE_CHECKING:
    from .comments import Part

_ARITHMETIC = frozenset({"PLUS", "MINUS", "STAR", "SLASH"})
_LOOSER_THAN_RANGE = frozenset({"OR", "AND", "NOT", "COMPARE", "EQUAL"})


def flat(parts: list[Part]) -> str:
    """The parts on one line (texts of several lines keep theirs)."""
    return "".join(separator(parts, i) + flat_part(part) for i, part in enumerate(parts))


def flat_part(part: Part) -> str:
    return part.text.replace("\r\n", "\n") if isinstance(part, Token) else part.flat


def separator(parts: list[Part], i: int) -> str:
    """What stands between part `i` and the one before it: a space or nothing."""
    if i == 0:
        return ""
    left, right = parts[i - 1], parts[i]
    if not isinstance(right, Token) and right.is_attached:
        return ""
    kinds = {part.type for part in (left, right) if isinstance(part, Token)}
    if "DOT" in kinds or is_sign(parts, i - 1):
        return ""
    for k in (i - 1, i):
        if part_type(parts[k]) in ("RANGE", "UNTIL"):
            return " " if _is_wide_range(parts, k) else ""
    return " "


def part_type(part: Part) -> str:
    return part.type if isinstance(part, Token) else ""


def is_sign(parts: list[Part], i: int) -> bool:
    """Whether part `i` is a minus with nothing on its left."""
    if part_type(parts[i]) != "MINUS":
        return False
    return i == 0 or part_type(parts[i - 1]) in INFIX | {"NOT", "EQUAL"}


def _is_wide_range(parts: list[Part], k: int) -> bool:
    """Whether an end of the range at `k` is arithmetic, so that `last - 4 .. last` needs its spaces."""
    for step in (-1, 1):
        i = k + step
        while 0 <= i < len(parts) and part_type(parts[i]) not in _LOOSER_THAN_RANGE:
            if part_type(parts[i]) in _ARITHMETIC and not is_sign(parts, i):
                return True
            i += step
    return False
