"""Actions made ready for one place: tensors on the right device in the right dtype, one entry a recipe.

A step holds the same kind of action for every recipe (a recipe without it has zeros, which change nothing). `bind`
picks the entries of a batch's rows once per batch; `apply` is what the hook calls, and only computes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from steerlang.kernels import steering
from steerlang.models.actions import Ablate, Add, Clamp, Operator, Rotate, SteeringAction
from steerlang.models.scopes import Mask

Entry = (
    tuple[Tensor, tuple[float, ...]] | None
)  # directions [N, D] and scales of one recipe, None where it has none


class Step(ABC):
    """One operation at a place. ``when`` indexes the masks of the pass; tensors are ``[R, …]`` over recipes."""

    def __init__(self, when: int, active: Sequence[bool], device: torch.device) -> None:
        self.when = when
        self._active = None if all(active) else torch.tensor(active, device=device)
        self._rows: Tensor | None = None

    def bind(self, rows: Tensor | None) -> None:
        """Takes the recipe of each row ``[B]``; None when there is one recipe, which then serves any batch."""
        self._rows = None if self._active is None or rows is None else self._active[rows][:, None, None]
        self._take(rows)

    def apply(self, h: Tensor, mask: Mask | None) -> Tensor:
        """New states for ``h [B, T, D]`` where the mask says (None: everywhere); others stay to the bit."""
        steered = self._compute(h, None if mask is None else mask.factor)
        where = None if mask is None else mask.where
        if self._rows is not None:
            where = self._rows if where is None else where & self._rows
        return steered if where is None else torch.where(where, steered, h)

    @abstractmethod
    def _take(self, index: Tensor | None) -> None:
        """Takes the entries of these recipes, one a row (None: the first serves all rows)."""

    @abstractmethod
    def _compute(self, h: Tensor, factor: Tensor | None) -> Tensor:
        """The states steered everywhere, the scale times ``factor [B, T, 1]`` (float32; None: 1)."""


class AddStep(Step):
    """Free addition: a zero delta changes nothing, so rows need no mask."""

    def __init__(
        self, when: int, entries: Sequence[Entry], width: int, dtype: torch.dtype, device: torch.device
    ) -> None:
        super().__init__(when, [True] * len(entries), device)
        self._table = deltas(entries, width, device).to(dtype)
        self._delta = _chosen(self._table[:, None], None)

    def _take(self, index: Tensor | None) -> None:
        self._delta = _chosen(self._table[:, None], index)

    def apply(self, h: Tensor, mask: Mask | None) -> Tensor:
        return h + self._delta if mask is None else steering.add_masked(h, self._delta, mask.weight)

    def _compute(self, h: Tensor, factor: Tensor | None) -> Tensor:
        raise NotImplementedError("free addition has masks that carry the factor")


class NormedAddStep(Step):
    """Addition with ``keep`` or ``cap``."""

    def __init__(
        self,
        when: int,
        entries: Sequence[Entry],
        width: int,
        device: torch.device,
        norm: Literal["keep", "cap"],
    ) -> None:
        super().__init__(when, [entry is not None for entry in entries], device)
        self._table = deltas(entries, width, device)
        self._operator = steering.add_keep if norm == "keep" else steering.add_cap
        self._take(None)

    def _take(self, index: Tensor | None) -> None:
        self._delta = _chosen(self._table[:, None], index)

    def _compute(self, h: Tensor, factor: Tensor | None) -> Tensor:
        return self._operator(h, self._delta, factor)


class RotateStep(Step):
    """In-context-vector rotation; the weights are λ_i/N."""

    def __init__(
        self, when: int, entries: Sequence[Entry], width: int, device: torch.device, gain: bool
    ) -> None:
        super().__init__(when, [entry is not None for entry in entries], device)
        self._all_units = _units(entries, width, device)
        most = self._all_units.shape[1]
        weights = [[*scales, *[0.0] * (most - len(scales))] for scales in map(_shared_out, entries)]
        self._all_pushes = torch.tensor(weights, device=device)[..., None] * self._all_units
        self._gain = gain
        self._take(None)

    def _take(self, index: Tensor | None) -> None:
        self._units, self._pushes = _chosen(self._all_units, index), _chosen(self._all_pushes, index)
        self._push = self._pushes if self._gain else self._pushes.sum(-2, keepdim=True)

    def _compute(self, h: Tensor, factor: Tensor | None) -> Tensor:
        if self._gain:
            return steering.rotate(h, self._units, self._pushes, factor)
        return steering.rotate_plain(h, self._push, factor)


class AblateStep(Step):
    """Takes the span of each recipe's vectors out of the state."""

    def __init__(self, when: int, entries: Sequence[Entry], width: int, device: torch.device) -> None:
        super().__init__(when, [entry is not None for entry in entries], device)
        self._bases = torch.zeros(len(entries), _most(entries), width, device=device)
        for r, entry in enumerate(entries):
            if entry is not None:
                basis = steering.orthonormal_basis(entry[0])
                self._bases[r, : basis.shape[0]] = basis
        self._all_pulls = -_strengths(entries, device) * self._bases
        self._take(None)

    def _take(self, index: Tensor | None) -> None:
        self._basis, self._pulls = _chosen(self._bases, index), _chosen(self._all_pulls, index)

    def _compute(self, h: Tensor, factor: Tensor | None) -> Tensor:
        return steering.ablate(h, self._basis, self._pulls, factor)


class ClampStep(Step):
    """Sets the component along a direction, or goes a share of the way."""

    def __init__(
        self, when: int, entries: Sequence[Entry], width: int, device: torch.device, to: float
    ) -> None:
        super().__init__(when, [entry is not None for entry in entries], device)
        self._to = torch.tensor(to, device=device)
        self._units = _units(entries, width, device)
        self._pushes = _strengths(entries, device) * self._units
        self._take(None)

    def _take(self, index: Tensor | None) -> None:
        self._unit, self._push = _chosen(self._units, index), _chosen(self._pushes, index)

    def _compute(self, h: Tensor, factor: Tensor | None) -> Tensor:
        return steering.clamp(h, self._unit, self._to, self._push, factor)


class ReplaceStep(Step):
    """Sets the state, or goes a share of the way."""

    def __init__(
        self, when: int, entries: Sequence[Entry], width: int, dtype: torch.dtype, device: torch.device
    ) -> None:
        super().__init__(when, [entry is not None for entry in entries], device)
        self._states = torch.zeros(len(entries), 1, width, dtype=dtype, device=device)
        for r, entry in enumerate(entries):
            if entry is not None:
                self._states[r, 0] = entry[0][0]
        self._strengths = _strengths(entries, device)
        self._whole = all(entry is None or entry[1][0] == 1.0 for entry in entries)
        self._take(None)

    def _take(self, index: Tensor | None) -> None:
        self._state, self._strength = _chosen(self._states, index), _chosen(self._strengths, index)

    def _compute(self, h: Tensor, factor: Tensor | None) -> Tensor:
        if self._whole and factor is None:
            return self._state.expand_as(h)
        return steering.towards(h, self._state, self._strength if factor is None else factor * self._strength)


def make_step(
    operator: Operator,
    when: int,
    entries: Sequence[Entry],
    width: int,
    dtype: torch.dtype,
    device: torch.device,
) -> Step:
    """The step of an operator, for the entries of all recipes."""
    if isinstance(operator, Add):
        if operator.norm == "free":
            return AddStep(when, entries, width, dtype, device)
        return NormedAddStep(when, entries, width, device, operator.norm)
    if isinstance(operator, Rotate):
        return RotateStep(when, entries, width, device, operator.gain == "anti_alignment")
    if isinstance(operator, Ablate):
        return AblateStep(when, entries, width, device)
    if isinstance(operator, Clamp):
        return ClampStep(when, entries, width, device, operator.to)
    return ReplaceStep(when, entries, width, dtype, device)


def entry_of(action: SteeringAction, layer: int) -> Entry:
    """Directions and scales of an action at a layer; None when it does nothing (all scales or all vectors zero)."""
    entry = (action.directions[layer].detach().float(), action.scales)
    return entry if _acts(entry) else None


def _acts(entry: Entry) -> bool:
    """Whether any vector has a scale and a length other than 0."""
    if entry is None:
        return False
    return any(scale != 0.0 and bool(vector.any()) for vector, scale in zip(entry[0], entry[1], strict=True))


def deltas(entries: Sequence[Entry], width: int, device: torch.device) -> Tensor:
    """Σ s_i v_i of each recipe ``[R, D]``, float32, zero where it has none."""
    table = torch.zeros(len(entries), width, device=device)
    for r, entry in enumerate(entries):
        if entry is not None:
            table[r] = (torch.tensor(entry[1], dtype=torch.float64) @ entry[0].double().cpu()).float()
    return table


def _chosen(table: Tensor, index: Tensor | None) -> Tensor:
    """The entries ``[B, K, D]`` of the recipes of a batch; of the first recipe ``[K, D]``, for rows of any number."""
    return table[0] if index is None else table[index]


def _most(entries: Sequence[Entry]) -> int:
    """The largest number of vectors of a recipe."""
    return max(len(entry[1]) for entry in entries if entry is not None)


def _shared_out(entry: Entry) -> list[float]:
    """λ_i/N of a recipe's N vectors."""
    return [] if entry is None else [scale / len(entry[1]) for scale in entry[1]]


def _units(entries: Sequence[Entry], width: int, device: torch.device) -> Tensor:
    """The vectors of each recipe at length 1 ``[R, N, D]``, float32, zero where it has none or fewer."""
    if len(entries) == 1 and entries[0] is not None:
        return steering.unit_length(entries[0][0]).to(device)[None]
    table = torch.zeros(len(entries), _most(entries), width, device=device)
    for r, entry in enumerate(entries):
        if entry is not None:
            table[r, : len(entry[1])] = steering.unit_length(entry[0])
    return table


def _strengths(entries: Sequence[Entry], device: torch.device) -> Tensor:
    """The first scale of each recipe ``[R, 1, 1]``, float32, 0 where it has none."""
    found = [0.0 if entry is None else entry[1][0] for entry in entries]
    return torch.tensor(found, device=device)[:, None, None]
