"""Which task vectors take part in learning: the rule a program names, carried out before the first step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from steerlang.learning import (
    Data,
    Kept,
    Pool,
    Settings,
    block_gradient,
    keep_by_features,
    keep_by_gradient,
    keep_by_gradient_blockwise,
    keep_random,
)
from steerlang.learning.ranking import BlockGradient
from steerlang.weights.blocks import BlockIndex

from .examples import Rows


@dataclass(frozen=True, eq=False)
class Contest:
    """All that a rule may look at. `options` are the rule's own, with `keep`, how many are kept."""

    options: Mapping[str, Any]
    pool: Pool
    index: BlockIndex
    data: Data
    settings: Settings
    rows: Rows


def kept(
    options: Any, pool: Pool, index: BlockIndex, data: Data, settings: Settings, rows: Rows
) -> Kept | None:  # fmt: skip
    """Which coefficients are learned; None: all."""
    rule = _RULES[options["pool"]["name"]]
    return rule(Contest(options["pool"]["options"], pool, index, data, settings, rows))


def _gradient(contest: Contest) -> BlockGradient:
    settings = contest.settings
    return block_gradient(
        contest.rows.module, contest.pool, contest.index, contest.data, settings.objective,
        batch_size=settings.batch_size, seed=settings.seed, memory=settings.memory, linearize=settings.linearize,
    )  # fmt: skip


def _by_features(contest: Contest) -> Kept:
    """Cosine of the mean features of each task vector's own data to those of the data that is learned from."""
    rows, own = contest.rows, contest.options["of"]
    target = rows.mean_features(contest.data.learn)
    features = [rows.mean_features([rows.examples(given, f"data of task vector {i + 1}", False)])
                for i, given in enumerate(own)]  # fmt: skip
    return keep_by_features(target, features, contest.options["keep"], contest.pool.names, contest.index)


_RULES: Mapping[str, Callable[[Contest], Kept | None]] = {
    "all": lambda c: None,
    "gradient": lambda c: keep_by_gradient(_gradient(c), c.options["keep"]),
    "gradient_blockwise": lambda c: keep_by_gradient_blockwise(_gradient(c), c.options["keep"]),
    "random": lambda c: keep_random(c.options["keep"], c.settings.seed, c.pool.names, c.index),
    "features": _by_features,
}
