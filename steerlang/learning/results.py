"""What learning and searching give: coefficients by name, what happened on the way, and why these were kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from steerlang.weights.blocks import Blocks
from steerlang.weights.coefficients import ByBlock


@dataclass(frozen=True, slots=True)
class Step:
    """One step: the loss before it (with the penalty), the step size, and the norm of the gradient before clipping."""

    step: int
    loss: float
    lr: float
    norm: float


@dataclass(frozen=True, slots=True)
class Trial:
    """What coefficients gave on the data they are selected on.

    step    how many steps were done (for `search`: the number of the scale, in `scale`)
    scores  accuracy or loss by the name of the data set
    score   what is compared: lower is better for losses and for the target of `negate`
    feasible  whether the constraint holds; True without one
    """

    step: int
    scores: Mapping[str, float]
    score: float
    feasible: bool = True
    scale: float | None = None


@dataclass(frozen=True, eq=False)
class Learned:
    """Coefficients λ [task vectors, blocks] by name.

    base      the trial of λ = 0, where one was made
    chosen    how many steps the kept coefficients had; 0 is the base model
    why       in words
    feasible  False where a constraint could not be kept and λ = 0 was given; None without a constraint
    notes     what is worth showing
    """

    vectors: tuple[str, ...]
    blocks: tuple[str, ...]
    values: Tensor
    history: tuple[Step, ...] = field(repr=False)
    trials: tuple[Trial, ...] = field(repr=False)
    base: Trial | None
    chosen: int
    why: str
    feasible: bool | None = None
    notes: tuple[str, ...] = ()

    def by_block(self, blocks: Blocks) -> tuple[ByBlock, ...]:
        """The coefficients of each task vector, as `compose` takes them."""
        return tuple(
            ByBlock(blocks, tuple(zip(self.blocks, row, strict=True))) for row in self.values.double().tolist()
        )
