"""On which tokens of a pass, and how strongly, actions act: scope, schedule and gate of an action as one mask.

Masks are made once a pass and shared by all layers: those without a gate when the pass begins, those with one as soon
as the gate's last reading is there. A gate that was decided on the prompt is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from steerlang.kernels.gates import mean_over
from steerlang.models.errors import BadBatch, ModelError
from steerlang.models.gates import Gate, Reading
from steerlang.models.schedules import Schedule
from steerlang.models.scopes import EVERY, NONE, AllTokens, Answer, Mask, PassView, TokenScope, Whole


class Condition(NamedTuple):
    """When an action acts: on these tokens, times this schedule, where this gate is open."""

    scope: TokenScope
    schedule: Schedule | None = None
    gate: Gate | None = None

    @property
    def always(self) -> bool:
        """Whether it acts on every token, alike."""
        return isinstance(self.scope, AllTokens) and self.schedule is None and self.gate is None


class Conditions:
    """The masks of a pass, by the number of the condition."""

    def __init__(self, conditions: Sequence[Condition], dtype: torch.dtype) -> None:
        self.conditions = tuple(conditions)
        self.readings: tuple[Reading, ...] = tuple(
            dict.fromkeys(r for c in conditions if c.gate is not None for r in c.gate.readings)
        )
        self.always = all(condition.always for condition in conditions)
        self._needs = tuple(
            frozenset() if c.gate is None else frozenset(self.readings.index(r) for r in c.gate.readings)
            for c in conditions
        )
        self._dtype = dtype
        self._masks: list[Mask | Whole | None] = [EVERY if c.gate is None else None for c in conditions]
        self._plain: list[Mask | Whole] = [EVERY] * len(self.conditions)  # without their gates
        self._numbers: dict[int, Tensor] = {}
        self._admits: dict[int, Tensor] = {}  # where each gate was open in the last pass, [B, 1] or [B, T]
        self._waiting: dict[int, set[int]] = {}  # condition → readings that are still to come in this pass
        self._view: PassView | None = None
        self._prompt: Tensor | None = None

    def begin(self) -> None:
        """Another batch: nothing is decided."""
        self._numbers.clear()

    def keep(self, rows: Tensor) -> None:
        """Goes on with these rows of the batch only."""
        self._numbers = {n: number[rows] for n, number in self._numbers.items() if self.readings[n].kept}

    def on_pass(self, view: PassView) -> None:
        """The masks of a pass that begins, as far as they are known."""
        self._view, self._prompt = view, None
        self._waiting.clear()
        self._admits.clear()
        if not view.after_prompt:
            self._numbers.clear()
        for i, condition in enumerate(self.conditions):
            mask = self._plain[i] = self._masks[i] = _mask(condition, view, self._dtype)
            if condition.gate is None or mask is NONE:
                continue
            missing = {n for n in self._needs[i] if self.wants(n)}
            if missing:
                self._masks[i] = None
                self._waiting[i] = missing
            else:
                self._decide(i, condition.gate)

    def of(self, i: int) -> Mask | Whole:
        """The mask of condition i, which must be known by now."""
        mask = self._masks[i]
        return mask if mask is not None else self._unknown(i)

    def wants(self, number: int) -> bool:
        """Whether a reading is to be taken in this pass."""
        return not (self.readings[number].kept and number in self._numbers)

    def read(self, number: int, states: Tensor, direction: Tensor) -> None:
        """Takes a reading from the states of this pass ``[B, T, D]``, and decides what waited for it."""
        reading = self.readings[number]
        if reading.kept:
            mean = mean_over(states, self._prompt_tokens(last=reading.tokens == "last"))
            self._numbers[number] = reading.quantity.of(mean, direction)[:, None]
        else:
            self._numbers[number] = reading.quantity.of(states, direction)
        for i, missing in list(self._waiting.items()):
            missing.discard(number)
            gate = self.conditions[i].gate
            if not missing and gate is not None:
                del self._waiting[i]
                self._decide(i, gate)

    def _prompt_tokens(self, last: bool) -> Tensor:
        view = self._view
        assert view is not None
        if last:
            return view.positions == view.prompt_lengths - 1
        if self._prompt is None:
            self._prompt = (view.positions >= 0) & (view.positions < view.prompt_lengths)
        return self._prompt

    def _decide(self, i: int, gate: Gate) -> None:
        assert self._view is not None
        batch = self._view.positions.shape[0]
        numbers = {self.readings[n]: repeated(self._numbers[n], batch, "gates") for n in self._needs[i]}
        self._admits[i] = gate.decide(numbers)
        admits = self._admits[i][..., None]
        plain = self._plain[i]
        if isinstance(plain, Whole):
            self._masks[i] = Mask(admits, admits.to(self._dtype))
        else:
            self._masks[i] = Mask(plain.where & admits, plain.weight * admits, plain.factor)

    def opened(self, lengths: Tensor) -> Tensor:
        """On which rows of the last pass some gate was open, on one token at least of the first ``lengths [B]``:
        ``[B]``, bool."""
        assert self._view is not None
        positions = self._view.positions
        real = (positions >= 0) & (positions < lengths[:, None])
        found = torch.zeros(positions.shape[0], dtype=torch.bool, device=positions.device)
        for admits in self._admits.values():
            found |= (admits & real).any(-1)
        return found

    def _unknown(self, i: int) -> Mask | Whole:
        gate = self.conditions[i].gate
        places = "" if gate is None else ", ".join(str(r.point) for r in gate.readings)
        raise ModelError(
            f"an action waits for a gate that is read later in the pass ({places})",
            "read the gate at an earlier layer or site than the action acts on",
        )


def _mask(condition: Condition, view: PassView, dtype: torch.dtype) -> Mask | Whole:
    """The mask of scope and schedule."""
    answer: Answer = condition.scope.answer(view)
    if answer is NONE:
        return NONE
    if condition.schedule is None:
        if isinstance(answer, Whole):
            return answer
        where = answer[..., None]
        return Mask(where, where.to(dtype))
    token = (view.positions - view.prompt_lengths + 1).clamp_min(0)
    factor = condition.schedule.factor(token.to(torch.float32))[..., None]
    acts = factor != 0
    where = acts if isinstance(answer, Whole) else answer[..., None] & acts
    return Mask(where, (factor * where).to(dtype), factor)


def repeated(values: Tensor, batch: int, what: str) -> Tensor:
    """One entry a row; beams repeat each row contiguously."""
    if values.shape[0] == batch:
        return values
    if batch % values.shape[0]:
        raise BadBatch(f"{what} for {values.shape[0]} rows, in a batch of {batch}", "begin a new batch first")
    return values.repeat_interleave(batch // values.shape[0], dim=0)
