"""Learning coefficients: steps, selections, and going on after a kill."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from steerlang.diagnostics import codes
from steerlang.weights.blocks import BlockIndex

from .composing import composed
from .composition import Composition
from .data import Data, pieces
from .errors import LearningError
from .losses import Addend, addends
from .measuring import Jury
from .optimiser import Optimiser
from .pool import Pool
from .results import Learned, Step, Trial
from .settings import Negate, Settings
from .state import Saved, StateFile, identity_of, read_state, write_state

# (steps done, steps in all, the loss before the last step)
Progress = Callable[[int, int, float], None]


def learn(
    module: nn.Module,
    pool: Pool,
    index: BlockIndex,
    data: Data,
    settings: Settings,
    *,
    keep: Tensor | None = None,
    initial: Tensor | None = None,
    state: StateFile | None = None,
    progress: Progress | None = None,
) -> Learned:
    """Learns λ [n task vectors, m blocks] of θ = θ_0 + Σ_i Λ_i τ_i, with θ_0 and τ frozen (Zhang et al., 2024).

    module    holds θ_0; it is read and run, in evaluation mode, and left as it was, bit by bit
    index     the blocks, of `pool.base` (`pool.index(blocks)`)
    keep      [n, m] of bool: which coefficients are learned; the others stay at 0
    initial   [n, m]: where to begin; 0, the base, where it is None
    state     where the run keeps its state; a run that was killed goes on from there to the same bits

    Raises LearningError: a tensor without parameter, data that do not fit the objective, a loss that is no number.
    """
    shape = (len(pool.names), len(index.names))
    begin = _initial(shape, initial, keep)
    steps = _steps(settings, addends(settings, data, 1, settings.batch_size))
    losses = addends(settings, data, steps, settings.batch_size)
    jury = Jury.of(settings.objective, data, settings.criterion, settings.batch_size)
    with composed(module, pool, index, keep, settings) as (composition, notes):
        identity = identity_of(state.identity if state else "", settings, pool.names, index.names, keep, initial)
        run = _Run(settings, losses, jury, composition, Optimiser(begin, settings, steps, keep), steps)
        run.take_up(state, identity)
        while run.done < steps:
            loss = run.step()
            if state is not None and (run.done % state.every == 0 or run.done == steps):
                write_state(state, identity, run.saved())
            if progress is not None:
                progress(run.done, steps, loss)
        return run.result(pool, index, notes)


def _initial(shape: tuple[int, int], initial: Tensor | None, keep: Tensor | None) -> Tensor:
    for name, given in (("initial", initial), ("keep", keep)):
        if given is not None and tuple(given.shape) != shape:
            message = f"`{name}` is {list(given.shape)}, but there are {shape[0]} task vectors and {shape[1]} blocks"
            raise LearningError(message, (), codes.WIDTH_MISMATCH)
    begin = torch.zeros(shape) if initial is None else initial.float()
    return begin if keep is None else begin * keep


def _steps(settings: Settings, losses: list[Addend]) -> int:
    if settings.steps is not None:
        return settings.steps
    assert settings.epochs is not None
    return settings.epochs * max(addend.epoch for addend in losses)


@dataclass
class _Run:
    """One run: what `done` steps have given so far."""

    settings: Settings
    losses: list[Addend]
    jury: Jury
    composition: Composition
    optimiser: Optimiser
    steps: int
    done: int = 0
    history: list[Step] = field(default_factory=list)
    trials: list[Trial] = field(default_factory=list)
    base: Trial | None = None
    chosen: Trial | None = None
    best: Tensor | None = None
    _composed: Tensor | None = None

    @property
    def selects(self) -> bool:
        return self.settings.select == "best" or isinstance(self.settings.objective, Negate)

    def step(self) -> float:
        """One step, and a selection where one is due."""
        number = self.done
        self._compose()
        total, gradient = 0.0, torch.zeros_like(self.optimiser.values, dtype=torch.float64)
        for addend in self.losses:
            addend.begin(number)
            loss, own = pass_over(self.composition, addend, number, self.settings.batch_size)
            if not math.isfinite(loss):
                raise _diverged(f"the loss is {loss}", number, addend.name)
            total, gradient = total + addend.sign * loss, gradient + addend.sign * own
        total += self.optimiser.penalty()
        size, norm = self.optimiser.step(number, gradient)
        if not math.isfinite(norm):
            raise _diverged(f"the gradient's norm is {norm}", number, ", ".join(a.name for a in self.losses))
        self.history.append(Step(number, total, size, norm))
        self.done += 1
        every = self.settings.evaluate_every or max(addend.epoch for addend in self.losses)
        if self.selects and (self.done % every == 0 or self.done == self.steps):
            self._select()
        return total

    def _compose(self) -> None:
        values = self.optimiser.values.detach()
        if self._composed is None or not torch.equal(values, self._composed):
            self.composition.set(values)
            self._composed = values.clone()

    def _select(self) -> None:
        self._compose()
        trial = self.jury.trial(self.done, self.base)
        self.trials.append(trial)
        assert self.chosen is not None
        if trial.feasible and trial.score < self.chosen.score:
            self.chosen, self.best = trial, self.optimiser.values.detach().clone()

    def take_up(self, state: StateFile | None, identity: str) -> None:
        """Goes on from a saved state, or begins: the base's scores are what selections are compared with."""
        saved = read_state(state, identity) if state is not None else None
        if saved is not None:
            self._restore(saved)
        elif self.selects:
            self.composition.set(torch.zeros_like(self.optimiser.values))
            self.base = self.chosen = self.jury.trial(0, None)
            self.best = torch.zeros_like(self.optimiser.values.detach())

    def saved(self) -> Saved:
        """The state after `done` steps."""
        tensors = {f"optimiser.{name}": tensor for name, tensor in self.optimiser.state().items()}
        for number, addend in enumerate(self.losses):
            tensors |= {f"addend.{number}.{name}": tensor for name, tensor in addend.state().items()}
        if self.best is not None:
            tensors["best"] = self.best
        trials = {"base": self.base, "chosen": self.chosen}
        values: dict[str, Any] = {name: trial and dataclasses.asdict(trial) for name, trial in trials.items()}
        values |= {"done": self.done, "history": [dataclasses.astuple(step) for step in self.history]}
        return Saved(tensors, {**values, "trials": [dataclasses.asdict(trial) for trial in self.trials]})

    def _restore(self, saved: Saved) -> None:
        self.optimiser.restore(_under("optimiser.", saved))
        for number, addend in enumerate(self.losses):
            addend.restore(own) if (own := _under(f"addend.{number}.", saved)) else None
        self.best, self.done = saved.tensors.get("best"), saved.values["done"]
        self.history = [Step(*step) for step in saved.values["history"]]
        self.trials = [Trial(**trial) for trial in saved.values["trials"]]
        self.base, self.chosen = (saved.values[n] and Trial(**saved.values[n]) for n in ("base", "chosen"))

    def result(self, pool: Pool, index: BlockIndex, notes: tuple[str, ...]) -> Learned:
        """The coefficients that are kept."""
        values, chosen, why, feasible = self.optimiser.values.detach().clone(), self.done, "the last step", None
        if self.selects:
            assert self.chosen is not None
            assert self.best is not None
            values, chosen = self.best, self.chosen.step
            why, feasible = _why(self.settings, self.chosen, self.trials, self.jury.criterion)
        return Learned(
            pool.names, index.names, values, tuple(self.history), tuple(self.trials), self.base, chosen, why, feasible,
            notes,
        )  # fmt: skip


def pass_over(composition: Composition, addend: Addend, step: int, size: int) -> tuple[float, Tensor]:
    """One addend's loss and gradient [n, m] in one step, in passes over at most `size` rows."""
    rows = addend.rows(step)
    composition.take()
    total = weight = 0.0
    for piece in pieces(rows, size):
        one, own = composition.run(lambda piece=piece: addend.loss(piece, step), 1.0 / len(rows))  # type: ignore[misc]
        total, weight = total + one, weight + own
    if not weight:
        return 0.0, composition.take() * 0.0
    return total / weight, composition.take() * (len(rows) / weight)


def _why(
    settings: Settings, chosen: Trial, trials: list[Trial], criterion: str
) -> tuple[str, bool | None]:  # fmt: skip
    if isinstance(settings.objective, Negate):
        if not any(trial.feasible for trial in trials):
            share = f"{settings.objective.keep:.0%}"
            return f"no step kept {share} of the base's accuracy on the control: the coefficients are 0", False
        if chosen.step == 0:
            return "no feasible step lowered the target's accuracy: the coefficients are 0", True
        return "the lowest accuracy on the target among the feasible steps", True
    if chosen.step == 0:
        return f"no step was better than the base by {criterion}: the coefficients are 0", None
    return f"the best {criterion}", None


def _diverged(what: str, step: int, data: str) -> LearningError:
    message = f"at step {step}, on `{data}`, {what}"
    help = "take a smaller `lr`; if it is the first step, look for numbers in data or weights that are not finite"
    return LearningError(message, help, codes.DIVERGED)


def _under(prefix: str, saved: Saved) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): t for name, t in saved.tensors.items() if name.startswith(prefix)}
