"""Cosines as pictures: between the layers of a vector, and between vectors layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from .findings import number
from .heatmap import STRONG
from .inspection import Between, Inspected

_SIDE, _WIDE, _ROW, _HEAD = 300, 34, 20, 30
_PRINTED = 12  # up to so many layers have their numbers in print


def cosine_map(vector: Inspected) -> str:
    """cos(v_i, v_j) for all layers i, j of a vector; nothing for one layer."""
    layers, size = vector.table.layers, len(vector.table.layers)
    if size < 2:
        return ""
    cell = max(4.0, min(_WIDE, _SIDE / size))
    side = cell * size
    title = f"cosines between the layers of {vector.table.name}"
    width, height = 44 + side + 8, _HEAD + side + 44
    parts = [_start(width, height, title), f'<text class="name" x="{44 + side / 2:.0f}" y="16" text-anchor="middle">'
             f"cosines between layers</text>"]  # fmt: skip
    step = max(1, -(-size // 12))
    for i in range(0, size, step):
        middle = (i + 0.5) * cell
        parts.append(f'<text x="38" y="{_HEAD + middle + 4:.1f}" text-anchor="end">{layers[i]}</text>')
        parts.append(f'<text x="{44 + middle:.1f}" y="{_HEAD + side + 16:.1f}" text-anchor="middle">{layers[i]}</text>')
    for i, row in enumerate(vector.cosines):
        for j, cosine in enumerate(row):
            words = f"layers {layers[i]} and {layers[j]}: {number(cosine) or 'none'}"
            parts.append(_cell(44 + j * cell, _HEAD + i * cell, cell, cell, cosine, words, size <= _PRINTED))
    parts.append(f'<text x="{44 + side / 2:.0f}" y="{_HEAD + side + 36:.0f}" text-anchor="middle">layer</text></svg>')
    return "".join(parts)


def between_vectors(pairs: Sequence[Between]) -> str:
    """A row for every pair of vectors, a column for every layer."""
    layers = sorted({layer for b in pairs for layer in b.layers})
    names = [f"{b.first}, {b.second}" for b in pairs]
    left = 20 + 7 * max(map(len, names))
    cell = max(6.0, min(46.0, 900 / len(layers)))
    width, height = left + cell * len(layers) + 8, _HEAD + _ROW * len(pairs) + 6
    step = max(1, -(-len(layers) // 16))
    parts = [_start(width, height, "cosines between vectors by layer")]
    for i in range(0, len(layers), step):
        x = left + (i + 0.5) * cell
        parts.append(f'<text x="{x:.1f}" y="{_HEAD - 8}" text-anchor="middle">{layers[i]}</text>')
    for n, (pair, name) in enumerate(zip(pairs, names, strict=True)):
        y = _HEAD + n * _ROW
        parts.append(f'<text x="{left - 8}" y="{y + 14}" text-anchor="end">{escape(name)}</text>')
        for layer, cosine in zip(pair.layers, pair.cosines, strict=True):
            words = f"{name}, layer {layer}: {number(cosine) or 'none'}"
            x = left + layers.index(layer) * cell
            parts.append(_cell(x, y, cell, _ROW, cosine, words, len(layers) <= _PRINTED))
    return f'<div class="wide">{"".join(parts)}</svg></div>'


def _start(width: float, height: float, title: str) -> str:
    return (
        f'<svg class="heatmap cosines" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'height="{height:.0f}" role="img" aria-label="{escape(title)}"><title>{escape(title)}</title>'
    )


def _cell(x: float, y: float, width: float, height: float, cosine: float | None, words: str, printed: bool) -> str:
    """A cosine, stronger the farther from 0: one colour above, another below."""
    strength = min(1.0, abs(cosine)) if cosine is not None else 0.0
    color = "c1" if cosine is not None and cosine < 0 else "c0"
    place = f'x="{x:.1f}" y="{y:.1f}" width="{width - 1:.1f}" height="{height - 1:.1f}"'
    shown = ""
    if printed and cosine is not None:
        style = "strong" if strength > STRONG else "weak"
        digits = f"{cosine:.2f}".replace("-", "−")
        middle = f'x="{x + width / 2 - 0.5:.1f}" y="{y + height / 2 + 4:.1f}"'
        shown = f'<text class="{style}" {middle} text-anchor="middle">{digits}</text>'
    return (
        f'<g><title>{escape(words)}</title><rect class="heat {color}" {place} fill-opacity="{strength:.2f}"/>'
        f"{shown}</g>"
    )
