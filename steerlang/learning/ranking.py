"""Which coefficients to learn at all, chosen before learning: a mask [task vectors, blocks], and why.

At λ = 0 the gradient does not depend on which task vectors are grouped, so one backward pass ranks them all:

    gradient            whole task vectors, by Σ_j |∂L/∂λ_ij|
    gradient_blockwise  in each block the b task vectors with the largest |∂L/∂λ_ij|
    features            whole task vectors, by the cosine of their data's mean features to the target's
    random              whole task vectors, by a seed
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from steerlang.diagnostics import codes
from steerlang.weights import randomness
from steerlang.weights.blocks import BlockIndex

from .composing import composed
from .data import Data
from .errors import LearningError
from .learner import pass_over
from .losses import addends
from .pool import Pool
from .settings import Objective, Settings


@dataclass(frozen=True, eq=False)
class BlockGradient:
    """∂L/∂λ [task vectors, blocks] in float64, and the loss L, at given coefficients."""

    vectors: tuple[str, ...]
    blocks: tuple[str, ...]
    values: Tensor
    loss: float


@dataclass(frozen=True, eq=False)
class Kept:
    """Which coefficients to learn.

    mask    [task vectors, blocks]
    scores  what decided: [task vectors] or [task vectors, blocks]
    by      the rule
    names   of the task vectors and of the blocks
    """

    mask: Tensor
    scores: Tensor
    by: str
    vectors: tuple[str, ...]
    blocks: tuple[str, ...] = field(repr=False)

    def of_block(self, block: str) -> tuple[str, ...]:
        """The task vectors kept in a block."""
        column = self.mask[:, self.blocks.index(block)]
        return tuple(name for name, kept in zip(self.vectors, column.tolist(), strict=True) if kept)


def block_gradient(
    module: nn.Module,
    pool: Pool,
    index: BlockIndex,
    data: Data,
    objective: Objective,
    *,
    at: Tensor | None = None,
    batch_size: int = 128,
    batches: int | None = None,
    seed: int = 0,
    memory: int = 0,
    linearize: bool = False,
) -> BlockGradient:
    """The exact gradient of an objective with respect to every coefficient, at λ = 0 or `at` [n, m].

    batches  how many batches of each data set it is of, drawn by `seed`; None: all rows

    Raises LearningError as `learn` does.
    """
    largest = max(examples.count for examples in data.learn) if data.learn else 1
    rounds = batches if batches is not None else -(-largest // batch_size)
    settings = Settings(objective, steps=1, batch_size=batch_size, grad_accumulation=rounds, seed=seed, memory=memory,
                        linearize=linearize)  # fmt: skip
    shape = (len(pool.names), len(index.names))
    total, gradient = 0.0, torch.zeros(shape, dtype=torch.float64)
    losses = addends(settings, data, 1, batch_size)
    with composed(module, pool, index, None, settings) as (composition, _):
        composition.set(torch.zeros(shape) if at is None else at)
        for addend in losses:
            addend.begin(0)
            loss, own = pass_over(composition, addend, 0, batch_size)
            total, gradient = total + addend.sign * loss, gradient + addend.sign * own
    return BlockGradient(pool.names, index.names, gradient, total)


def keep_by_gradient(gradient: BlockGradient, count: int) -> Kept:
    """The `count` task vectors with the largest Σ_j |∂L/∂λ_ij|."""
    _check(count, gradient.vectors)
    return _whole(gradient.values.abs().sum(1), count, "gradient", gradient.vectors, gradient.blocks)


def keep_by_gradient_blockwise(gradient: BlockGradient, count: int) -> Kept:
    """In each block the `count` task vectors with the largest |∂L/∂λ_ij|; ties go to the earlier one."""
    _check(count, gradient.vectors)
    scores = gradient.values.abs()
    order = scores.argsort(stable=True, dim=0, descending=True)[:count]
    mask = torch.zeros(scores.shape, dtype=torch.bool).scatter_(0, order, True)
    return Kept(mask, scores, "gradient_blockwise", gradient.vectors, gradient.blocks)


def keep_by_features(
    target: Tensor, features: Sequence[Tensor], count: int, vectors: tuple[str, ...], index: BlockIndex
) -> Kept:  # fmt: skip
    """The `count` task vectors whose data are nearest to the target's: cosine of mean features [D]."""
    _check(count, vectors)
    if len(features) != len(vectors):
        message = f"there are {len(vectors)} task vectors, but features of {len(features)} data sets"
        raise LearningError(message, "give those of each task vector's own data", codes.OBJECTIVE_DATA)
    scores = torch.stack([torch.cosine_similarity(one.double(), target.double(), dim=0) for one in features])
    return _whole(scores, count, "features", vectors, index.names)


def keep_random(count: int, seed: int, vectors: tuple[str, ...], index: BlockIndex) -> Kept:
    """`count` task vectors by a seed: each by a random number that only its name and the seed decide."""
    _check(count, vectors)
    scores = torch.tensor([randomness.key_of(seed, name, "keep") / 2.0**64 for name in vectors], dtype=torch.float64)
    return _whole(scores, count, "random", vectors, index.names)


def _whole(scores: Tensor, count: int, by: str, vectors: tuple[str, ...], blocks: tuple[str, ...]) -> Kept:
    chosen = scores.argsort(descending=True, stable=True)[:count]
    mask = torch.zeros(len(vectors), len(blocks), dtype=torch.bool)
    mask[chosen] = True
    return Kept(mask, scores, by, vectors, blocks)


def _check(count: int, vectors: tuple[str, ...]) -> None:
    if not 1 <= count <= len(vectors):
        message = f"{count} of {len(vectors)} task vectors cannot be kept"
        raise LearningError(message, f"keep from 1 to {len(vectors)}", codes.OUT_OF_BOUNDS)
