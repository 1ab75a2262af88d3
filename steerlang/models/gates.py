"""Gates: whether an action acts, decided from states read earlier in the same pass.

A gate compares readings with numbers and combines comparisons. A reading is one number for each row, from the states of
the prompt (kept while the text is generated), or one for each token.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from steerlang.kernels import gates
from steerlang.kernels.steering import unit_length
from steerlang.models.errors import ModelError
from steerlang.models.sites import Point

Comparator = Literal["<", "<=", ">", ">=", "==", "!="]


@dataclass(frozen=True)
class Quantity:
    """What is read from a state along a direction. Use a subclass."""

    axes: ClassVar[int] = 1  # of the direction: [D], or [K, D]

    def prepared(self, direction: Tensor) -> Tensor:
        """What `of` is given of a reading's direction: that at length 1. Called once, before any pass."""
        return unit_length(direction.detach())

    def of(self, h: Tensor, direction: Tensor) -> Tensor:
        """One number a state: ``h [..., D]``, ``direction`` as prepared, float32 on its device → ``[...]``."""
        raise NotImplementedError


@dataclass(frozen=True)
class CosineTo(Quantity):
    """cos(h, v)."""

    def of(self, h: Tensor, direction: Tensor) -> Tensor:
        return gates.cosine(h, direction)


@dataclass(frozen=True)
class CastSimilarity(Quantity):
    """cos(h, tanh(P h)) with P the projection on v (`kernels.gates.cast`)."""

    def of(self, h: Tensor, direction: Tensor) -> Tensor:
        return gates.cast(h, direction)


@dataclass(frozen=True)
class ProjectionOn(Quantity):
    """h·v̂."""

    def of(self, h: Tensor, direction: Tensor) -> Tensor:
        return gates.projection(h, direction)


@dataclass(frozen=True)
class Probability(Quantity):
    """σ(scale · h·v̂ + intercept)."""

    scale: float
    intercept: float

    def of(self, h: Tensor, direction: Tensor) -> Tensor:
        return gates.probability(h, direction, self.scale, self.intercept)


@dataclass(frozen=True)
class NearestConcept(Quantity):
    """argmax_k (h·u_k + c_k) for the rows u_k of a dictionary (`kernels.gates.nearest`); ``offsets`` are the c_k."""

    offsets: tuple[float, ...]
    axes: ClassVar[int] = 2

    def prepared(self, direction: Tensor) -> Tensor:
        rows = direction.detach().float()
        return torch.cat([rows, torch.tensor(self.offsets, dtype=rows.dtype, device=rows.device)[:, None]], dim=1)

    def of(self, h: Tensor, direction: Tensor) -> Tensor:
        return gates.nearest(h, direction)


@dataclass(frozen=True, eq=False)
class Reading:
    """A quantity at a point, along a direction ``[D]`` or the rows ``[K, D]`` of a dictionary. Readings of equal
    contents are one, and are read once a pass.

    ``each`` = ``prompt``: of the mean over the prompt's tokens (``tokens`` = ``mean``) or of its last one (``last``),
    one number a row, kept while the text is generated. ``each`` = ``token``: of every token's own state.
    """

    quantity: Quantity
    point: Point
    direction: Tensor
    tokens: Literal["mean", "last"] = "mean"
    each: Literal["prompt", "token"] = "prompt"

    def __post_init__(self) -> None:
        shaped = self.direction.ndim == self.quantity.axes
        if not shaped or not bool(self.direction.any()) or not bool(self.direction.isfinite().all()):
            raise ModelError(
                f"a gate at {self.point} has no direction to compare with",
                "give a vector [D], or rows [K, D], finite and not zero",
            )

    @property
    def kept(self) -> bool:
        """Whether its numbers stay while the text is generated."""
        return self.each == "prompt"

    def _parts(self) -> tuple[object, ...]:
        return (self.quantity, self.point, self.tokens, self.each)

    def __hash__(self) -> int:
        return hash(self._parts())

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Reading)
            and self._parts() == other._parts()
            and torch.equal(self.direction, other.direction)
        )


@dataclass(frozen=True)
class Gate:
    """Base of the gates. Use a subclass."""

    @property
    def readings(self) -> tuple[Reading, ...]:
        """What it is decided from, each once."""
        raise NotImplementedError

    def decide(self, numbers: Mapping[Reading, Tensor]) -> Tensor:
        """True where the gate is open: ``[B, 1]``, or ``[B, T]`` where a reading is of every token."""
        raise NotImplementedError


_COMPARE: Mapping[Comparator, Callable[[Tensor, float], Tensor]] = {
    "<": torch.lt,
    "<=": torch.le,
    ">": torch.gt,
    ">=": torch.ge,
    "==": torch.eq,
    "!=": torch.ne,
}


@dataclass(frozen=True)
class Compare(Gate):
    """A reading against a number. NaN compares false."""

    reading: Reading
    comparator: Comparator
    number: float

    @property
    def readings(self) -> tuple[Reading, ...]:
        return (self.reading,)

    def decide(self, numbers: Mapping[Reading, Tensor]) -> Tensor:
        return _COMPARE[self.comparator](numbers[self.reading], self.number)


@dataclass(frozen=True)
class Both(Gate):
    """Open where both are."""

    left: Gate
    right: Gate

    @property
    def readings(self) -> tuple[Reading, ...]:
        return tuple(dict.fromkeys(self.left.readings + self.right.readings))

    def decide(self, numbers: Mapping[Reading, Tensor]) -> Tensor:
        return self.left.decide(numbers) & self.right.decide(numbers)


@dataclass(frozen=True)
class Either(Gate):
    """Open where one is, or both."""

    left: Gate
    right: Gate

    @property
    def readings(self) -> tuple[Reading, ...]:
        return tuple(dict.fromkeys(self.left.readings + self.right.readings))

    def decide(self, numbers: Mapping[Reading, Tensor]) -> Tensor:
        return self.left.decide(numbers) | self.right.decide(numbers)


@dataclass(frozen=True)
class Not(Gate):
    """Open where the other is not."""

    gate: Gate

    @property
    def readings(self) -> tuple[Reading, ...]:
        return self.gate.readings

    def decide(self, numbers: Mapping[Reading, Tensor]) -> Tensor:
        return ~self.gate.decide(numbers)
