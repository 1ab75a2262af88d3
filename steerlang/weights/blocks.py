"""Blocks: the pieces of a model that get a coefficient each, found from the names and shapes of its own tensors.

Block names:  tensor `a.b.weight` · layer `model.layers.3` · module `a.b` · all `all` · row `a.b.weight[row 7]` ·
column `a.b.weight[column 7]` · a part of a split `a.b.weight[part 1 of 3]` · a random part
`a.b.weight[random 4 of 10]` · tied tensors: the pattern with its wildcards filled in,
`encoder.0.attention.{query,key,value}.weight`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from steerlang.diagnostics import codes
from steerlang.graph.facts.structure import block_groups

from . import randomness
from .checkpoint import Checkpoint
from .errors import WeightsError, listed
from .patterns import Pattern, matching, selected

By = Literal["tensor", "layer", "module", "row", "column", "all"]
Cut = Literal["whole", "row", "column", "part", "random"]
_INSIDE = {"row": "row", "column": "column"}
# Each block has a name and a coefficient for every task vector: rows of a model of 70B parameters are 7 million.
MOST = 1 << 23


@dataclass(frozen=True, slots=True)
class Blocks:
    """What the blocks of a model are.

    by                what makes one block; `layer` falls back on the module for tensors outside the numbered layers
    include, exclude  the tensors that have a coefficient at all
    tie               tensors that fit one pattern with equal wildcards are one block (by = tensor only)
    split             fused tensors cut along their rows into equal parts (query, key and value: 3), a block each
    random            with by = tensor: each entry of a tensor falls in one of so many parts at random
    seed              of the random parts
    """

    by: By = "tensor"
    include: tuple[Pattern, ...] = ()
    exclude: tuple[Pattern, ...] = ()
    tie: tuple[Pattern, ...] = ()
    split: tuple[tuple[Pattern, int], ...] = ()
    random: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        if (self.tie or self.split or self.random) and self.by != "tensor":
            raise WeightsError("`tie`, `split` and random parts go with blocks by tensor", (), codes.OUT_OF_BOUNDS)
        if self.random < 0 or self.random == 1 or any(count < 2 for _, count in self.split):
            raise WeightsError("a tensor is cut into at least 2 parts", (), codes.OUT_OF_BOUNDS)


@dataclass(frozen=True, slots=True)
class Place:
    """How one tensor falls into blocks: those from `first` on, `count` of them, told apart by `cut`."""

    first: int
    count: int
    cut: Cut
    shape: tuple[int, ...]
    key: int = 0


@dataclass(frozen=True)
class BlockIndex:
    """The blocks of one model. Every tensor lies in `places` or in `outside`; blocks are disjoint.

    names    of the blocks, in the order of the tensors
    places   of the tensors that have coefficients
    outside  the tensors that have none
    """

    names: tuple[str, ...] = field(repr=False)
    places: Mapping[str, Place] = field(repr=False)
    outside: tuple[str, ...] = field(repr=False)

    def of(self, tensor: str, start: int, stop: int) -> int | NDArray[np.integer]:
        """The block of each of the elements `start` to `stop` [stop − start]; one number where they share it."""
        place = self.places[tensor]
        if place.cut == "whole":
            return place.first
        found: NDArray[np.integer] = self.inside(tensor, start, stop) + np.intp(place.first)
        return found

    def inside(self, tensor: str, start: int, stop: int) -> NDArray[np.integer]:
        """Like `of`, counted from the tensor's own first block, in the smallest integer type that holds the count."""
        place = self.places[tensor]
        if place.cut == "random":
            return randomness.parts(place.key, start, stop, place.count)
        kind = np.min_scalar_type(max(place.count - 1, 0))
        if place.cut == "whole":
            return np.zeros(stop - start, kind)
        index = np.arange(start, stop)
        columns = place.shape[-1] if len(place.shape) > 1 else 1
        if place.cut == "column":
            return (index % columns).astype(kind)
        rows = index // (int(np.prod(place.shape[1:])) or 1)
        return (rows if place.cut == "row" else rows * place.count // place.shape[0]).astype(kind)


def index_blocks(blocks: Blocks, checkpoint: Checkpoint, tensors: Iterable[str]) -> BlockIndex:
    """The blocks of the given tensors. Raises WeightsError where a pattern matches nothing or two overlap."""
    every = tuple(tensors)
    chosen = selected(blocks.include, blocks.exclude, every)
    names = _names(blocks, checkpoint, chosen)
    splits = _splits(blocks, checkpoint, chosen)
    numbers: dict[str, tuple[int, int]] = {}
    labels: list[str] = []
    places: dict[str, Place] = {}
    for tensor in chosen:
        shape, name = checkpoint.info(tensor).shape, names[tensor]
        cut, count = _cut(blocks, tensor, splits, shape)
        if name not in numbers:
            _check_count(len(labels) + count)
            numbers[name] = len(labels), count
            labels += [name] if cut == "whole" else [f"{name}[{_label(cut, i, count)}]" for i in range(count)]
        elif count != numbers[name][1]:
            message = f"the tensors tied as `{name}` are cut into different numbers of parts"
            raise WeightsError(message, "split them alike, or tie others", codes.OUT_OF_BOUNDS)
        key = randomness.key_of(blocks.seed, "parts", tensor) if cut == "random" else 0
        places[tensor] = Place(numbers[name][0], count, cut, shape, key)
    return BlockIndex(tuple(labels), places, tuple(t for t in every if t not in places))


def _check_count(blocks: int) -> None:
    """Raises WeightsError before a list of names is made that no memory holds."""
    if blocks > MOST:
        message = f"more than {MOST:,} blocks would have a coefficient each"
        raise WeightsError(message, "take fewer parts, or fewer tensors with `include`", codes.OUT_OF_BOUNDS)


def layers_of(checkpoint: Checkpoint) -> dict[str, tuple[str, int, int]]:
    """For each tensor in a numbered run of modules: the run's prefix, its number there, and how many there are."""
    groups = [(group.prefix, group.count) for group in block_groups(checkpoint.facts) if group.count > 1]
    found: dict[str, tuple[str, int, int]] = {}
    for prefix, count in groups:
        for tensor in checkpoint.tensors:
            number = tensor[len(prefix) :].partition(".")[0] if tensor.startswith(prefix) else ""
            if number.isdigit() and tensor not in found:
                found[tensor] = (prefix, int(number), count)
    return found


def module_of(tensor: str) -> str:
    """The module a tensor belongs to: its name without the last segment."""
    return tensor.rpartition(".")[0] or tensor


def _names(blocks: Blocks, checkpoint: Checkpoint, chosen: tuple[str, ...]) -> dict[str, str]:
    if blocks.by == "all":
        return dict.fromkeys(chosen, "all")
    if blocks.by == "module":
        return {tensor: module_of(tensor) for tensor in chosen}
    if blocks.by == "layer":
        layers = layers_of(checkpoint)
        return {t: f"{layers[t][0]}{layers[t][1]}" if t in layers else module_of(t) for t in chosen}
    names = {tensor: tensor for tensor in chosen}
    tied: dict[str, Pattern] = {}
    for pattern in blocks.tie:
        for tensor in matching(pattern, chosen):
            if tensor in tied:
                raise overlap(tensor, tied[tensor], pattern)
            tied[tensor] = pattern
            names[tensor] = _filled(pattern, pattern.captures(tensor) or ())
    return names


def _filled(pattern: Pattern, captures: tuple[str, ...]) -> str:
    if pattern.kind == "regex":
        return f"{pattern.text}({','.join(captures)})"
    pieces, text = iter(captures), pattern.text.replace("**.", "\0").replace("**", "\0").replace("*", "\0")
    return "".join(next(pieces) if char == "\0" else char for char in text)


def _splits(blocks: Blocks, checkpoint: Checkpoint, chosen: tuple[str, ...]) -> dict[str, int]:
    found: dict[str, int] = {}
    for pattern, count in blocks.split:
        for tensor in matching(pattern, chosen):
            shape = checkpoint.info(tensor).shape
            if not shape or shape[0] % count:
                rows = shape[0] if shape else 1
                message = f"`{tensor}` has {rows:,} rows, which are not {count} equal parts"
                raise WeightsError(message, "split tensors whose rows are that many parts", codes.OUT_OF_BOUNDS)
            if found.setdefault(tensor, count) != count:
                raise WeightsError(f"two patterns split `{tensor}`", (), codes.OUT_OF_BOUNDS)
    return found


def _cut(blocks: Blocks, tensor: str, splits: Mapping[str, int], shape: tuple[int, ...]) -> tuple[Cut, int]:
    if tensor in splits:
        return "part", splits[tensor]
    if blocks.random:
        return "random", blocks.random
    if blocks.by == "row" and shape:
        return "row", shape[0]
    if blocks.by == "column" and len(shape) > 1:
        return "column", shape[-1]
    return "whole", 1


def _label(cut: Cut, number: int, count: int) -> str:
    return f"{_INSIDE[cut]} {number}" if cut in _INSIDE else f"{cut} {number} of {count}"


def overlap(tensor: str, first: Pattern, second: Pattern) -> WeightsError:
    """The error of a tensor that two patterns claim."""
    message = f"{first} and {second} both match {listed([tensor])}"
    return WeightsError(message, "make the patterns disjoint", codes.PATTERN_OVERLAP)
