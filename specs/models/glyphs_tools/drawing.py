"""Draws batches of grey images: strokes and filled outlines by distance, bitmaps by sampling, textures by formula.

All functions take a batch: one row of names an image, one generator. Images are [images, SIDE, SIDE] in 0..1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from .outlines import Points, fonts, skeletons
from .style import Range, Style

SIDE = 20
Array = NDArray[np.float32]
FAR = 9.0  # where the segments lie that fill up a short row


def draw(names: Sequence[str], style: Style, rng: np.random.Generator) -> Array:
    """One image for each name."""
    if names[0] in TEXTURES:
        cover = np.stack([_texture(name, style, rng) for name in names])
    elif style.fonts:
        cover = _bitmaps(names, style, rng)
    else:
        cover = _strokes(names, style, rng)
    return _develop(cover, style, rng)


def _even(rng: np.random.Generator, bounds: Range, count: int) -> Array:
    return rng.uniform(*bounds, count).astype(np.float32)


def _pose(count: int, style: Style, rng: np.random.Generator) -> tuple[Array, Array]:
    """Matrices [images, 2, 2] and offsets [images, 2] that bring the centred unit box onto the image."""
    turn = np.radians(_even(rng, (-style.turn, style.turn), count))
    slant, size = _even(rng, (-style.slant, style.slant), count), _even(rng, style.size, count)
    cos, sin, wide = np.cos(turn), np.sin(turn), size * _even(rng, style.aspect, count)
    matrix = np.empty((count, 2, 2), np.float32)
    matrix[:, 0, 0], matrix[:, 0, 1] = cos * wide, (cos * slant - sin) * size
    matrix[:, 1, 0], matrix[:, 1, 1] = sin * wide, (sin * slant + cos) * size
    return matrix, 0.5 + rng.uniform(-style.shift, style.shift, (count, 2)).astype(np.float32)


def _warp(points: Points, far: float, rng: np.random.Generator) -> Points:
    """Move points along a smooth random field."""
    pull = rng.normal(0, 2.2, (2, 2, 2)).astype(np.float32)
    phase = rng.uniform(0, 2 * np.pi, (2, 2)).astype(np.float32)
    waves = np.sin(np.einsum("pd,kde->pke", points, pull) + phase)
    return points + far * waves.mean(1)


def _segments(paths: list[Points]) -> Array:
    """Ends of the segments of all paths [segments, 4]."""
    return np.concatenate([np.concatenate([path[:-1], path[1:]], 1) for path in paths])


def _grid() -> Array:
    """Centres of the pixels [SIDE * SIDE, 2], x before y."""
    line = (np.arange(SIDE, dtype=np.float32) + 0.5) / SIDE
    return np.stack(np.meshgrid(line, line), -1).reshape(-1, 2)


def _strokes(names: Sequence[str], style: Style, rng: np.random.Generator) -> Array:
    """How much of each pixel the pen (or the filling) covers."""
    matrix, offset = _pose(len(names), style, rng)
    rows = []
    for i, name in enumerate(names):
        forms = skeletons()[name]
        paths = forms[rng.integers(len(forms))]
        paths = [_warp(path, style.wobble, rng) if style.wobble else path for path in paths]
        rows.append(_segments([(path - 0.5) @ matrix[i].T + offset[i] for path in paths]))
    ends = np.full((len(names), max(map(len, rows)), 4), FAR, np.float32)
    for i, row in enumerate(rows):
        ends[i, : len(row)] = row
    distance = _distance(ends)
    pen = _even(rng, style.pen, len(names))[:, None]
    filled = rng.random(len(names)) < style.filled
    if filled.any():
        inside = _inside(ends[filled])
        distance[filled] = np.where(inside, -distance[filled], distance[filled])
        pen[filled] = 0
    return np.clip(0.5 + (pen / 2 - distance) * SIDE, 0, 1).reshape(-1, SIDE, SIDE)


def _distance(ends: Array) -> Array:
    """From each pixel to the nearest segment [images, pixels]."""
    x, y = _grid().T
    nearest = np.full((len(ends), len(x)), FAR, np.float32)
    for x0, y0, x1, y1 in ends.transpose(1, 2, 0)[..., None]:
        along_x, along_y, to_x, to_y = x1 - x0, y1 - y0, x - x0, y - y0
        part = to_x * along_x
        part += to_y * along_y
        part /= np.maximum(along_x**2 + along_y**2, 1e-9)
        np.clip(part, 0, 1, out=part)
        to_x -= part * along_x
        to_y -= part * along_y
        to_x *= to_x
        to_y *= to_y
        to_x += to_y
        np.minimum(nearest, to_x, out=nearest)
    return np.sqrt(nearest)


def _inside(ends: Array) -> NDArray[np.bool_]:
    """Which pixels a closed outline holds: a ray to the right crosses it an odd number of times."""
    x, y = _grid().T[:, None, :, None]
    x0, y0, x1, y1 = np.moveaxis(ends, -1, 0)[:, :, None]
    rise = np.where(y1 == y0, 1, y1 - y0)
    crossed = ((y0 > y) != (y1 > y)) & (x < x0 + (y - y0) * (x1 - x0) / rise)
    return crossed.sum(-1) % 2 == 1


def _bitmaps(names: Sequence[str], style: Style, rng: np.random.Generator) -> Array:
    """Characters of bitmap fonts under the pose, nine samples a pixel."""
    matrix, offset = _pose(len(names), style, rng)
    line = (np.arange(3 * SIDE, dtype=np.float32) + 0.5) / (3 * SIDE)
    fine = np.stack(np.meshgrid(line, line), -1).reshape(-1, 2)
    cover = np.zeros((len(names), len(fine)), np.float32)
    chosen = rng.integers(len(style.fonts), size=len(names))
    for i, name in enumerate(names):
        bits = fonts()[style.fonts[chosen[i]]][name]
        at = ((fine - offset[i]) @ np.linalg.inv(matrix[i]).T + 0.5) * bits.shape[::-1]
        held = ((at >= 0) & (at < bits.shape[::-1])).all(1)
        column, row = at[held].astype(np.int64).T
        cover[i, held] = bits[row, column]
    return cover.reshape(-1, SIDE, 3, SIDE, 3).mean((2, 4))


def _wave(x: Array) -> Array:
    """A square wave of period 1 with soft edges."""
    return np.clip(0.5 + 2.0 * np.sin(2 * np.pi * x), 0, 1)


def _bricks(u: Array, v: Array) -> Array:
    row = np.floor(v)
    joint = np.minimum((v % 1), ((u / 2 + 0.5 * (row % 2)) % 1) * 2)
    return (joint > 0.28).astype(np.float32)


#: Cover of a texture at u (across) and v (down), both in periods.
TEXTURES: dict[str, Callable[[Array, Array], Array]] = {
    "horizontal stripes": lambda u, v: _wave(v),
    "vertical stripes": lambda u, v: _wave(u),
    "rising stripes": lambda u, v: _wave((u + v) * 0.75),
    "falling stripes": lambda u, v: _wave((u - v) * 0.75),
    "checks": lambda u, v: np.abs(_wave(u) - _wave(v)),
    "dots": lambda u, v: np.clip(2.2 - 6.5 * np.hypot(u % 1 - 0.5, v % 1 - 0.5), 0, 1),
    "waves": lambda u, v: _wave(v + 0.45 * np.sin(2 * np.pi * u * 0.6)),
    "bricks": _bricks,
}


def _texture(name: str, style: Style, rng: np.random.Generator) -> Array:
    turn, pitch = np.radians(rng.uniform(-style.turn, style.turn)), rng.uniform(*style.pitch)
    x, y = (_grid() - 0.5).T
    u = pitch * (np.cos(turn) * x - np.sin(turn) * y) + rng.random()
    v = pitch * (np.sin(turn) * x + np.cos(turn) * y) + rng.random()
    return np.asarray(TEXTURES[name](u, v), np.float32).reshape(SIDE, SIDE)


def _scratches(count: int, style: Style, rng: np.random.Generator) -> Array:
    """Stray strokes, up to the style's number, as cover."""
    ends = rng.uniform(-0.1, 1.1, (count, style.scratches, 2))
    way = rng.uniform(0, 2 * np.pi, (count, style.scratches))
    far = rng.uniform(0.15, 0.45, (count, style.scratches))
    other = ends + far[..., None] * np.stack([np.cos(way), np.sin(way)], -1)
    rows = np.concatenate([ends, other], -1).astype(np.float32)
    rows[np.arange(style.scratches) >= rng.integers(0, style.scratches + 1, (count, 1))] = FAR
    pen = _even(rng, (0.04, 0.08), count)[:, None]
    return np.clip(0.5 + (pen / 2 - _distance(rows)) * SIDE, 0, 1).reshape(-1, SIDE, SIDE)


def _develop(cover: Array, style: Style, rng: np.random.Generator) -> Array:
    """Ink on paper, dirt, light, blur and grain; grey in 64 steps, so that files stay small."""
    count = len(cover)
    if style.scratches:
        cover = np.maximum(cover, 0.7 * _scratches(count, style, rng))
    ink, paper = (_even(rng, bounds, count)[:, None, None] for bounds in (style.ink, style.paper))
    swapped = rng.random((count, 1, 1)) < style.inverted
    ink, paper = np.where(swapped, paper, ink), np.where(swapped, ink, paper)
    image = paper + (ink - paper) * cover
    way, fall = rng.uniform(0, 2 * np.pi, (count, 1)), _even(rng, (0, style.shade), count)[:, None]
    light = fall * ((_grid() - 0.5) @ np.stack([np.cos(way), np.sin(way)]).reshape(2, count)).T
    image = image + light.reshape(image.shape)
    blur = _even(rng, style.blur, count)[:, None, None]
    image = image + blur * (_box(image) - image)
    grain = _even(rng, style.noise, count)[:, None, None] * rng.standard_normal(image.shape)
    return np.asarray(np.round(np.clip(image + grain, 0, 1) * 63) / 63, np.float32)


def _box(image: Array) -> Array:
    """Mean over the 3 x 3 pixels around each."""
    wide = np.pad(image, ((0, 0), (1, 1), (1, 1)), mode="edge")
    return np.asarray(sum(wide[:, i : i + SIDE, j : j + SIDE] for i in range(3) for j in range(3)) / 9)
