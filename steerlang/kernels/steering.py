"""Operators on states. Each takes states ``h [..., D]`` and returns new ones of the same shape and dtype.

None changes its input. Norms are computed in float32 whatever the dtype. Deltas, bases and weights come prepared (right
device, right dtype): nothing here moves or converts them.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from steerlang.kernels.errors import NumericsError

Unit = Literal["raw", "unit", "residual", "max_activation"]
TINY = 1e-12


def in_unit(vectors: Tensor, unit: Unit, length: float | Tensor | None = None) -> Tensor:
    """Vectors ``[..., D]`` so that a scale multiplies the unit asked for.

    ``raw``: as they are; ``unit``: v/‖v‖; ``residual`` and ``max_activation``: v/‖v‖ · ``length`` (a number or
    ``[...]``), which is the mean ‖h‖ there, or the largest |h·v̂|. A zero vector stays zero.
    """
    if unit == "raw":
        return vectors
    direction = unit_length(vectors)
    if unit == "unit":
        return direction
    if length is None:
        what = "the mean norm" if unit == "residual" else "the largest projection"
        raise NumericsError(
            f"the unit {unit} needs {what} of the states, which this vector does not record",
            "extract the vector again, or use another unit",
        )
    lengths = torch.as_tensor(length, dtype=direction.dtype, device=direction.device)
    return direction * lengths[..., None]


def unit_length(vectors: Tensor) -> Tensor:
    """v/‖v‖ over the last axis, float32; a zero vector stays zero."""
    v = vectors.float()
    unit: Tensor = v / _norm(v).clamp_min(torch.finfo(torch.float32).tiny)
    return unit


def add(h: Tensor, delta: Tensor) -> Tensor:
    """h + δ. ``delta`` broadcasts against ``h [..., D]`` and has its dtype."""
    return h + delta


def add_masked(h: Tensor, delta: Tensor, mask: Tensor) -> Tensor:
    """h + mask·δ with ``mask [B, T, 1]`` of 0 and 1 in h's dtype; where it is 0, h is unchanged to the bit."""
    return torch.addcmul(h, mask, delta)


def add_keep(h: Tensor, delta: Tensor) -> Tensor:
    """(h + δ)·‖h‖/‖h + δ‖: moves the direction, keeps the length (Liu et al. 2024, equation 4)."""
    before, moved, after = _moved(h, delta)
    return (moved * (before / after.clamp_min(TINY))).to(h.dtype)


def add_cap(h: Tensor, delta: Tensor) -> Tensor:
    """(h + δ)·min(1, ‖h‖/‖h + δ‖): the length never grows."""
    before, moved, after = _moved(h, delta)
    return (moved * (before / after.clamp_min(TINY)).clamp_max(1.0)).to(h.dtype)


def _moved(h: Tensor, delta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    state = h.float()
    moved = state + delta
    return _norm(state), moved, _norm(moved)


def rotate(m: Tensor, units: Tensor, weights: Tensor) -> Tensor:
    """The in-context-vector operator with its gain (published code of Liu et al. 2024):

        m̃ = ‖m‖ · normalize( m/‖m‖ + Σ_i w_i · g_i · v̂_i ),   g_i = 1 + max(0, −cos(m, v_i))

    m ``[B, T, D]`` (or ``[T, D]``); ``units [B or 1, N, D]`` float32, v_i/‖v_i‖ or zero; ``weights [B or 1, 1, N]``
    float32, λ_i/N: N vectors share the division by N. A zero vector adds nothing.

    Computed without the first division, as ‖m‖ · normalize( m + Σ_i w_i (‖m‖ − min(0, m·v̂_i)) v̂_i ).
    """
    state = m.float()
    norm = _norm(state)
    against = _along(state, units).clamp_max(0.0)
    return _to_norm(_plus(state, weights * (norm - against), units), norm, m)


def rotate_plain(m: Tensor, push: Tensor) -> Tensor:
    """As `rotate` with gain 1: m̃ = ‖m‖ · normalize(m/‖m‖ + p), p = Σ w_i v̂_i ``[B or 1, 1, D]`` float32."""
    state = m.float()
    norm = _norm(state)
    return _to_norm(state + norm * push, norm, m)


def _norm(states: Tensor) -> Tensor:
    # Not Tensor.norm: its detour through Python costs as much as the sum itself on one token.
    length: Tensor = torch.linalg.vector_norm(states, dim=-1, keepdim=True)
    return length


def _along(states: Tensor, rows: Tensor) -> Tensor:
    """States times each of ``rows [B or 1, K, D]``: ``[..., K]``. Rows shared by the batch need no batched product."""
    return torch.nn.functional.linear(states, rows[0]) if rows.shape[0] == 1 else states @ rows.transpose(-1, -2)


def _plus(states: Tensor, coefficients: Tensor, rows: Tensor) -> Tensor:
    """states + Σ_k c_k r_k for ``coefficients [..., K]`` and ``rows [B or 1, K, D]``."""
    single = rows.shape[-2] == 1
    return torch.addcmul(states, coefficients, rows) if single else states + coefficients @ rows


def _to_norm(pushed: Tensor, norm: Tensor, like: Tensor) -> Tensor:
    length = _norm(pushed).clamp_min(TINY)
    turned: Tensor = (pushed * (norm / length)).to(like.dtype).view(like.shape)
    return turned


def orthonormal_basis(vectors: Tensor) -> Tensor:
    """Rows that span what ``vectors [N, D]`` span, orthonormal, float32 ``[K, D]``, K ≤ N the numerical rank."""
    _, s, vh = torch.linalg.svd(vectors.double(), full_matrices=False)
    keep = s > s[:1].clamp_min(1e-300) * 1e-6
    basis: Tensor = vh[keep].float()
    return basis


def ablate(h: Tensor, basis: Tensor, strength: Tensor) -> Tensor:
    """h − α Σ_k (h·q_k) q_k (Arditi et al. 2024); α = 1 takes the span out, and is idempotent.

    ``basis [B or 1, K, D]`` float32 with orthonormal (or zero) rows; ``strength`` float32, broadcast to ``[B, 1, 1]``.
    """
    state = h.float()
    return _plus(state, -strength * _along(state, basis), basis).to(h.dtype).view(h.shape)


def clamp(h: Tensor, unit: Tensor, to: Tensor, strength: Tensor | None = None) -> Tensor:
    """h + s (c − h·v̂) v̂: sets the component along v̂ ``[B or 1, 1, D]`` (float32) to c, the rest stays.

    ``strength`` s (float32, broadcast to ``[B, T, 1]``) below 1 goes that share of the way; None is 1.
    """
    state = h.float()
    missing = to - _along(state, unit)
    return torch.addcmul(state, missing if strength is None else strength * missing, unit).to(h.dtype).view(h.shape)


def replace(h: Tensor, state: Tensor) -> Tensor:
    """Every state becomes ``state`` (broadcast to h, in h's dtype)."""
    return state.to(h.dtype).expand_as(h).clone()


def towards(h: Tensor, state: Tensor, share: Tensor) -> Tensor:
    """h + s (v − h): ``share`` s (float32, broadcast to ``[B, T, 1]``) of the way from each state to ``state``."""
    return torch.lerp(h.float(), state.float().expand_as(h), share.expand(*h.shape[:-1], 1)).to(h.dtype)
