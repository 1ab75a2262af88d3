"""What is learned from: data sets that know their own head, and how a step's rows are drawn from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol, Union, runtime_checkable

import torch
from torch import Tensor

from steerlang.weights import randomness


class Strength(Enum):
    """How much a view changes its rows. What a weak or strong change is, is the examples' own business."""

    PLAIN = "plain"
    WEAK = "weak"
    STRONG = "strong"


@dataclass(frozen=True, slots=True)
class View:
    """How rows are looked at. `draw` seeds the random changes: equal rows and views give equal inputs, always."""

    strength: Strength = Strength.PLAIN
    draw: int = 0


PLAIN = View()


@runtime_checkable
class Examples(Protocol):
    """One data set for classification, with its head.

    name    what messages and records call it
    count   N, the number of rows
    labels  the class of each row, int64 [N]; None where there are none, or where they may not be used
    """

    @property
    def name(self) -> str: ...

    @property
    def count(self) -> int: ...

    @property
    def labels(self) -> Tensor | None: ...

    def logits(self, rows: Sequence[int], view: View) -> Tensor:
        """Scores [n, C] of the rows, before softmax, by the module as it is now. Differentiable through the module's
        parameters; a head that is no part of the module is frozen."""
        ...


@runtime_checkable
class TokenExamples(Protocol):
    """One data set of texts for a causal language model."""

    @property
    def name(self) -> str: ...

    @property
    def count(self) -> int: ...

    def losses(self, rows: Sequence[int]) -> tuple[Tensor, int]:
        """The sum of the cross-entropies of the tokens that count (nats, a scalar), and how many tokens these are."""
        ...


AnyExamples = Union[Examples, TokenExamples]


@dataclass(frozen=True)
class Data:
    """The data of one run.

    learn           what the loss is of; several sets: the losses are added, each with its own head
    control         for `negate`: what must stay as it is
    select          held-out rows that coefficients are chosen on, one set for each of `learn` or any others;
                    none: those of `learn`
    select_control  the same for `control`
    """

    learn: tuple[AnyExamples, ...]
    control: Examples | None = None
    select: tuple[AnyExamples, ...] = ()
    select_control: Examples | None = None


def batches_in_epoch(count: int, size: int) -> int:
    """How many batches an epoch has; the last one may be smaller."""
    return -(-count // size)


def permutation(count: int, seed: int, epoch: int, name: str) -> Tensor:
    """The order of the rows in one epoch [count]: a function of the arguments alone."""
    key = randomness.key_of(seed, name, f"epoch {epoch}")
    return torch.randperm(count, generator=torch.Generator().manual_seed(key >> 1))


def batch(count: int, size: int, seed: int, step: int, name: str) -> list[int]:
    """The rows of one step, sorted: the step's part of its epoch's permutation."""
    each = batches_in_epoch(count, size)
    epoch, number = divmod(step, each)
    return sorted(permutation(count, seed, epoch, name)[number * size : (number + 1) * size].tolist())


def pieces(rows: Sequence[int], size: int) -> list[list[int]]:
    """The rows in pieces of at most `size`."""
    return [list(rows[start : start + size]) for start in range(0, len(rows), size)]
