"""The pool: the task vectors that get coefficients, as streams of ranges of tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from steerlang.weights.adapters import Adapter
from steerlang.weights.blocks import BlockIndex, Blocks, index_blocks
from steerlang.weights.checkpoint import CHUNK, Checkpoint
from steerlang.weights.evaluation import Evaluation
from steerlang.weights.expression import Edit, Sum, Vector
from steerlang.weights.planning import EditPlan, plan_edit


@dataclass(frozen=True)
class Pool:
    """n task vectors over one base. Make one with `Pool.of`."""

    names: tuple[str, ...]
    terms: tuple[Vector, ...] = field(repr=False)
    plan: EditPlan = field(repr=False)
    evaluation: Evaluation = field(repr=False)

    @staticmethod
    def of(
        terms: Mapping[str, Vector],
        base: str,
        checkpoints: Mapping[str, Checkpoint],
        adapters: Mapping[str, Adapter] | None = None,
        *,
        across: bool = False,
    ) -> Pool:
        """The task vectors `terms` by name, to be added to the checkpoint with the key `base`.

        checkpoints, adapters  what the keys in the terms mean

        Reads headers only. Raises WeightsError as `plan_edit` does.
        """
        found = tuple(terms.values())
        plan = plan_edit(Edit(base, Sum(found), across=across), checkpoints, adapters)
        return Pool(tuple(terms), found, plan, Evaluation(plan, CHUNK))

    @property
    def base(self) -> Checkpoint:
        """θ_0 as it is stored."""
        return self.plan.base

    def index(self, blocks: Blocks) -> BlockIndex:
        """The blocks of the base. Raises WeightsError where a pattern matches nothing or two overlap."""
        return index_blocks(blocks, self.base, self.plan.editable)

    def reaching(self, tensor: str) -> tuple[int, ...]:
        """The numbers of the task vectors that can be other than 0 on a tensor of the base."""
        return tuple(number for number, term in enumerate(self.terms) if self.plan.reaches(term, tensor))
