"""Choosing the next token by chance: a function of the logits and of noise that belongs to the row and the step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from steerlang.models.errors import ModelError


@dataclass(frozen=True)
class Sampling:
    """Sampling from softmax(logits / temperature), cut to the ``top_k`` likeliest, then to the nucleus ``top_p``.

    The noise of a row is a function of (seed, its noise row, step) alone: batching changes nothing.
    """

    seed: int
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0

    def __post_init__(self) -> None:
        if not (self.temperature > 0 and 0 < self.top_p <= 1 and self.top_k >= 0):
            raise ModelError(
                f"sampling with temperature {self.temperature}, top_p {self.top_p}, top_k {self.top_k}",
                "temperature above 0 (greedy decoding is no sampling), 0 < top_p ≤ 1, top_k 0 (off) or more",
            )


def sample(logits: Tensor, sampling: Sampling, uniform: Tensor) -> Tensor:
    """One token a row: logits ``[B, V]`` float32, ``uniform [B]`` in [0, 1) → ids ``[B]``.

    Inverse of the cumulative distribution over tokens from likeliest to least (ties by id): the first token at which
    it exceeds u. top_p keeps the shortest such list whose mass reaches p.
    """
    probabilities, order = (
        (logits / sampling.temperature).softmax(-1).sort(dim=-1, descending=True, stable=True)
    )
    if sampling.top_k:
        probabilities[:, sampling.top_k :] = 0.0
    if sampling.top_p < 1.0:
        total = probabilities.sum(-1, keepdim=True)
        before = probabilities.cumsum(-1) - probabilities
        probabilities = torch.where(before < sampling.top_p * total, probabilities, 0.0)
    mass = probabilities.double().cumsum(-1)
    wanted = uniform.double()[:, None] * mass[:, -1:]
    picked = torch.searchsorted(mass, wanted, right=True).clamp_max(logits.shape[-1] - 1)
    return order.gather(-1, picked)[:, 0]


def noise(sampling: Sampling, rows: Sequence[int], steps: int) -> Tensor:
    """Uniform numbers ``[B, steps]``, a function of seed, row and step."""
    streams = [np.random.Generator(np.random.Philox(key=[sampling.seed, row])).random(steps) for row in rows]
    return torch.from_numpy(np.stack(streams))
