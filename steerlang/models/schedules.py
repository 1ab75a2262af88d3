"""How strongly an action acts at each generated token: the factor its scale is multiplied by.

Token t = 0 is the first new one. The position that produces it, the last of the prompt, and all before it have the
factor at 0, so that a schedule says nothing of the prompt but its beginning.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from steerlang.kernels import schedules


@dataclass(frozen=True)
class Schedule:
    """Base of the schedules. Use a subclass."""

    def factor(self, t: Tensor) -> Tensor:
        """Factors for token numbers ``t`` (float32, from 0), of the same shape."""
        raise NotImplementedError


@dataclass(frozen=True)
class Linear(Schedule):
    """From ``start`` at token 0 to ``end`` at token ``over``, and ``end`` from there on."""

    start: float
    end: float
    over: float

    def factor(self, t: Tensor) -> Tensor:
        return schedules.linear(t, self.start, self.end, self.over)


@dataclass(frozen=True)
class Cosine(Schedule):
    """From 1 at token 0 to ``floor`` at token ``over``, along half a cosine."""

    over: float
    floor: float = 0.0

    def factor(self, t: Tensor) -> Tensor:
        return schedules.cosine(t, self.over, self.floor)


@dataclass(frozen=True)
class Exponential(Schedule):
    """From 1 towards ``floor``, half of the way every ``half_life`` tokens."""

    half_life: float
    floor: float = 0.0

    def factor(self, t: Tensor) -> Tensor:
        return schedules.exponential(t, self.half_life, self.floor)


@dataclass(frozen=True)
class Window(Schedule):
    """1 for tokens from ``start`` up to but not with ``end``, else 0."""

    start: int
    end: int

    def factor(self, t: Tensor) -> Tensor:
        return schedules.window(t, self.start, self.end)
