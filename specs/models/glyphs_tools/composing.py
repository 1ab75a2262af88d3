"""Task vectors of the image encoder, their sums with a coefficient for each tensor, and learning such coefficients."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.func import functional_call
from transformers import CLIPModel

from .model import see
from .training import rate_at


@dataclass(frozen=True)
class Pool:
    """The base and named task vectors over the tensors that tuning changed."""

    base: CLIPModel
    vectors: Mapping[str, Mapping[str, Tensor]]

    @property
    def blocks(self) -> list[str]:
        """Names of the tensors."""
        return list(next(iter(self.vectors.values())))

    def only(self, *names: str) -> Pool:
        """The pool with these vectors alone."""
        return Pool(self.base, {name: self.vectors[name] for name in names})

    def without(self, name: str) -> Pool:
        """The pool without one vector."""
        return self.only(*(other for other in self.vectors if other != name))

    def compose(self, coefficients: Tensor) -> dict[str, Tensor]:
        """The composed tensors for coefficients [vectors, blocks] (or [vectors, 1], the same for all blocks)."""
        every = coefficients.expand(-1, len(self.blocks)).unbind(1)
        weights = dict(self.base.named_parameters())
        stacks = ((name, torch.stack([vector[name] for vector in self.vectors.values()])) for name in self.blocks)
        return {name: weights[name].detach() + torch.tensordot(each, stack, 1)
                for each, (name, stack) in zip(every, stacks, strict=True)}  # fmt: skip

    def see(self, composed: Mapping[str, Tensor], seen: Tensor) -> Tensor:
        """Normalised embeddings [n, width] by the composed encoder."""
        return functional_call(_Seeing(self.base), {f"model.{k}": v for k, v in composed.items()}, (seen,))


class _Seeing(torch.nn.Module):
    def __init__(self, model: CLIPModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, seen: Tensor) -> Tensor:
        return see(self.model, seen)


@torch.no_grad()
def pool_of(base: CLIPModel, tuned: Mapping[str, CLIPModel]) -> Pool:
    """Task vectors tuned - base, over the tensors in which any of them differs from nothing."""
    start = dict(base.named_parameters())
    vectors = {name: {k: v - start[k] for k, v in model.named_parameters()} for name, model in tuned.items()}
    changed = [k for k in start if any(vector[k].any() for vector in vectors.values())]
    return Pool(base.requires_grad_(False), {name: {k: vector[k] for k in changed} for name, vector in vectors.items()})


@dataclass(frozen=True)
class Learning:
    """How coefficients are learned: AdamW from zero (the base), weight decay 0.1, gradients clipped at norm 1."""

    seed: int = 0
    steps: int = 150
    rate: float = 0.05


Loss = Callable[[Mapping[str, Tensor], torch.Generator], Tensor]


def learn(pool: Pool, loss: Loss, how: Learning, after: Callable[[Tensor], None] | None = None) -> Tensor:
    """Coefficients [vectors, blocks]; `after` is called with them after every fifth step."""
    draws = torch.Generator().manual_seed(how.seed)
    coefficients = torch.zeros(len(pool.vectors), len(pool.blocks), requires_grad=True)
    optimiser = torch.optim.AdamW([coefficients], lr=how.rate, weight_decay=0.1)
    for step in range(how.steps):
        for group in optimiser.param_groups:
            group["lr"] = rate_at(step, how.steps, how.rate, 1)
        optimiser.zero_grad()
        loss(pool.compose(coefficients), draws).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_([coefficients], 1.0)
        optimiser.step()
        if after and step % 5 == 4:
            after(coefficients.detach().clone())
    return coefficients.detach()
