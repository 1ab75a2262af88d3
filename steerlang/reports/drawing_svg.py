"""A program's graph as SVG: layers by the longest way from a source, crossings kept few, no other tool needed.

The layout is that of Sugiyama, Tagawa & Toda (1981): ranks, then sweeps that order each rank by the mean place of its
neighbours. Edges over several ranks pass through points of their own, so that they run between the boxes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape

from .drawing import COLOURS, PLAIN, Drawing

_CHARACTER, _HEIGHT, _GAP, _STEP, _MARGIN = 7.4, 40.0, 22.0, 86.0, 16.0
_BESIDE = 54.0  # between ranks that stand beside each other
_WIDEST = 1150.0  # a picture that would be wider on a page is drawn from left to right
_SWEEPS = 8
_SMALLEST = 0.72  # of its size: text of 12 px is then as large as a footnote


@dataclass(frozen=True, slots=True)
class _Box:
    """A vertex, or a point where a long edge passes a rank (without text); `extent` is its size along its rank."""

    key: str
    text: str
    kind: str
    width: float
    extent: float


@dataclass(frozen=True)
class _Placed:
    """Boxes in their ranks, each with its centre along the rank; `starts` and `sizes` are those of the ranks across.
    Ranks lie below each other, or beside each other where `sideways`."""

    ranks: list[list[_Box]]
    centres: Mapping[str, float]
    starts: tuple[float, ...]
    sizes: tuple[float, ...]
    sideways: bool

    @property
    def width(self) -> float:
        return self._across if self.sideways else self._along

    @property
    def height(self) -> float:
        return self._along if self.sideways else self._across

    @property
    def _along(self) -> float:
        ends = (self.centres[b.key] + b.extent / 2 for rank in self.ranks for b in rank)
        return max(ends, default=0.0) + _MARGIN

    @property
    def _across(self) -> float:
        return (self.starts[-1] + self.sizes[-1] if self.starts else _MARGIN) + _MARGIN

    def middle(self, box: _Box, rank: int) -> tuple[float, float]:
        """The middle of a box."""
        along, across = self.centres[box.key], self.starts[rank] + self.sizes[rank] / 2
        return (across, along) if self.sideways else (along, across)


def as_svg(drawing: Drawing) -> str:
    """The whole picture, as a text of SVG with fonts that every viewer has."""
    placed, links = _laid_out(drawing, sideways=False)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {placed.width:.0f} {placed.height:.0f}" '
        f'width="{placed.width:.0f}" height="{placed.height:.0f}" font-family="Helvetica, Arial, sans-serif" '
        'font-size="12">',
        f"<title>{escape(drawing.title)}</title>",
        f'<rect width="{placed.width:.0f}" height="{placed.height:.0f}" fill="#ffffff"/>',
        '<g fill="none" stroke="#888888" stroke-width="1.2">', *_edges(placed, links), "</g>",
        *(shapes for _, shapes in _drawn(placed)), "</svg>",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def as_part(drawing: Drawing, links: Mapping[str, str]) -> str:
    """The picture as a part of a page, whose style gives the colours; vertices lead to `links`, where they have one.

    It shrinks with the page as far as its text stays readable, and no further: whoever holds it lets it be scrolled.
    """
    placed, ways = _laid_out(drawing, sideways=False)
    if placed.width > _WIDEST:
        beside, other = _laid_out(drawing, sideways=True)
        placed, ways = (beside, other) if beside.width < placed.width else (placed, ways)
    vertices = {v.name: v for v in drawing.vertices}
    lines = [
        f'<svg class="graph" viewBox="0 0 {placed.width:.0f} {placed.height:.0f}" role="group" '
        f'aria-label="graph of {escape(drawing.title)}" style="max-width:{placed.width:.0f}px;'
        f'min-width:{placed.width * _SMALLEST:.0f}px">',
        f"<title>graph of {escape(drawing.title)}</title>", '<g class="edges">', *_edges(placed, ways), "</g>",
    ]
    for name, shapes in _drawn(placed):
        words = " ".join(x for x in (vertices[name].kind, name) if x)
        about = f": {vertices[name].detail}" if vertices[name].detail else ""
        group = f'<g class="vertex"><title>{escape(words + about)}</title>{shapes}</g>'
        lines.append(f'<a href="{escape(links[name])}">{group}</a>' if name in links else group)
    return "\n".join([*lines, "</svg>"])


def _laid_out(drawing: Drawing, sideways: bool) -> tuple[_Placed, list[tuple[str, str]]]:
    boxes, links = _with_points(drawing, sideways)
    ranks = _ordered(boxes, links)
    sizes = tuple(max(b.width for b in rank) if sideways else _HEIGHT for rank in ranks)
    starts: list[float] = []
    for r in range(len(ranks)):
        before = starts[-1] + sizes[r - 1] + (_BESIDE if sideways else _STEP - _HEIGHT) if starts else _MARGIN
        starts.append(before)
    return _Placed(ranks, _centres(ranks, links), tuple(starts), sizes, sideways), links


def _ranks(drawing: Drawing) -> dict[str, int]:
    """The longest way from a source; vertices come inputs first."""
    found: dict[str, int] = {}
    inputs: dict[str, list[str]] = {v.name: [] for v in drawing.vertices}
    for a, b in drawing.edges:
        inputs[b].append(a)
    for vertex in drawing.vertices:
        found[vertex.name] = max((found[i] + 1 for i in inputs[vertex.name]), default=0)
    users: dict[str, list[str]] = {v.name: [] for v in drawing.vertices}
    for a, b in drawing.edges:
        users[a].append(b)
    for vertex in reversed(drawing.vertices):  # sources move down to their first user
        if not inputs[vertex.name] and users[vertex.name]:
            found[vertex.name] = min(found[u] for u in users[vertex.name]) - 1
    return found


def _with_points(drawing: Drawing, sideways: bool) -> tuple[list[list[_Box]], list[tuple[str, str]]]:
    """The boxes of each rank, and links between neighbouring ranks only."""
    rank = _ranks(drawing)
    boxes: list[list[_Box]] = [[] for _ in range(max(rank.values(), default=-1) + 1)]
    for v in drawing.vertices:
        width = max(len(v.name), len(v.kind)) * _CHARACTER + 20
        boxes[rank[v.name]].append(_Box(v.name, v.name, v.kind, width, _HEIGHT - 8.0 if sideways else width))
    links = []
    for number, (a, b) in enumerate(drawing.edges):
        last = a
        for r in range(rank[a] + 1, rank[b]):
            point = _Box(f"\0{number}.{r}", "", "", 4.0, 0.0 if sideways else 4.0)
            boxes[r].append(point)
            links.append((last, point.key))
            last = point.key
        links.append((last, b))
    return boxes, links


def _neighbours(links: list[tuple[str, str]]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    above: dict[str, list[str]] = {}
    below: dict[str, list[str]] = {}
    for a, b in links:
        above.setdefault(b, []).append(a)
        below.setdefault(a, []).append(b)
    return above, below


def _ordered(ranks: list[list[_Box]], links: list[tuple[str, str]]) -> list[list[_Box]]:
    """Each rank sorted by the mean place of its neighbours, going down and up in turn; the best order is kept."""
    above, below = _neighbours(links)
    best, fewest = ranks, _crossings(ranks, links)
    for sweep in range(_SWEEPS):
        ranks = [list(rank) for rank in ranks]
        down = sweep % 2 == 0
        for i in range(1, len(ranks)) if down else range(len(ranks) - 2, -1, -1):
            other = {b.key: place for place, b in enumerate(ranks[i - 1 if down else i + 1])}
            near = above if down else below
            own = {b.key: place for place, b in enumerate(ranks[i])}
            means = {b.key: _mean([other[n] for n in near.get(b.key, ())], own[b.key]) for b in ranks[i]}
            ranks[i].sort(key=lambda b, means=means, own=own: (means[b.key], own[b.key]))  # type: ignore[misc]
        crossings = _crossings(ranks, links)
        if crossings < fewest:
            best, fewest = ranks, crossings
    return best


def _mean(places: list[int], otherwise: float) -> float:
    return sum(places) / len(places) if places else float(otherwise)


def _crossings(ranks: list[list[_Box]], links: list[tuple[str, str]]) -> int:
    place = {b.key: (r, i) for r, rank in enumerate(ranks) for i, b in enumerate(rank)}
    by_rank: dict[int, list[tuple[int, int]]] = {}
    for a, b in links:
        by_rank.setdefault(place[a][0], []).append((place[a][1], place[b][1]))
    return sum(
        (a - c) * (b - d) < 0 for pairs in by_rank.values() for i, (a, b) in enumerate(pairs) for c, d in pairs[:i]
    )


def _centres(ranks: list[list[_Box]], links: list[tuple[str, str]]) -> dict[str, float]:
    """Where each box stands: near its neighbours, in the order of its rank, without overlaps."""
    above, below = _neighbours(links)
    centres: dict[str, float] = {}
    for rank in ranks:
        centres.update(_packed(rank, {b.key: 0.0 for b in rank}))
    for sweep in range(_SWEEPS):
        near = above if sweep % 2 == 0 else below
        for rank in ranks if sweep % 2 == 0 else reversed(ranks):
            wanted = {}
            for b in rank:
                others = [centres[n] for n in near.get(b.key, ())]
                wanted[b.key] = sum(others) / len(others) if others else centres[b.key]
            centres.update(_packed(rank, wanted))
    left = min((centres[b.key] - b.extent / 2 for rank in ranks for b in rank), default=0.0)
    return {key: x - left + _MARGIN for key, x in centres.items()}


def _packed(rank: list[_Box], wanted: Mapping[str, float]) -> dict[str, float]:
    """The places nearest to the wanted ones that keep order and distance: groups of boxes that would overlap are set
    side by side around the mean of what they want."""
    groups: list[tuple[list[_Box], float]] = []
    for box in rank:
        group, centre = [box], wanted[box.key]
        while groups and _right(*groups[-1]) + _GAP > centre - _width(group) / 2:
            before, _ = groups.pop()
            group = [*before, *group]
            centre = _group_centre(group, wanted)
        groups.append((group, centre))
    found: dict[str, float] = {}
    for group, centre in groups:
        x = centre - _width(group) / 2
        for box in group:
            found[box.key] = x + box.extent / 2
            x += box.extent + _GAP
    return found


def _group_centre(group: list[_Box], wanted: Mapping[str, float]) -> float:
    x, total = -_width(group) / 2, 0.0
    for box in group:
        total += wanted[box.key] - (x + box.extent / 2)
        x += box.extent + _GAP
    return total / len(group)


def _width(group: list[_Box]) -> float:
    return sum(b.extent for b in group) + _GAP * (len(group) - 1)


def _right(group: list[_Box], centre: float) -> float:
    return centre + _width(group) / 2


def _edges(placed: _Placed, links: list[tuple[str, str]]) -> Iterator[str]:
    where = {b.key: (b, *placed.middle(b, r)) for r, rank in enumerate(placed.ranks) for b in rank}
    for a, b in links:
        (one, x, y), (two, to_x, to_y) = where[a], where[b]
        if placed.sideways:
            x, to_x = x + _half(one, one.width), to_x - _half(two, two.width)
            bend = (to_x - x) / 2
            middle = f"{x + bend:.1f} {y:.1f}, {to_x - bend:.1f} {to_y:.1f}"
        else:
            y, to_y = y + _half(one, _HEIGHT), to_y - _half(two, _HEIGHT)
            bend = (to_y - y) / 2
            middle = f"{x:.1f} {y + bend:.1f}, {to_x:.1f} {to_y - bend:.1f}"
        yield f'<path d="M {x:.1f} {y:.1f} C {middle}, {to_x:.1f} {to_y:.1f}"/>'


def _half(box: _Box, size: float) -> float:
    """From the middle of a box to its rim; points have none."""
    return size / 2 if box.text else 0.0


def _drawn(placed: _Placed) -> Iterator[tuple[str, str]]:
    """The name of every vertex, and its shapes."""
    for r, rank in enumerate(placed.ranks):
        for box in rank:
            if not box.text:
                continue
            x, middle = placed.middle(box, r)
            y = middle - _HEIGHT / 2
            yield box.key, "\n".join((
                f'<rect x="{x - box.width / 2:.1f}" y="{y:.1f}" width="{box.width:.1f}" height="{_HEIGHT:.0f}" '
                f'rx="5" fill="{COLOURS.get(box.kind, PLAIN)}" stroke="#666666"/>',
                f'<text x="{x:.1f}" y="{y + 15:.1f}" text-anchor="middle" fill="#555555">{escape(box.kind)}</text>',
                f'<text x="{x:.1f}" y="{y + 31:.1f}" text-anchor="middle" font-weight="bold" fill="#000000">'
                f"{escape(box.text)}</text>",
            ))
