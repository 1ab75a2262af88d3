"""Curves as inline SVG: no scripts, no fonts, colours from the page's style so that they follow light and dark."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape

from .findings import number

WIDTH, HEIGHT = 640, 300
LEFT, RIGHT, TOP, BOTTOM = 78, 16, 32, 44
WIDE = 50.0  # an axis is logarithmic where the largest number is more than so many times the smallest
_LARGEST, _SMALLEST = 1e300, 1e-300
COLORS = 8  # classes c0 … c7 in the page's style


@dataclass(frozen=True)
class Point:
    """A measured number at `x`, with its interval, and a name where points have one."""

    x: float
    y: float
    interval: tuple[float, float] | None = None
    name: str = ""


@dataclass(frozen=True)
class Series:
    """A curve, or points that are not `joined`. `style` is that of a control (`base`, `told`, `random`), empty for what
    the chart is about."""

    name: str
    points: tuple[Point, ...]
    style: str = ""
    joined: bool = True


@dataclass(frozen=True)
class Level:
    """A number that does not depend on the x axis, drawn across the chart."""

    name: str
    value: float
    style: str


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
    series: Sequence[Series], title: str, x_name: str, y_name: str = "", marked: Sequence[tuple[float, str]] = (),
    levels: Sequence[Level] = (),
) -> str:
    """Curves with their intervals as bands; nothing where there are fewer than two points to join.

    marked  places on the x axis with a name, each an upright line: points that were chosen
    levels  numbers to hold the curves against
    """
    drawn = [replace(s, points=_finite(s.points)) for s in series]
    drawn = [s for s in drawn if len(s.points) > 1]
    if not drawn:
        return ""
    levels = [level for level in levels if _can_be_drawn(level.value)]
    xs = [p.x for s in drawn for p in s.points]
    ys = [y for s in drawn for p in s.points for y in (p.y, *(p.interval or ()))] + [level.value for level in levels]
    styles = _styles(drawn)
    # Loose points lie off the edge, and have names beside them.
    x = _Scale(*_spread(min(xs), max(xs), 0.06 if any(not s.joined for s in drawn) else 0), LEFT, WIDTH - RIGHT)
    y = _scale(ys, HEIGHT - BOTTOM, TOP)
    parts = [
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">',
        f"<title>{escape(title)}</title>", _text(f"{WIDTH / 2}", 16, title, "name"),
        *_grid(x, y, x_name), _side(y, y_name),
        *(_chosen(x, at, name) for at, name in marked if min(xs) <= at <= max(xs)),
        *(_level(level, y) for level in levels),
        *(shape for s, style in zip(drawn, styles, strict=True) for shape in _curve(s, style, x, y)), "</svg>",
    ]
    keys = [(s.name, style) for s, style in zip(drawn, styles, strict=True)]
    return _held(parts) + legend([*keys, *((level.name, level.style) for level in levels)])


def _styles(series: Sequence[Series]) -> list[str]:
    """A colour for each curve that is no control."""
    colors = (f"c{i % COLORS}" for i in range(len(series)))
    return [s.style or next(colors) for s in series]


def _level(level: Level, y: _Scale) -> str:
    words = escape(f"{level.name}: {number(level.value)}")
    return (
        f'<line class="line {level.style}" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(level.value)}" '
        f'y2="{y(level.value)}"><title>{words}</title></line>'
    )


def _scale(values: Sequence[float], start: float, end: float) -> _Scale:
    """An axis from `start` to `end`: logarithmic where all numbers are above 0 and span more than `WIDE`."""
    if min(values) > 0 and max(values) / WIDE > min(values):
        low, high = _spread(math.log10(min(values)), math.log10(max(values)), 0.06)
        return _Scale(low, high, start, end, logarithmic=True)
    return _Scale(*_spread(min(values), max(values), 0.06), start, end)


def _rounds(scale: _Scale) -> list[float]:
    return powers(scale.low, scale.high) if scale.logarithmic else ticks(scale.low, scale.high)


def _side(y: _Scale, name: str) -> str:
    """The name of the y axis, along it."""
    words = f"{name.removesuffix(')')}, logarithmic)" if y.logarithmic and name.endswith(")") else name
    words = f"{name} (logarithmic)" if y.logarithmic and words == name else words
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
    """A measured number with a name and its interval; `style` is that of a control, or empty."""

    name: str
    value: float
    interval: tuple[float, float] | None = None
    style: str = ""


_ROW, _HEAD = 26, 14


def strip(marks: Sequence[Mark], band: tuple[float, float] | None, title: str, base: float | None = None) -> str:
    """Named numbers one below the other along one scale.

    band  a range across all of them: what random directions reach
    base  a number to hold all against, an upright line
    """
    marks = [m for m in marks if _can_be_drawn(m.value)]
    if not marks or not all(map(_can_be_drawn, band or ())):
        return ""
    base = base if base is not None and _can_be_drawn(base) else None
    values = [*(band or ()), *(x for m in marks for x in (m.value, *_ends(m))), *([] if base is None else [base])]
    left, height = min(150, 20 + 7 * max(len(_cut(m.name)) for m in marks)), _HEAD + _ROW * len(marks) + BOTTOM
    x = _scale(values, left, WIDTH - RIGHT)
    bottom = height - BOTTOM
    parts = [
        f'<svg class="chart" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}">',
        f"<title>{escape(title)}</title>", _range(band, x, bottom),
        *(_upright(x(t), bottom, _tick(t)) for t in _rounds(x)),
        "" if base is None else f'<line class="line base" x1="{x(base)}" x2="{x(base)}" y1="{_HEAD}" y2="{bottom}"/>',
        *(_mark(m, i, x, left) for i, m in enumerate(marks)),
        _text(f"{(left + WIDTH - RIGHT) / 2}", height - 6, title), "</svg>",
    ]
    return _held(parts)


def _held(parts: Sequence[str]) -> str:
    """A chart that may be wider than a small screen."""
    return f'<div class="wide">{"".join(parts)}</div>'


def _range(band: tuple[float, float] | None, x: _Scale, bottom: int) -> str:
    if band is None:
        return ""
    low, high = float(x(band[0])), float(x(band[1]))
    place = f'x="{low:.1f}" width="{max(high - low, 1.0):.1f}" y="{_HEAD}" height="{bottom - _HEAD}"'
    return f'<rect class="band soft" {place}/>'


def _upright(x: str, bottom: int, words: str) -> str:
    return f'<line class="grid" x1="{x}" x2="{x}" y1="{_HEAD}" y2="{bottom}"/>{_text(x, bottom + 18, words)}'


def _ends(mark: Mark) -> tuple[float, ...]:
    return mark.interval if mark.interval is not None and all(map(_can_be_drawn, mark.interval)) else ()


def _cut(name: str) -> str:
    return name if len(name) <= 20 else f"{name[:19]}…"


def _mark(mark: Mark, number_: int, x: _Scale, left: int) -> str:
    y = _HEAD + _ROW * number_ + _ROW // 2
    words = escape(f"{mark.name}: {number(mark.value)}")
    style = mark.style or "c0"
    shapes = (
        f'<text x="{left - 8}" y="{y}" text-anchor="end" dominant-baseline="middle">{escape(_cut(mark.name))}</text>'
    )
    if ends := _ends(mark):
        shapes += f'<line class="line {style} whole" x1="{x(ends[0])}" x2="{x(ends[1])}" y1="{y}" y2="{y}"/>'
    return f'{shapes}<circle class="dot {style}" cx="{x(mark.value)}" cy="{y}" r="4"><title>{words}</title></circle>'


def legend(keys: Sequence[tuple[str, str]]) -> str:
    """Which colour is which; not needed for a single curve."""
    if len(keys) < 2:
        return ""
    items = (f'<span><i class="key {style}"></i>{escape(name)}</span>' for name, style in keys)
    return f'<p class="legend">{"".join(items)}</p>'


def _finite(points: Sequence[Point]) -> tuple[Point, ...]:
    kept = (p for p in points if _can_be_drawn(p.x) and _can_be_drawn(p.y))
    whole = (p if all(map(_can_be_drawn, p.interval or ())) else replace(p, interval=None) for p in kept)
    return tuple(sorted(whole, key=lambda p: p.x))


def _can_be_drawn(value: float) -> bool:
    """Whether a number is finite, and so far from the largest that an axis with a margin is, too."""
    return math.isfinite(value) and abs(value) < _LARGEST


def _spread(low: float, high: float, margin: float) -> tuple[float, float]:
    """A range of some width with a margin on both sides."""
    if high - low < _SMALLEST:
        low = high = 0.0 if max(abs(low), abs(high)) < _SMALLEST else low
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
        for t in _rounds(y)
    ]
    marks = [_text(x(t), HEIGHT - BOTTOM + 18, _tick(t)) for t in ticks(x.low, x.high)]
    return [*lines, *marks, _text(f"{(LEFT + WIDTH - RIGHT) / 2}", HEIGHT - 6, x_name)]


def _text(x: str, y: int, words: str, style: str = "") -> str:
    kind = f' class="{style}"' if style else ""
    return f'<text{kind} x="{x}" y="{y}" text-anchor="middle">{escape(words)}</text>'


def _tick(value: float) -> str:
    return number(0.0 if abs(value) < 1e-12 else value)


def _curve(series: Series, style: str, x: _Scale, y: _Scale) -> list[str]:
    points = series.points
    if not series.joined:
        return [_loose(p, style, x, y) for p in points]
    shapes = []
    if all(p.interval for p in points):
        upper = [f"{x(p.x)},{y(p.interval[1])}" for p in points if p.interval]
        lower = [f"{x(p.x)},{y(p.interval[0])}" for p in reversed(points) if p.interval]
        shapes.append(f'<polygon class="band {style}" points="{" ".join(upper + lower)}"/>')
    line = " ".join(f"{x(p.x)},{y(p.y)}" for p in points)
    shapes.append(f'<polyline class="line {style}" points="{line}"/>')
    for p in points:
        words = escape(f"{series.name}: {number(p.y)} at {number(p.x)}")
        shapes.append(f'<circle class="dot {style}" cx="{x(p.x)}" cy="{y(p.y)}" r="3"><title>{words}</title></circle>')
    return shapes


def _loose(point: Point, style: str, x: _Scale, y: _Scale) -> str:
    words = escape(f"{point.name}: {number(point.y)} at {number(point.x)}")
    dot = f'<circle class="dot {style}" cx="{x(point.x)}" cy="{y(point.y)}" r="4"><title>{words}</title></circle>'
    beside = f'x="{float(x(point.x)) + 8:.1f}" y="{y(point.y)}" dominant-baseline="middle"'
    return f"{dot}<text {beside}>{escape(point.name)}</text>" if point.name else dot
