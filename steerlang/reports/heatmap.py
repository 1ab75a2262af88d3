"""Coefficients as heat maps: a panel for each task vector, a row for each kind of block, a column for each layer.

Colours come from the page's style: one for numbers above 0, one for those below, stronger the larger they are.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from .findings import CoefficientTable, number

CELL, ROW, HEAD, NAME = 22, 18, 34, 7
NUMBERED = 60  # up to so many cells say their numbers in print too, and are wider for it
WIDER, BAR = 46, 16
STRONG = 0.78  # from here on a cell is so strong that its number is in the colour of the paper
# The first number between dots is the layer: `model.layers.3.mlp.up_proj.weight`.
_LAYER = re.compile(r"(?P<before>.*?\.)(?P<layer>\d+)(?:\.(?P<after>.*))?")
_INSIDE = re.compile(r"\[(?:random|part|row|column) [^\]]*\]$")


@dataclass(frozen=True)
class Grid:
    """Numbers by kind of block (rows) and layer (columns, None outside the layers); blocks that share a place (rows of
    a matrix, random parts) are gathered there."""

    kinds: tuple[str, ...]
    layers: tuple[int | None, ...]
    cells: dict[tuple[str, int | None], tuple[float, ...]]


def place_of(block: str) -> tuple[str, int | None]:
    """The kind and the layer of a block, from its name."""
    name = _INSIDE.sub("", block)
    found = _LAYER.fullmatch(name)
    if found is None:
        return name, None
    return f"{found['before']}*{'.' + found['after'] if found['after'] else ''}", int(found["layer"])


def grid_of(blocks: Sequence[str], values: Sequence[float]) -> Grid:
    """The numbers of one task vector at their places; kinds in the order of the blocks."""
    cells: dict[tuple[str, int | None], list[float]] = {}
    for block, value in zip(blocks, values, strict=True):
        cells.setdefault(place_of(block), []).append(value)
    kinds = tuple(dict.fromkeys(kind for kind, _ in cells))
    numbered = sorted({layer for _, layer in cells if layer is not None})
    outside: tuple[None, ...] = (None,) if any(layer is None for _, layer in cells) else ()
    return Grid(kinds, (*numbered, *outside), {place: tuple(found) for place, found in cells.items()})


def heatmaps(table: CoefficientTable) -> str:
    """All panels of a table as SVG, on one scale of colours."""
    largest = max((abs(x) for row in table.values for x in row), default=0.0)
    panels = (
        f"<figure><figcaption><code>{escape(name)}</code></figcaption>{_panel(grid_of(table.blocks, row), largest)}"
        "</figure>"
        for name, row in zip(table.vectors, table.values, strict=True)
    )
    note = "a cell's number, or mean and range, shows where the pointer rests"
    return f'<div class="heat">{"".join(panels)}</div>\n{_bar(largest)}\n<p class="soft">{note}</p>'


def _bar(largest: float) -> str:
    """Which colour stands for which number."""
    steps = 21
    width = steps * BAR + 40
    parts = [f'<svg class="heatmap bar" viewBox="0 0 {width} 40" width="{width}" height="40" role="img">']
    for i in range(steps):
        share = 2 * i / (steps - 1) - 1
        color = "c0" if share >= 0 else "c1"
        place = f'x="{20 + i * BAR}" y="2" width="{BAR}" height="14"'
        parts.append(f'<rect class="heat {color}" {place} fill-opacity="{abs(share):.2f}"/>')
    for i, value in ((0, -largest), (steps // 2, 0.0), (steps - 1, largest)):
        parts.append(f'<text x="{20 + BAR * (i + 0.5):.0f}" y="32" text-anchor="middle">{number(value)}</text>')
    return "".join([*parts, f'<rect class="rim" x="20" y="2" width="{steps * BAR}" height="14"/></svg>'])


def _panel(grid: Grid, largest: float) -> str:
    shown = _short(grid.kinds)
    left = 12 + NAME * max((len(name) for name in shown), default=0)
    numbered = len(grid.cells) <= NUMBERED
    cell = WIDER if numbered else CELL
    width, height = left + cell * len(grid.layers) + 8, HEAD + ROW * len(grid.kinds) + 4
    parts = [f'<svg class="heatmap" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">']
    for column, layer in enumerate(grid.layers):
        words = "–" if layer is None else str(layer)
        middle = left + cell * (column + 0.5) - 1
        parts.append(f'<text x="{middle:.0f}" y="{HEAD - 8}" text-anchor="middle">{words}</text>')
    for row, (kind, words) in enumerate(zip(grid.kinds, shown, strict=True)):
        y = HEAD + ROW * row
        parts.append(f'<text x="{left - 6}" y="{y + ROW - 5}" text-anchor="end">{escape(words)}</text>')
        parts += [
            _cell(Box(left + cell * i, y, cell - 2, numbered), kind, layer, grid.cells[kind, layer], largest)
            for i, layer in enumerate(grid.layers)
            if (kind, layer) in grid.cells
        ]
    return "".join([*parts, "</svg>"])


@dataclass(frozen=True)
class Box:
    """Where a cell is drawn, and whether its number is printed in it."""

    x: int
    y: int
    width: int
    numbered: bool


def _cell(box: Box, kind: str, layer: int | None, values: tuple[float, ...], largest: float) -> str:
    """One place: its mean decides the colour, its text tells the range."""
    mean = math.fsum(values) / len(values)
    strength = abs(mean) / largest if largest > 0 else 0.0
    where = kind if layer is None else kind.replace("*", str(layer), 1)
    spread = f"{number(min(values))} … {number(max(values))} ({len(values)} blocks)"
    words = number(mean) if len(values) == 1 else spread
    color = "c0" if mean >= 0 else "c1"
    place = f'x="{box.x}" y="{box.y}" width="{box.width}" height="{ROW - 2}"'
    return (
        f'<g><title>{escape(f"{where}: {words}")}</title><rect class="rim" {place}/>'
        f'<rect class="heat {color}" {place} fill-opacity="{strength:.3f}"/>{_printed(box, mean, strength)}</g>'
    )


def _printed(box: Box, mean: float, strength: float) -> str:
    """The number in its cell, in the colour of the paper where the cell is strong."""
    if not box.numbered:
        return ""
    style = "strong" if strength > STRONG else "weak"
    words = f"{mean:.2g}".replace("-", "−")
    x, y = box.x + box.width // 2, box.y + ROW - 6
    return f'<text class="{style}" x="{x}" y="{y}" text-anchor="middle">{words}</text>'


def _short(kinds: Sequence[str]) -> list[str]:
    """Names without the segments that all begin with."""
    parts = [kind.split(".") for kind in kinds]
    shared = 0
    while len(parts) > 1 and all(len(p) > shared + 1 for p in parts) and len({p[shared] for p in parts}) == 1:
        shared += 1
    return [".".join(p[shared:]) for p in parts]
