"""Skeletons and bitmap fonts, read from the text files beside this one."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

HERE = Path(__file__).parent
ARC = 10  # corners of an arc

Points = NDArray[np.float32]


def _arc(cx: float, cy: float, rx: float, ry: float, start: float, end: float) -> list[tuple[float, float]]:
    angles = np.radians(np.linspace(start, end, ARC if abs(end - start) < 300 else 2 * ARC - 6))
    return [(cx + rx * float(np.cos(t)), cy + ry * float(np.sin(t))) for t in angles]


def _path(text: str) -> Points:
    """The corners of one path [points, 2]."""
    corners: list[tuple[float, float]] = []
    words = text.split()
    while words:
        end = next((i for i, word in enumerate(words[1:], 1) if word in "la"), len(words))
        kind, numbers, words = words[0], [float(word) for word in words[1:end]], words[end:]
        corners += _arc(*numbers) if kind == "a" else zip(numbers[::2], numbers[1::2], strict=True)
    return np.array(corners, np.float32)


@cache
def skeletons() -> dict[str, list[list[Points]]]:
    """Name: its forms, each a list of paths."""
    forms: dict[str, list[list[Points]]] = {}
    for line in (HERE / "skeletons.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, _, paths = line.partition(": ")
            forms.setdefault(name, []).append([_path(path) for path in paths.split(";")])
    return forms


@cache
def fonts() -> dict[str, dict[str, NDArray[np.bool_]]]:
    """Font: name: its bitmap [rows, columns]."""
    found: dict[str, dict[str, NDArray[np.bool_]]] = {}
    for line in (HERE / "fonts.txt").read_text(encoding="utf-8").splitlines():
        name, *rows = line.split()
        if name == "font":
            font = found.setdefault(rows[0], {})
        elif name != "#":
            font[name] = np.array([[mark == "#" for mark in row] for row in rows])
    return found
