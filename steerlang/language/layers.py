"""Layer selections: how layers are written, and which blocks of a model they are.

Layer `l` is decoder block `l`, counted from 0. A relative depth covers block i of n when (i + 1/2) / n lies within it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Union


@dataclass(frozen=True, slots=True)
class FromLast:
    """The last layer, or one some way before it: `last - 2` is `FromLast(2)`."""

    back: int = 0


@dataclass(frozen=True, slots=True)
class Depth:
    """A share of the depth, 0 to 1."""

    share: float


LayerEnd = Union[int, FromLast, Depth]


@dataclass(frozen=True, slots=True)
class LayerRange:
    start: LayerEnd
    end: LayerEnd
    closed: bool = True


@dataclass(frozen=True, slots=True)
class AllLayers:
    pass


LayerItem = Union[int, FromLast, LayerRange, AllLayers]
Selection = tuple[LayerItem, ...]


@dataclass(frozen=True, slots=True)
class LayerProblem:
    """Why a selection is no set of layers; `kind` is `range`, `empty`, `descending` or `negative`."""

    kind: str
    message: str
    help: str


def resolve(selection: Selection, count: int) -> tuple[int, ...] | LayerProblem:
    """The blocks a selection names in a model of `count` blocks, ascending, each once."""
    found: set[int] = set()
    for item in selection:
        part = _item(item, count)
        if isinstance(part, LayerProblem):
            return part
        found.update(part)
    if not found:
        return LayerProblem("empty", "no layer is selected", "name at least one layer, such as `layers = all`")
    return tuple(sorted(found))


def _item(item: LayerItem, count: int) -> tuple[int, ...] | LayerProblem:
    if isinstance(item, AllLayers):
        return tuple(range(count))
    if isinstance(item, LayerRange):
        return _range(item, count)
    end = _end(item, count)
    return end if isinstance(end, LayerProblem) else (end,)


def _range(item: LayerRange, count: int) -> tuple[int, ...] | LayerProblem:
    if isinstance(item.start, Depth) and isinstance(item.end, Depth):
        return _depths(item.start.share, item.end.share, item.closed, count)
    if isinstance(item.start, Depth) or isinstance(item.end, Depth):
        return LayerProblem(
            "range",
            "a range goes from a percentage to a layer number",
            "give both ends as percentages or both as layers",
        )
    start, end = _end(item.start, count), _end(item.end, count)
    if isinstance(start, LayerProblem):
        return start
    if isinstance(end, LayerProblem) and not (not item.closed and item.end == count):
        return end
    last = count if isinstance(end, LayerProblem) else end
    stop = last + 1 if item.closed else last
    if stop < start or (item.closed and last < start):
        return LayerProblem(
            "descending",
            f"the range ends at layer {last}, before its start at layer {start}",
            "write the smaller layer first",
        )
    if stop == start:
        return LayerProblem(
            "empty",
            f"the range `{start}..<{last}` holds no layer",
            f"`..<` leaves out its end; `{start}..{last}` holds it",
        )
    return tuple(range(start, stop))


def _depths(start: float, end: float, closed: bool, count: int) -> tuple[int, ...] | LayerProblem:
    if not (0 <= start <= 1 and 0 <= end <= 1):
        return LayerProblem("range", "a relative depth lies outside 0% to 100%", "use percentages from 0% to 100%")
    if end < start:
        return LayerProblem(
            "descending",
            f"the range ends at {end:.0%}, before its start at {start:.0%}",
            "write the smaller percentage first",
        )
    middles = [(i + 0.5) / count for i in range(count)]
    found = tuple(i for i, m in enumerate(middles) if start <= m and (m <= end if closed else m < end))
    if not found:
        return LayerProblem(
            "empty",
            f"no block has its middle between {start:.0%} and {end:.0%} of {count} blocks",
            "widen the range: block i of n counts when (i + 0.5) / n lies in it",
        )
    return found


def _end(end: LayerEnd | float, count: int) -> int | LayerProblem:
    if isinstance(end, float):  # a number from a `let`, a sweep or the command line
        if not end.is_integer():
            return LayerProblem("range", f"`{end:g}` is no layer", "layers are whole numbers; depths are percentages")
        end = int(end)
    if isinstance(end, FromLast):
        layer = count - 1 - end.back
        if layer < 0:
            return LayerProblem("range", f"`last - {end.back}` lies before the first layer", "count back fewer layers")
        return layer
    if isinstance(end, Depth):
        return LayerProblem(
            "range", "a percentage stands where a layer is meant", "write a range of percentages, such as `25%..75%`"
        )
    if end < 0:
        return LayerProblem("negative", f"layer {end} is negative", "count from the end with `last`, `last - 1`, …")
    if end >= count:
        return LayerProblem(
            "range",
            f"layer {end} does not exist",
            "the last one is `last`",
        )
    return end


def spelled(layers: tuple[int, ...]) -> str:
    """Layers as one would write them: `0..3, 7`."""
    parts: list[str] = []
    i = 0
    while i < len(layers):
        j = i
        while j + 1 < len(layers) and layers[j + 1] == layers[j] + 1:
            j += 1
        parts.append(f"{layers[i]}" if i == j else f"{layers[i]}..{layers[j]}")
        i = j + 1
    return ", ".join(parts)
