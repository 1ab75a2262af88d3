"""Expectations as they are shown: the many points of one as a single line, with those at which it does not hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from .findings import Expected, number

FEW = 4  # so many points of one expectation are shown each by itself


@dataclass(frozen=True)
class Line:
    """A line of expectations: a single one, or all points of one (`points`, of which those that do not hold follow in
    lines of their own)."""

    label: str
    holds: bool | None
    text: str
    numbers: str
    place: str = ""
    points: tuple[Expected, ...] = ()


def lines(found: Sequence[Expected]) -> list[Line]:
    """Every expectation, in the order of the program."""
    made: list[Line] = []
    for (name, _), group in groupby(found, key=lambda e: (e.label.partition("[")[0], e.text)):
        points = tuple(group)
        if len(points) <= FEW:
            made += map(_single, points)
            continue
        made.append(_together(name, points))
        made += [_single(e) for e in points if e.holds is not True]
    return made


def _single(e: Expected) -> Line:
    return Line(e.label, e.holds, e.text, numbers_text(e), e.place)


def _together(name: str, points: tuple[Expected, ...]) -> Line:
    states = {e.holds for e in points}
    holds = False if False in states else None if None in states else True
    holding = [e for e in points if e.holds]
    words = f"{len(holding)} of {len(points)} points"
    near = min((e for e in holding if _margin(e) is not None), key=lambda e: _margin(e) or 0.0, default=None)
    if near is not None:
        words += f", closest {numbers_text(near)}"
    return Line(name, holds, points[0].text, words, points=points)


def _margin(e: Expected) -> float | None:
    """How far both sides lie apart."""
    return abs(float(e.left) - float(e.right)) if e.left is not None and e.right is not None else None


def numbers_text(e: Expected) -> str:
    """Both sides of an expectation as measured: `0.41 >= 0.23`."""
    if e.holds is None:
        return "not judged"
    return f"{number(e.left)} {e.operator} {number(e.right)}" if e.operator and e.left is not None else ""
