"""A steered model: the base model while an overlay is entered, and exactly the base model again when it is left.

Weights are never touched. Each place that is steered gets one hook, whatever the number of vectors; all tensors a hook
needs are made when the overlay is entered, or when a batch begins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from steerlang.models.actions import Add, Operator, Recipe
from steerlang.models.conditions import Condition, Conditions
from steerlang.models.errors import BadBatch, WidthMismatch
from steerlang.models.folding import Fold, find_fold
from steerlang.models.loading import LoadedModel
from steerlang.models.passes import Passes
from steerlang.models.scopes import EVERY, Mask, TokenScope
from steerlang.models.sites import Place, Point, first_input, first_tensor
from steerlang.models.steps import Entry, Step, entry_of, make_step
from steerlang.models.widths import widths

Key = tuple[Operator, Condition]
Sequenced = list[tuple[Key, list[Entry]]]
_FREE = Add("free")


class Overlay:
    """Steers ``loaded`` while entered: ``with Overlay(loaded, recipes, rows) as overlay: …``.

    ``recipes`` are tuples of actions, in the order they act; the empty recipe leaves its rows unsteered. With several
    recipes ``rows [B]`` says which one each row of the batch takes; a batch of k·B rows (beams) repeats them
    contiguously. ``fold`` makes biases of constant additions (`folding`): the residual stream is the same, and what a
    part of a block gives then holds the addition, which matters to who reads that part. `begin` starts another batch.
    Nothing inside needs to be undone by hand, whatever is raised.
    """

    def __init__(
        self,
        loaded: LoadedModel,
        recipes: Sequence[Recipe],
        rows: Tensor | Sequence[int] | None = None,
        *,
        fold: bool = False,
    ) -> None:
        if not recipes:
            raise BadBatch(
                "an overlay without recipes", "give at least one; the empty recipe is the base model"
            )
        self._loaded = loaded
        self._recipes = tuple(recipes)
        self._plan = _plan(loaded, self._recipes)
        self._conditions = Conditions(_conditions(self._plan), loaded.layout.dtype)
        _check_widths(loaded, self._conditions)
        self._passes = Passes(loaded.layout.decoder, self._conditions)
        self._fold = fold
        self._folds: list[Fold] = []
        self._folded: list[tuple[Fold, Any]] = []
        self._handles: list[Any] = []
        self._hooks: list[tuple[Place, _Steer]] | None = None  # made once, when first entered
        self._steps: list[Step] = []
        self._rows = self._checked(rows)
        self._bound: int | None = None

    @property
    def steers(self) -> bool:
        """Whether any recipe does anything at all."""
        return bool(self._plan)

    def __enter__(self) -> Overlay:
        if self._handles or self._folded:
            raise BadBatch("this overlay is entered already", "leave it first, or make another")
        try:
            if self._hooks is None:
                # Ordinary tensors even when entered in inference mode: the overlay may be used outside it later.
                with torch.inference_mode(False):
                    self._hooks = self._prepared()
            self._folded = [(fold, fold.enter()) for fold in self._folds]
            for place, steer in self._hooks:
                self._install(place, steer)
            if self._steps and (len(self._recipes) > 1 or not self._conditions.always):
                layout = self._loaded.layout
                self._handles.append(
                    layout.decoder.register_forward_pre_hook(self._before_pass, with_kwargs=True)
                )
                if layout.root is not layout.decoder:
                    hook = layout.root.register_forward_pre_hook(self._before_model, with_kwargs=True)
                    self._handles.append(hook)
            self._bind(self._rows)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for fold, before in self._folded:
            fold.leave(before)
        self._folded.clear()
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def begin(
        self,
        rows: Tensor | Sequence[int] | None = None,
        prompt_lengths: Tensor | Sequence[int] | None = None,
        marks: Mapping[TokenScope, Tensor] | None = None,
    ) -> None:
        """A new batch: the recipe of each row, where each prompt ends (in tokens, without padding), where texts are."""
        device = self._loaded.device
        self._rows = self._checked(rows)
        lengths = None if prompt_lengths is None else torch.as_tensor(prompt_lengths, device=device)
        self._passes.begin(lengths, marks or {})
        self._bind(self._rows)

    def keep(self, rows: Tensor) -> None:
        """Goes on with these rows of the batch only (the others have finished)."""
        self._passes.keep(rows)
        self._rows = None if self._rows is None else self._rows[rows]
        self._bind(self._rows)

    @property
    def scopes(self) -> tuple[TokenScope, ...]:
        """The token scopes that occur; those by text need marks."""
        return tuple(dict.fromkeys(condition.scope for condition in self._conditions.conditions))

    @property
    def gated(self) -> bool:
        """Whether any action has a gate."""
        return any(condition.gate is not None for condition in self._conditions.conditions)

    def opened(self, lengths: Sequence[int]) -> Tensor:
        """On which rows of the last pass, on one of their first ``lengths`` tokens at least, some gate was open."""
        return self._conditions.opened(torch.as_tensor(lengths, device=self._loaded.device))

    def _checked(self, rows: Tensor | Sequence[int] | None) -> Tensor | None:
        if rows is None:
            return None
        index = torch.as_tensor(rows, dtype=torch.long)
        if index.numel() and not 0 <= int(index.min()) <= int(index.max()) < len(self._recipes):
            raise BadBatch(
                f"rows name recipe {int(index.max())} of {len(self._recipes)}", "recipes count from 0"
            )
        return index.to(self._loaded.device) if len(self._recipes) > 1 else None

    def _bind(self, rows: Tensor | None) -> None:
        for step in self._steps:
            step.bind(rows)
        self._bound = None if rows is None else rows.shape[0]

    def _before_model(self, module: nn.Module, args: Any, kwargs: Any) -> None:
        self._passes.on_model(kwargs)

    def _before_pass(self, module: nn.Module, args: Any, kwargs: Any) -> None:
        self._passes.on_pass(args, kwargs)
        batch = self._passes.shape[0]
        if len(self._recipes) == 1 or batch == self._bound:
            return
        if self._rows is None:
            raise BadBatch(f"{len(self._recipes)} recipes, and no word on which row takes which", "give rows")
        if batch % self._rows.shape[0]:
            raise BadBatch(
                f"recipes for {self._rows.shape[0]} rows, in a batch of {batch}", "begin a new batch first"
            )
        self._bind(self._rows.repeat_interleave(batch // self._rows.shape[0]))

    def _prepared(self) -> list[tuple[Place, _Steer]]:
        """What the hook of each place does: the gates it reads, then its steps."""
        layout, device = self._loaded.layout, self._loaded.device
        reads: dict[tuple[int, bool], list[tuple[int, Tensor]]] = {}
        places = {_spot(place): (place, sequence) for place, sequence in self._unfolded()}
        for number, reading in enumerate(self._conditions.readings):
            place = layout.place(reading.point)
            direction = reading.quantity.prepared(reading.direction).to(device)
            reads.setdefault(_spot(place), []).append((number, direction))
            places.setdefault(_spot(place), (place, []))
        return [(place, self._steer(sequence, reads.get(spot, []))) for spot, (place, sequence) in places.items()]

    def _unfolded(self) -> list[tuple[Place, Sequenced]]:
        """What is left to hooks, once all that can be biases is."""
        if not self._fold:
            return self._plan
        layout = self._loaded.layout
        # A place that is steered or read itself keeps what it gives.
        touched = {place.module for place, _ in self._plan}
        read = {layout.place(reading.point).module for reading in self._conditions.readings}
        left = []
        for place, sequence in self._plan:
            alone = place.module not in read
            fold = find_fold(layout, place, sequence, touched | read) if alone else None
            if fold is None:
                left.append((place, sequence))
            else:
                self._folds.append(fold)
        return left

    def _steer(self, sequence: Sequenced, reads: Sequence[tuple[int, Tensor]]) -> _Steer:
        layout, device = self._loaded.layout, self._loaded.device
        steps = []
        for (operator, condition), entries in sequence:
            width = next(entry[0].shape[-1] for entry in entries if entry is not None)
            when = self._conditions.conditions.index(condition)
            steps.append(make_step(operator, when, entries, width, layout.dtype, device))
        self._steps += steps
        everywhere = not reads and all(condition.always for (_, condition), _ in sequence)
        only = steps[0] if everywhere and len(steps) == 1 else None
        return _Steer(tuple(steps), tuple(reads), self._passes, only)

    def _install(self, place: Place, steer: _Steer) -> None:
        if place.reads_input:
            self._handles.append(place.module.register_forward_pre_hook(steer.on_input, with_kwargs=True))
        else:
            self._handles.append(place.module.register_forward_hook(steer.on_output))


class _Steer:
    """The hook of one place. ``only`` is its step where it has a single one, on every token: the commonest case."""

    __slots__ = ("_conditions", "_only", "_passes", "_reads", "_steps")

    def __init__(
        self, steps: tuple[Step, ...], reads: tuple[tuple[int, Tensor], ...], passes: Passes, only: Step | None
    ) -> None:
        self._steps, self._reads, self._passes, self._only = steps, reads, passes, only
        self._conditions = passes.conditions

    def states(self, h: Tensor) -> Tensor:
        flat = h.ndim == 2
        # Some MLPs see rows and tokens as one axis; masks and per-row recipes need them apart.
        out = h.view(*self._passes.shape, -1) if flat and self._passes.shape[0] else h
        for number, direction in self._reads:
            if self._conditions.wants(number):
                self._conditions.read(number, out, direction)
        for step in self._steps:
            mask = self._conditions.of(step.when)
            if mask is EVERY:
                out = step.apply(out, None)
            elif isinstance(mask, Mask):
                out = step.apply(out, mask)
        return out.view(h.shape) if flat else out

    def on_output(self, module: nn.Module, args: Any, output: Any) -> Any:
        if isinstance(output, Tensor):
            if self._only is not None and output.ndim == 3:
                return self._only.apply(output, None)
            return self.states(output)
        h = first_tensor(output)
        return output if h is None else type(output)((self.states(h), *output[1:]))

    def on_input(self, module: nn.Module, args: Any, kwargs: Any) -> tuple[Any, Any] | None:
        h = first_input(args, kwargs)
        if h is None:
            return None
        if args:
            return (self.states(h), *args[1:]), kwargs
        return args, {**kwargs, "hidden_states": self.states(h)}


def _spot(place: Place) -> tuple[int, bool]:
    """What tells places apart."""
    return id(place.module), place.reads_input


def _conditions(plan: Sequence[tuple[Place, Sequenced]]) -> list[Condition]:
    """The conditions of all steps, each once."""
    return list(dict.fromkeys(condition for _, sequence in plan for (_, condition), _ in sequence))


def _check_widths(loaded: LoadedModel, conditions: Conditions) -> None:
    """Whether what gates read is as wide as what they compare it with."""
    wide = widths(loaded.layout, (reading.point for reading in conditions.readings))
    for reading in conditions.readings:
        if reading.direction.shape[-1] != wide[reading.point]:
            raise WidthMismatch(reading.direction.shape[-1], wide[reading.point], str(reading.point))


def _plan(loaded: LoadedModel, recipes: Sequence[Recipe]) -> list[tuple[Place, Sequenced]]:
    """For each place: the steps and, for each, every recipe's entry.

    Two sites can be one place (the embedding is what enters block 0): actions there act in the order written too.
    """
    layout = loaded.layout
    wide = widths(
        layout, (Point(a.site, layer) for recipe in recipes for a in recipe for layer in a.directions)
    )
    at: dict[tuple[int, bool], tuple[Place, list[list[tuple[Key, Entry]]]]] = {}
    for r, recipe in enumerate(recipes):
        for action in recipe:
            for layer in action.directions:
                point = Point(action.site, layer)
                if action.directions[layer].shape[-1] != wide[point]:
                    raise WidthMismatch(action.directions[layer].shape[-1], wide[point], str(point))
                place, entry = layout.place(point), entry_of(action, layer)
                if entry is not None:
                    spot = at.setdefault(_spot(place), (place, [[] for _ in recipes]))
                    spot[1][r].append(((action.operator, action.condition), entry))
    return [(place, _align(lists)) for place, lists in at.values()]


def _align(lists: Sequence[Sequence[tuple[Key, Entry]]]) -> Sequenced:
    """Steps that keep each recipe's order, sharing one between recipes where operator and condition agree."""
    steps: Sequenced = []
    for r, actions in enumerate(lists):
        at = 0
        for key, entry in _summed(actions):
            spot = next(
                (i for i in range(at, len(steps)) if steps[i][0] == key and steps[i][1][r] is None), None
            )
            if spot is None:
                steps.append((key, [None] * len(lists)))
                spot = len(steps) - 1
            steps[spot][1][r] = entry
            at = spot + 1
    return steps


def _summed(actions: Sequence[tuple[Key, Entry]]) -> list[tuple[Key, Entry]]:
    """Joins free additions that follow each other on the same tokens: their deltas are summed beforehand."""
    joined: list[tuple[Key, Entry]] = []
    for key, entry in actions:
        last = joined[-1] if joined else None
        if (
            last is not None
            and entry is not None
            and last[1] is not None
            and last[0] == key
            and key[0] == _FREE
        ):
            vectors = torch.cat([last[1][0].cpu(), entry[0].cpu()])
            joined[-1] = (key, (vectors, last[1][1] + entry[1]))
        else:
            joined.append((key, entry))
    return joined
