"""Plain task arithmetic, the baseline: one scale for all task vectors, tried over a grid."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import nn

from steerlang.diagnostics import codes
from steerlang.weights.blocks import BlockIndex

from .composing import composed
from .data import Data
from .errors import LearningError
from .losses import check_data
from .measuring import Jury, best
from .pool import Pool
from .results import Learned, Trial
from .settings import Criterion, Negate, Objective, Settings

GRID = tuple(step / 20 for step in range(21))


def search(
    module: nn.Module,
    pool: Pool,
    index: BlockIndex,
    data: Data,
    objective: Objective,
    *,
    grid: Sequence[float] = GRID,
    batch_size: int = 128,
    criterion: Criterion | None = None,
    memory: int = 0,
    linearize: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Learned:
    """The scale s of θ = θ_0 + s Σ_i τ_i that is best on `data.select` (Ilharco et al., 2023); for `negate` of
    θ_0 − s Σ_i τ_i, under its constraint. Equal scores: the smaller place in the grid. The coefficients are all s (−s).

    grid  the scales tried; 0, 0.05, …, 1

    Raises LearningError as `learn` does.
    """
    check_data(objective, data)
    if not grid:
        raise LearningError("the grid of scales is empty", (), codes.EMPTY_RANGE)
    settings = Settings(objective, steps=1, batch_size=batch_size, memory=memory, linearize=linearize)
    jury = Jury.of(objective, data, criterion, batch_size)
    sign = -1.0 if isinstance(objective, Negate) else 1.0
    ones = torch.ones(len(pool.names), len(index.names))
    trials: list[Trial] = []
    with composed(module, pool, index, None, settings) as (composition, notes):
        composition.set(ones * 0.0)
        base = jury.trial(0, None, 0.0)
        for number, scale in enumerate(grid):
            composition.set(ones * (sign * scale))
            trials.append(jury.trial(number, base, scale) if scale else base)
            if progress is not None:
                progress(number + 1, len(grid))
    chosen = best(trials, base)
    constrained = isinstance(objective, Negate)
    feasible = any(t.feasible for t in trials if t.scale) if constrained else None
    why = f"the best of {len(grid)} scales: {chosen.scale:g}"
    if feasible is False:
        why = "no scale kept the control: the coefficients are 0"
    elif chosen is base and 0.0 not in grid:
        why = f"none of {len(grid)} scales is better than the base: the coefficients are 0"
    values = ones * (sign * (chosen.scale or 0.0))
    return Learned(pool.names, index.names, values, (), tuple(trials), base, chosen.step, why, feasible, notes)
