"""Draws a scene: a textured ground, things with a rim in the cells of a 3 x 3 grid, a palette for the mood."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

import numpy as np
from numpy.typing import NDArray

from .world import Scene

CELL = 16
SIDE = 3 * CELL
Array = NDArray[np.float32]
Colour = tuple[float, float, float]

INK: Mapping[str, Colour] = {
    "red": (0.90, 0.15, 0.15), "yellow": (0.98, 0.85, 0.15), "green": (0.15, 0.70, 0.25),
    "blue": (0.15, 0.35, 0.92), "purple": (0.62, 0.22, 0.75),
}  # fmt: skip
RADIUS = {"small": 4.2, "large": 6.4}


def draw(scene: Scene, rng: np.random.Generator) -> NDArray[np.uint8]:
    """The picture [SIDE, SIDE, 3]; `rng` moves things by a pixel or two and shifts the ground."""
    image = GROUNDS[scene.place](rng)
    for group in scene.groups:
        body, rim = _cover(group.shape, group.size)
        reach = 2 if group.size == "small" else 1
        for cell in group.cells:
            down, right = (int(move) for move in rng.integers(-reach, reach + 1, 2))
            top, left = CELL * (cell // 3) + down, CELL * (cell % 3) + right
            _paste(image, top, left, rim, (0.08, 0.08, 0.10))
            _paste(image, top, left, body, INK[group.colour])
    return np.round(MOOD[scene.mood](image).clip(0, 1) * 63).astype(np.uint8) * 4


def _paste(image: Array, top: int, left: int, cover: Array, ink: Colour) -> None:
    rows = slice(max(top, 0), min(top + CELL, SIDE))
    columns = slice(max(left, 0), min(left + CELL, SIDE))
    part = cover[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left, None]
    image[rows, columns] = image[rows, columns] * (1 - part) + np.asarray(ink, np.float32) * part


def _grid(side: int, fine: int = 1) -> tuple[Array, Array]:
    """Centres of pixels as (down, right), in pixels."""
    line = (np.arange(side * fine, dtype=np.float32) + 0.5) / fine
    down, right = np.meshgrid(line, line, indexing="ij")
    return down, right


@cache
def _cover(shape: str, size: str) -> tuple[Array, Array]:
    """How much of each pixel of a cell the thing covers, without and with its rim."""
    down, right = _grid(CELL, 4)
    y, x = down - CELL / 2, right - CELL / 2
    parts = (FORMS[shape](x / reach, y / reach) for reach in (RADIUS[size], RADIUS[size] + 1.0))
    body, rim = (part.reshape(CELL, 4, CELL, 4).mean((1, 3)).astype(np.float32) for part in parts)
    return body, rim


def _star(x: Array, y: Array) -> Array:
    turn = np.arctan2(x, -y) % (2 * np.pi / 5)
    folded = np.abs(turn - np.pi / 5)
    inner = 0.45
    # The edge runs from the tip (radius 1, angle pi/5 from the notch) to the notch (radius `inner`).
    tip = np.array([np.cos(np.pi / 5), np.sin(np.pi / 5)])
    edge = tip - np.array([inner, 0.0])
    px, py = np.hypot(x, y) * np.cos(folded), np.hypot(x, y) * np.sin(folded)
    return edge[0] * py - edge[1] * (px - inner) >= 0


FORMS: Mapping[str, Callable[[Array, Array], Array]] = {
    "circle": lambda x, y: x**2 + y**2 <= 0.9,
    "square": lambda x, y: np.maximum(np.abs(x), np.abs(y)) <= 0.82,
    "triangle": lambda x, y: (y <= 0.8) & (np.abs(x) <= (y + 1.0) * 0.55),
    "star": _star,
    "cross": lambda x, y: (np.minimum(np.abs(x), np.abs(y)) <= 0.3) & (np.maximum(np.abs(x), np.abs(y)) <= 0.95),
    "heart": lambda x, y: (1.2 * x**2 + (-1.2 * y + 0.1 - 0.75 * np.sqrt(np.abs(x) + 1e-6)) ** 2) <= 0.85,
}


def _plain(colour: Colour) -> Array:
    return np.broadcast_to(np.asarray(colour, np.float32), (SIDE, SIDE, 3)).copy()


def _dots(image: Array, count: int, colour: Colour, rng: np.random.Generator, tall: int = 1) -> Array:
    """Specks one pixel wide and `tall` high."""
    rows, columns = rng.integers(0, SIDE - tall + 1, count), rng.integers(0, SIDE, count)
    for step in range(tall):
        image[rows + step, columns] = colour
    return image


def _sea(rng: np.random.Generator) -> Array:
    down, right = _grid(SIDE)
    bent = down / 8 + 0.12 * np.sin(2 * np.pi * right / 16 + rng.uniform(0, 6))
    image = _plain((0.20, 0.55, 0.75))
    image[np.sin(2 * np.pi * bent + rng.uniform(0, 6)) > 0.8] = (0.75, 0.90, 0.95)
    return image


def _night(rng: np.random.Generator) -> Array:
    return _dots(_plain((0.07, 0.08, 0.28)), 26, (1.0, 1.0, 0.8), rng)


def _field(rng: np.random.Generator) -> Array:
    return _dots(_plain((0.50, 0.72, 0.33)), 45, (0.25, 0.50, 0.15), rng, tall=4)


def _sand(rng: np.random.Generator) -> Array:
    return _dots(_plain((0.90, 0.78, 0.52)), 80, (0.70, 0.55, 0.30), rng)


def _snow(rng: np.random.Generator) -> Array:
    return _dots(_plain((0.93, 0.95, 0.98)), 40, (0.62, 0.72, 0.85), rng, tall=2)


GROUNDS: Mapping[str, Callable[[np.random.Generator], Array]] = {
    "sea": _sea, "field": _field, "night": _night, "sand": _sand, "snow": _snow,
}  # fmt: skip


def _grey(image: Array) -> Array:
    return image.mean(-1, keepdims=True)


MOOD: Mapping[str, Callable[[Array], Array]] = {
    "cheerful": lambda image: 0.06 + image * np.float32([1.06, 1.0, 0.90]),
    "gloomy": lambda image: 0.58 * (0.65 * image + 0.35 * _grey(image)) + np.float32([0.0, 0.01, 0.04]),
    "calm": lambda image: 0.52 * image + 0.48 * np.float32([0.88, 0.88, 0.94]),
}
