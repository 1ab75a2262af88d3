"""Curves as inline SVG: no scripts, no fonts, colours from the page's style so that they follow light and dark."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from .findings import number

WIDTH, HEIGHT = 640, 300
LEFT, RIGHT, TOP, BOTTOM = 78, 16, 32, 44
WIDE = 50.0  # an axis is logarithmic where the largest number is more than so many times the smallest
COLORS = 8  # classes c0 … c7 in the page's style


@dataclass(frozen=True)
class Point:
    """A measured number at `x`, with its interval."""

    x: float
    y: float
    interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class Series:
    name: str
    points: tuple[Point, ...]


@dataclass(frozen=True)
class _Scale:
    """Maps data to pixels; `low` and `high` are logarithms (to 10) where the scale is one of them."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def __call__(self, value: float) -> str:
        place = math.log10(value) if self.logarithmic else value
        share = (place - self.low) / (self.high - self.low)
        return f"{self.start + share * (self.end - self.start):.1f}"


def chart(
    series: Sequence[Series], title: str, x_name: str, y_name: str = "", marked: Sequence[tuple[float, str]] = ()
) -> str:
    """Curves with their intervals as bands; nothing where there are fewer than two points to join.

    marked  places on the x axis with a name, each an upright line: points that were chosen
    """
    drawn = [Series(s.name, _finite(s.points)) for s in series]
    drawn = [s for s in drawn if len(s.points) > 1]
    if not drawn:
        return ""
    xs = [p.x for s in drawn for p in s.points]
    ys = [y for s in drawn for p in s.points for y in (p.y, *(p.interval or ()))]
    x = _Scale(*_spread(min(xs), max(xs), 0), LEFT, WIDTH - RIGHT)
    y = _upright_scale(ys)
    parts = [
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">',
        f"<title>{escape(title)}</title>", _text(f"{WIDTH / 2}", 16, title, "name"),
        *_grid(x, y, x_name), _side(y, y_name),
        *(_chosen(x, at, name) for at, name in marked if min(xs) <= at <= max(xs)),
        *(shape for i, s in enumerate(drawn) for shape in _curve(s, i % COLORS, x, y)), "</svg>",
    ]
    return "".join(parts) + legend([s.name for s in drawn])


def _upright_scale(values: Sequence[float]) -> _Scale:
    """The y axis: logarithmic where all numbers are above 0 and span more than `WIDE`."""
    if min(values) > 0 and max(values) / WIDE > min(values):
        low, high = _spread(math.log10(min(values)), math.log10(max(values)), 0.06)
        return _Scale(low, high, HEIGHT - BOTTOM, TOP, logarithmic=True)
    return _Scale(*_spread(min(values), max(values), 0.06), HEIGHT - BOTTOM, TOP)


def _side(y: _Scale, name: str) -> str:
    """The name of the y axis, along it."""
    words = f"{name} (logarithmic)" if y.logarithmic else name
    middle = (TOP + HEIGHT - BOTTOM) / 2
    return f'<text x="14" y="{middle}" text-anchor="middle" transform="rotate(-90 14 {middle})">{escape(words)}</text>'


def _chosen(x: _Scale, at: float, name: str) -> str:
    """An upright line at a chosen point, with the name of the choice at its head."""
    anchor = "end" if float(x(at)) > (LEFT + WIDTH) / 2 else "start"
    beside = float(x(at)) + (-5 if anchor == "end" else 5)
    return (
        f'<line class="chosen" x1="{x(at)}" x2="{x(at)}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>'
        f'<text class="name" x="{beside:.1f}" y="{TOP + 12}" text-anchor="{anchor}">{escape(name)}</text>'
    )


@dataclass(frozen=True)
class Mark:
    """A measured number with a name and its interval."""

    name: str
    value: float
    interval: tuple[float, float] | None = None


_ROW, _HEAD = 26, 14


def strip(marks: Sequence[Mark], band: tuple[float, float], title: str) -> str:
    """Named numbers one below the other along one scale, with a band across all of them."""
    marks = [m for m in marks if math.isfinite(m.value)]
    if not marks or not all(map(math.isfinite, band)):
        return ""
    values = [*band, *(x for m in marks for x in (m.value, *(m.interval or ())))]
    left, height = 150, _HEAD + _ROW * len(marks) + BOTTOM
    x = _Scale(*_spread(min(values), max(values), 0.06), left, WIDTH - RIGHT)
    bottom = height - BOTTOM
    low, high = float(x(band[0])), float(x(band[1]))
    parts = [
        f'<svg class="chart" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}">',
        f"<title>{escape(title)}</title>",
        f'<rect class="band soft" x="{low:.1f}" width="{high - low:.1f}" y="{_HEAD}" height="{bottom - _HEAD}"/>',
        *(_upright(x(t), bottom, _tick(t)) for t in ticks(x.low, x.high)),
        *(_mark(m, i, x) for i, m in enumerate(marks)),
        _text(f"{(left + WIDTH - RIGHT) / 2}", height - 6, title), "</svg>",
    ]
    return "".join(parts)


def _upright(x: str, bottom: int, words: str) -> str:
    return f'<line class="grid" x1="{x}" x2="{x}" y1="{_HEAD}" y2="{bottom}"/>{_text(x, bottom + 18, words)}'


def _mark(mark: Mark, number_: int, x: _Scale) -> str:
    y = _HEAD + _ROW * number_ + _ROW // 2
    words = escape(f"{mark.name}: {number(mark.value)}")
    name = escape(mark.name if len(mark.name) <= 20 else f"{mark.name[:19]}…")
    shapes = f'<text x="142" y="{y}" text-anchor="end" dominant-baseline="middle">{name}</text>'
    if mark.interval is not None and all(map(math.isfinite, mark.interval)):
        shapes += f'<line class="line c0" x1="{x(mark.interval[0])}" x2="{x(mark.interval[1])}" y1="{y}" y2="{y}"/>'
    return f'{shapes}<circle class="dot c0" cx="{x(mark.value)}" cy="{y}" r="4"><title>{words}</title></circle>'


def legend(names: Sequence[str]) -> str:
    """Which colour is which; not needed for a single curve."""
    if len(names) < 2:
        return ""
    items = (f'<span><i class="key c{i % COLORS}"></i>{escape(name)}</span>' for i, name in enumerate(names))
    return f'<p class="legend">{"".join(items)}</p>'


def _finite(points: Sequence[Point]) -> tuple[Point, ...]:
    kept = (p for p in points if math.isfinite(p.x) and math.isfinite(p.y))
    whole = (p if p.interval is None or all(map(math.isfinite, p.interval)) else Point(p.x, p.y) for p in kept)
    return tuple(sorted(whole, key=lambda p: p.x))


def _spread(low: float, high: float, margin: float) -> tuple[float, float]:
    """A range of some width with a margin on both sides."""
    if low == high:
        return low - (abs(low) or 1.0) * 0.5, high + (abs(high) or 1.0) * 0.5
    room = (high - low) * margin
    return low - room, high + room


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers between `low` and `high`."""
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough)
    first = math.ceil(low / step)
    return [n * step for n in range(first, math.floor(high / step + 1e-9) + 1)]


def powers(low: float, high: float) -> list[float]:
    """Round numbers between 10^low and 10^high: powers of ten, between them 2 and 5 where there are few."""
    whole = range(max(math.ceil(low), -300), min(math.floor(high), 300) + 1)
    step = max(1, len(whole) // 6)
    found = [10.0**n for n in whole[::step]]
    if len(found) < 4:
        more = (m * 10.0**n for n in range(max(math.floor(low), -300), min(math.ceil(high), 300)) for m in (1, 2, 5))
        found = [t for t in more if low <= math.log10(t) <= high]
    return found


def _grid(x: _Scale, y: _Scale, x_name: str) -> list[str]:
    lines = [
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(t)}" y2="{y(t)}"/>'
        f'<text x="{LEFT - 8}" y="{y(t)}" text-anchor="end" dominant-baseline="middle">{_tick(t)}</text>'
        for t in (powers(y.low, y.high) if y.logarithmic else ticks(y.low, y.high))
    ]
    marks = [_text(x(t), HEIGHT - BOTTOM + 18, _tick(t)) for t in ticks(x.low, x.high)]
    return [*lines, *marks, _text(f"{(LEFT + WIDTH - RIGHT) / 2}", HEIGHT - 6, x_name)]


def _text(x: str, y: int, words: str, style: str = "") -> str:
    kind = f' class="{style}"' if style else ""
    return f'<text{kind} x="{x}" y="{y}" text-anchor="middle">{escape(words)}</text>'


def _tick(value: float) -> str:
    return number(0.0 if abs(value) < 1e-12 else value)


def _curve(series: Series, color: int, x: _Scale, y: _Scale) -> list[str]:
    points = series.points
    shapes = []
    if all(p.interval for p in points):
        upper = [f"{x(p.x)},{y(p.interval[1])}" for p in points if p.interval]
        lower = [f"{x(p.x)},{y(p.interval[0])}" for p in reversed(points) if p.interval]
        shapes.append(f'<polygon class="band c{color}" points="{" ".join(upper + lower)}"/>')
    line = " ".join(f"{x(p.x)},{y(p.y)}" for p in points)
    shapes.append(f'<polyline class="line c{color}" points="{line}"/>')
    for p in points:
        words = escape(f"{series.name}: {number(p.y)} at {number(p.x)}")
        shapes.append(f'<circle class="dot c{color}" cx="{x(p.x)}" cy="{y(p.y)}" r="3"><title>{words}</title></circle>')
    return shapes
