"""What a scene is made of, and how one is drawn by lot."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

SHAPES: Mapping[str, float] = {"circle": 0.35, "square": 0.13, "triangle": 0.13, "star": 0.13, "cross": 0.13,
                               "heart": 0.13}  # fmt: skip
COLOURS = ("red", "yellow", "green", "blue", "purple")
SIZES = ("small", "large")
PLACES = ("sea", "field", "night", "sand", "snow")
MOODS = ("cheerful", "gloomy", "calm")
POSITIONS: Mapping[str, tuple[int, ...]] = {  # cells of the 3 x 3 grid, row by row
    "left": (0, 3, 6), "right": (2, 5, 8), "top": (0, 1, 2), "bottom": (6, 7, 8), "middle": (4,),
    "corners": (0, 2, 6, 8),
}  # fmt: skip
NUMBERS = ("zero", "one", "two", "three", "four", "five", "six")
CELLS = 9
BUCKETS = 16
SPLITS = {"dev": (0,), "test": (1,), "train": tuple(range(2, BUCKETS))}


@dataclass(frozen=True)
class Group:
    """Equal things and the cells they stand in."""

    shape: str
    colour: str
    size: str
    cells: tuple[int, ...]

    @property
    def count(self) -> int:
        """How many things."""
        return len(self.cells)


@dataclass(frozen=True)
class Scene:
    """A main group at a position, perhaps a second group of another shape and colour anywhere, a place, a mood."""

    main: Group
    position: str
    second: Group | None
    place: str
    mood: str

    @property
    def groups(self) -> tuple[Group, ...]:
        """The groups there are."""
        return (self.main,) if self.second is None else (self.main, self.second)

    @property
    def split(self) -> str:
        """By a checksum of what the scene shows first: no training scene shows the same as a held-out one."""
        shown = (self.main.shape, self.main.colour, self.main.count, self.position, self.place, self.mood)
        bucket = zlib.crc32("|".join(map(str, shown)).encode()) % BUCKETS
        return next(name for name, buckets in SPLITS.items() if bucket in buckets)


def pick(rng: np.random.Generator, names: tuple[str, ...], weights: tuple[float, ...] | None = None) -> str:
    """One of the names."""
    return names[rng.choice(len(names), p=weights)]


def _without(names: tuple[str, ...], one: str) -> tuple[str, ...]:
    return tuple(name for name in names if name != one)


def _cells(count: int, rng: np.random.Generator) -> tuple[str, tuple[int, ...]]:
    """A position for `count` things, and their cells: one stands half-way along its side, four in the corners."""
    if count == 4:
        return "corners", POSITIONS["corners"]
    if count == 1:
        position = pick(rng, ("left", "right", "top", "bottom", "middle"))
        return position, (POSITIONS[position][len(POSITIONS[position]) // 2],)
    position = pick(rng, ("left", "right", "top", "bottom"))
    return position, tuple(sorted(int(cell) for cell in rng.choice(POSITIONS[position], count, replace=False)))


def draw_scene(rng: np.random.Generator, split: str = "train") -> Scene:
    """A scene of a split."""
    while (scene := _any_scene(rng)).split != split:
        pass
    return scene


def _any_scene(rng: np.random.Generator) -> Scene:
    """Half have a second group: fewer things than the main one, or one small thing beside one large one."""
    position, cells = _cells(int(rng.integers(1, 5)), rng)
    main = Group(pick(rng, tuple(SHAPES), tuple(SHAPES.values())), pick(rng, COLOURS), pick(rng, SIZES), cells)
    second = None
    if rng.random() < 0.5:
        main = replace(main, size="large") if main.count == 1 else main
        second = _second(main, rng)
    return Scene(main, position, second, pick(rng, PLACES), pick(rng, MOODS))


def _second(main: Group, rng: np.random.Generator) -> Group:
    free = [cell for cell in range(CELLS) if cell not in main.cells]
    count = int(rng.integers(1, 3)) if main.count > 2 else 1
    return Group(
        pick(rng, _without(tuple(SHAPES), main.shape)), pick(rng, _without(COLOURS, main.colour)),
        "small" if main.count == 1 else pick(rng, SIZES),
        tuple(sorted(int(cell) for cell in rng.choice(free, count, replace=False))),
    )  # fmt: skip
