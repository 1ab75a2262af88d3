"""What gates compare: one number for each state ``h [..., D]``, computed in float32, ``[...]``.

Directions ``[D]`` are float32 on the states' device. A state of length 0 has cosine 0 with everything.
"""

from __future__ import annotations

import torch
from torch import Tensor

TINY = 1e-12


def cosine(h: Tensor, unit: Tensor) -> Tensor:
    """h·v̂ / ‖h‖, with ``unit`` v̂ of length 1: −1 to 1."""
    state = h.float()
    found: Tensor = (state @ unit) / torch.linalg.vector_norm(state, dim=-1).clamp_min(TINY)
    return found


def cast(h: Tensor, unit: Tensor) -> Tensor:
    """CAST's similarity (Lee et al. 2025, arXiv:2409.05907, and its published code):

        cos(h, tanh(P h)),   P = c cᵀ/(c·c)

    with ``unit`` the condition vector c at length 1 (its length does not matter to P, nor does its sign). P h is in the
    units of the states, so that tanh bends it the more the longer they are.
    """
    state = h.float()
    projected = torch.tanh((state @ unit)[..., None] * unit)
    norms = torch.linalg.vector_norm(state, dim=-1) * torch.linalg.vector_norm(projected, dim=-1)
    found: Tensor = (state * projected).sum(-1) / norms.clamp_min(TINY)
    return found


def projection(h: Tensor, unit: Tensor) -> Tensor:
    """h·v̂: the component along the direction at length 1, in the units of the states."""
    found: Tensor = h.float() @ unit
    return found


def nearest(h: Tensor, rows: Tensor) -> Tensor:
    """argmax_k (h·u_k + c_k): which of K concepts a state is of, float32, 0 to K − 1; the first of equals.

    ``rows [K, D + 1]`` float32: u_k beside c_k. With c_k = −‖u_k‖²/2 that is the nearest centroid (‖h‖² is the same for
    all), with c_k = −μ·u_k the largest projection of centred states, with 0 the largest projection.
    """
    return (h.float() @ rows[:, :-1].T + rows[:, -1]).argmax(-1).float()


def probability(h: Tensor, unit: Tensor, scale: float, intercept: float) -> Tensor:
    """σ(scale · h·v̂ + intercept): what a logistic probe says of a state, 0 to 1."""
    return torch.sigmoid(scale * projection(h, unit) + intercept)


def mean_over(h: Tensor, where: Tensor) -> Tensor:
    """Mean of ``h [B, T, D]`` over the tokens that ``where [B, T]`` marks: ``[B, D]`` float32, 0 where none is."""
    # Chosen, not multiplied: what stands at padding may be no number.
    kept = torch.where(where[..., None], h.float(), 0.0)
    return kept.sum(1) / where.sum(1, keepdim=True).clamp_min(1)
