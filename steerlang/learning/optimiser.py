"""AdamW on the coefficients: step sizes, the penalty, clipping, and the masks of what is not learned."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from .settings import Penalty, Settings

MOMENTS = ("exp_avg", "exp_avg_sq")


def step_size(settings: Settings, step: int, steps: int) -> float:
    """The step size of step `step` of `steps`: lr (step + 1) / warmup, then lr, or lr (1 + cos(π e / E)) / 2 with e and
    E counted from the end of the warm-up."""
    if step < settings.warmup:
        return settings.lr * (step + 1) / settings.warmup
    if settings.schedule == "constant":
        return settings.lr
    done, whole = step - settings.warmup, steps - settings.warmup
    return settings.lr * 0.5 * (1.0 + math.cos(math.pi * done / whole))


def penalty(values: Tensor, given: Penalty) -> Tensor:
    """γ · mean over blocks of ‖λ_·j‖_p, for values [n, m]; its gradient at 0 is 0."""
    norms: Tensor = torch.linalg.vector_norm(values, ord=given.p, dim=0)
    return given.gamma * norms.mean()


class Optimiser:
    """The coefficients [n, m] in float32, with AdamW's moments. What `mask` leaves out stays at 0."""

    def __init__(self, initial: Tensor, settings: Settings, steps: int, mask: Tensor | None) -> None:
        self.values = nn.Parameter(initial.detach().to("cpu", torch.float32).clone())
        self._settings, self._steps, self._mask = settings, steps, mask
        self._adam = torch.optim.AdamW([self.values], lr=settings.lr, weight_decay=settings.weight_decay)

    def penalty(self) -> float:
        """The penalty at the present coefficients."""
        given = self._settings.penalty
        return float(penalty(self.values.detach(), given)) if given else 0.0

    def step(self, number: int, gradient: Tensor) -> tuple[float, float]:
        """One step down `gradient` [n, m] of the loss without penalty. Gives the step size and the gradient's norm."""
        given = self._settings.penalty
        self.values.grad = None
        if given is not None:
            with torch.enable_grad():
                penalty(self.values, given).backward()  # type: ignore[no-untyped-call]
        whole = gradient.float() if self.values.grad is None else self.values.grad + gradient.float()
        self.values.grad = whole if self._mask is None else whole * self._mask
        clip = self._settings.clip
        norm = nn.utils.clip_grad_norm_([self.values], math.inf if clip is None else clip)
        size = step_size(self._settings, number, self._steps)
        self._adam.param_groups[0]["lr"] = size
        self._adam.step()
        return size, float(norm)

    def state(self) -> dict[str, Tensor]:
        """All that the next steps depend on."""
        own = self._adam.state[self.values]
        moments = {name: own.get(name, torch.zeros_like(self.values)).clone() for name in MOMENTS}
        return {"values": self.values.detach().clone(), **moments, "steps": torch.tensor(float(own.get("step", 0.0)))}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Goes on from what `state` gave."""
        with torch.no_grad():
            self.values.copy_(state["values"])
        if float(state["steps"]) > 0:
            own = {name: state[name].clone() for name in MOMENTS}
            self._adam.state[self.values] = {"step": state["steps"].clone(), **own}
