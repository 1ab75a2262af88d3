"""What steering does: actions, each an operator with directions at some layers of a site, and when it acts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from torch import Tensor

from steerlang.models.conditions import Condition
from steerlang.models.errors import BadBatch
from steerlang.models.gates import Gate
from steerlang.models.schedules import Schedule
from steerlang.models.scopes import AllTokens, TokenScope
from steerlang.models.sites import Site

EVERY_TOKEN = AllTokens()


@dataclass(frozen=True)
class Add:
    """h + Σ s_i v_i; ``keep`` rescales to ‖h‖, ``cap`` only where the norm grew (`kernels.steering.add`)."""

    norm: Literal["free", "keep", "cap"] = "free"


@dataclass(frozen=True)
class Rotate:
    """The in-context-vector operator (`kernels.steering.rotate`); N vectors share the division by N."""

    gain: Literal["anti_alignment", "none"] = "anti_alignment"


@dataclass(frozen=True)
class Ablate:
    """h − s · (its part in the span of the vectors); the scale is that of the first vector (`ablate`)."""


@dataclass(frozen=True)
class Clamp:
    """Sets the component along v/‖v‖ to ``to``; a scale below 1 goes that share of the way."""

    to: float


@dataclass(frozen=True)
class Replace:
    """Sets the state to v; a scale below 1 goes that share of the way."""


Operator = Add | Rotate | Ablate | Clamp | Replace


@dataclass(frozen=True, eq=False)
class SteeringAction:
    """One operator at one site. ``directions`` maps a layer to ``[N, D]``; ``scales`` has N numbers.

    Directions come in the unit the scales multiply (`kernels.steering.in_unit`). Scale 0 (or a zero vector) is no
    steering, to the bit. The sites ``embedding`` and ``final_norm`` use layer 0. It acts on ``tokens``, where the
    ``gate`` is open, its scales multiplied by the ``schedule``'s factor.
    """

    operator: Operator
    site: Site
    directions: Mapping[int, Tensor]
    scales: tuple[float, ...]
    tokens: TokenScope = EVERY_TOKEN
    schedule: Schedule | None = None
    gate: Gate | None = None

    def __post_init__(self) -> None:
        for layer, vectors in self.directions.items():
            if vectors.ndim != 2 or vectors.shape[0] != len(self.scales):
                raise BadBatch(
                    f"{len(self.scales)} scales for directions of shape {tuple(vectors.shape)} at layer {layer}",
                    "directions are [N, width], with one scale for each of the N",
                )
        if isinstance(self.operator, Clamp | Replace) and len(self.scales) != 1:
            raise BadBatch(
                f"{type(self.operator).__name__.lower()} takes one vector, {len(self.scales)} given",
                "use one action each",
            )

    @property
    def condition(self) -> Condition:
        """When it acts."""
        return Condition(self.tokens, self.schedule, self.gate)

    def times(self, factor: float) -> SteeringAction:
        """The same action with its scales multiplied."""
        return replace(self, scales=tuple(factor * scale for scale in self.scales))


Recipe = tuple[SteeringAction, ...]
