"""Coefficients: one number, numbers by pattern, over depth, or one a block; and what each tensor gets of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Union

import numpy as np

from steerlang.diagnostics import codes

from .blocks import BlockIndex, Blocks, index_blocks, layers_of, overlap
from .checkpoint import Checkpoint
from .dtypes import Float32
from .errors import WeightsError, listed, near
from .patterns import Pattern, matching, selected


@dataclass(frozen=True, slots=True)
class Depth:
    """A coefficient that runs over the layers, piecewise linear through `points` at equal distances.

    Layer i of n stands at i / (n − 1): the first layer gets the first point, the last layer the last. What lies outside
    the numbered layers (embedding, final norm, head) is written in `outside` and never inherited.
    """

    points: tuple[float, ...]
    outside: tuple[tuple[Pattern, float], ...] = ()

    def __post_init__(self) -> None:
        _finite(self.points, "a coefficient over depth")
        _finite((value for _, value in self.outside), "a coefficient")
        if not self.points:
            raise WeightsError("a coefficient over depth needs at least one point", (), codes.EMPTY_RANGE)


@dataclass(frozen=True, slots=True)
class Rules:
    """Numbers by pattern; `rest` for the tensors that no pattern matches. Patterns are disjoint and each matches."""

    rules: tuple[tuple[Pattern, float], ...]
    rest: float = 0.0

    def __post_init__(self) -> None:
        _finite((self.rest, *(value for _, value in self.rules)), "a coefficient")


@dataclass(frozen=True, slots=True)
class ByBlock:
    """One number a block, by the block's name. Every block is named and no other; tensors outside the blocks get 0."""

    blocks: Blocks
    values: tuple[tuple[str, float], ...]

    def __post_init__(self) -> None:
        _finite((value for _, value in self.values), "a coefficient")


@dataclass(frozen=True, slots=True)
class Within:
    """1 in the blocks and 0 outside: coefficients by block whose numbers are not known yet."""

    blocks: Blocks


Coefficient = Union[float, Depth, Rules, ByBlock, Within]
# The factor of the elements `start` to `stop`: one number, or one an element.
Factor = Union[float, Callable[[int, int], Float32]]


@dataclass(frozen=True)
class Factors:
    """What a coefficient gives each tensor. Numbers are multiplied in float32."""

    numbers: dict[str, float]
    rest: float = 0.0
    index: BlockIndex | None = None
    values: Any = None

    def of(self, tensor: str) -> Factor:
        """The factor of one tensor; exactly 0.0 where it gets nothing."""
        if self.index is None:
            return self.numbers.get(tensor, self.rest)
        place = self.index.places.get(tensor)
        if place is None:
            return 0.0
        own = self.values[place.first : place.first + place.count]
        if place.cut == "whole" or (own == own[0]).all():
            return float(own[0])
        index = self.index
        return lambda start, stop: own[index.inside(tensor, start, stop)]


def resolve(coefficient: Coefficient, checkpoint: Checkpoint, tensors: Iterable[str]) -> Factors:
    """The factors of the given tensors. Raises WeightsError that names the pattern, tensor or block at fault."""
    every = tuple(tensors)
    if isinstance(coefficient, Rules):
        return Factors(_by_pattern(coefficient.rules, every), coefficient.rest)
    if isinstance(coefficient, Depth):
        return Factors(_by_depth(coefficient, checkpoint, every))
    if isinstance(coefficient, ByBlock):
        index = index_blocks(coefficient.blocks, checkpoint, every)
        return Factors({}, 0.0, index, _by_name(coefficient, index))
    if isinstance(coefficient, Within):
        blocks = coefficient.blocks
        return Factors(dict.fromkeys(selected(blocks.include, blocks.exclude, every), 1.0))
    _finite((coefficient,), "a coefficient")
    return Factors({}, float(coefficient))


def _by_pattern(rules: tuple[tuple[Pattern, float], ...], every: tuple[str, ...]) -> dict[str, float]:
    claimed: dict[str, Pattern] = {}
    numbers: dict[str, float] = {}
    for pattern, value in rules:
        for tensor in matching(pattern, every):
            if tensor in claimed:
                raise overlap(tensor, claimed[tensor], pattern)
            claimed[tensor], numbers[tensor] = pattern, value
    return numbers


def _by_depth(depth: Depth, checkpoint: Checkpoint, every: tuple[str, ...]) -> dict[str, float]:
    layers = layers_of(checkpoint)
    loose = tuple(tensor for tensor in every if tensor not in layers)
    numbers = _by_pattern(depth.outside, loose) if depth.outside else {}
    if forgotten := [tensor for tensor in loose if tensor not in numbers]:
        message = f"a coefficient over depth says nothing of {listed(forgotten)}, outside the layers"
        raise WeightsError(message, "give them a number of their own: it is never inherited", codes.MISSING_ARGUMENT)
    at = np.linspace(0.0, 1.0, len(depth.points)) if len(depth.points) > 1 else np.zeros(1)
    for tensor in every:
        if tensor in layers:
            _, number, count = layers[tensor]
            numbers[tensor] = float(np.interp(number / (count - 1), at, depth.points))
    return numbers


def _by_name(given: ByBlock, index: BlockIndex) -> Float32:
    named, known = dict(given.values), set(index.names)
    if unknown := [name for name in named if name not in known]:
        message = f"coefficients name blocks that the model does not have: {listed(unknown)}"
        raise WeightsError(message, near(unknown[0], index.names), codes.UNKNOWN_NAME)
    if lacking := [name for name in index.names if name not in named]:
        raise WeightsError(f"no coefficient is given for the blocks {listed(lacking)}", (), codes.MISSING_ARGUMENT)
    return np.array([named[name] for name in index.names], np.float32)


def _finite(values: Iterable[float], what: str) -> None:
    for value in values:
        if not math.isfinite(value):
            raise WeightsError(f"{what} is {value}, which is no finite number", (), codes.OUT_OF_BOUNDS)
