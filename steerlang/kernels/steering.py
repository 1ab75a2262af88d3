"""Operators on states. Each takes states ``h [..., D]`` and returns new ones of the same shape and dtype.

None changes its input. Norms are computed in float32 whatever the dtype. Deltas, bases and weights come prepared (right
device, right dtype): nothing here moves or converts them. Rows of vectors are ``[K, D]`` where the whole batch shares
them, ``[B, K, D]`` where each row of it has its own. On one token an operator costs what its calls cost, not what they
compute: so there are few, in place on tensors made here (never where gradients are recorded).

``factor`` (float32, ``[B, T, 1]``; None: 1) multiplies the scale token by token: what a schedule gives.
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


def add_keep(h: Tensor, delta: Tensor, factor: Tensor | None = None) -> Tensor:
    """(h + δ)·‖h‖/‖h + δ‖: moves the direction, keeps the length (Liu et al. 2024, equation 4)."""
    state = _float(h)
    return _to_norm(_moved(state, delta, factor), _norm(state), h)


def add_cap(h: Tensor, delta: Tensor, factor: Tensor | None = None) -> Tensor:
    """(h + δ)·min(1, ‖h‖/‖h + δ‖): the length never grows."""
    state = _float(h)
    return _to_norm(_moved(state, delta, factor), _norm(state), h, grow=False)


def _moved(state: Tensor, delta: Tensor, factor: Tensor | None) -> Tensor:
    return state + delta if factor is None else torch.addcmul(state, factor, delta)


def rotate(m: Tensor, units: Tensor, pushes: Tensor, factor: Tensor | None = None) -> Tensor:
    """The in-context-vector operator with its gain (published code of Liu et al. 2024):

        m̃ = ‖m‖ · normalize( m/‖m‖ + Σ_i w_i · g_i · v̂_i ),   g_i = 1 + max(0, −cos(m, v_i))

    m ``[B, T, D]`` (or ``[T, D]``); ``units`` float32 rows v_i/‖v_i‖, or zero; ``pushes`` float32 rows w_i v̂_i with
    w_i = λ_i/N: N vectors share the division by N. A zero vector adds nothing.

    Computed without the first division, as ‖m‖ · normalize( m + Σ_i (‖m‖ − min(0, m·v̂_i)) w_i v̂_i ).
    """
    state = _float(m)
    norm, along = _norm(state), _along(state, units)
    if torch.is_grad_enabled():
        gained = norm - along.clamp_max(0.0)
    else:
        gained = torch.sub(norm, along.clamp_max_(0.0))
    return _to_norm(_plus(state, gained if factor is None else factor * gained, pushes), norm, m)


def rotate_plain(m: Tensor, push: Tensor, factor: Tensor | None = None) -> Tensor:
    """As `rotate` with gain 1: m̃ = ‖m‖ · normalize(m/‖m‖ + p), p = Σ w_i v̂_i, float32, one row."""
    state = _float(m)
    norm = _norm(state)
    return _to_norm(torch.addcmul(state, norm if factor is None else factor * norm, push), norm, m)


def _float(states: Tensor) -> Tensor:
    return states if states.dtype is torch.float32 else states.float()


def _like(states: Tensor, like: Tensor) -> Tensor:
    return states if states.dtype is like.dtype else states.to(like.dtype)


def _norm(states: Tensor) -> Tensor:
    # Not Tensor.norm: its detour through Python costs as much as the sum itself on one token.
    length: Tensor = torch.linalg.vector_norm(states, dim=-1, keepdim=True)
    return length


def _along(states: Tensor, rows: Tensor) -> Tensor:
    """States times each of K rows: ``[..., K]``. Rows shared by the batch need no batched product."""
    return torch.nn.functional.linear(states, rows) if rows.ndim == 2 else states @ rows.transpose(-1, -2)


def _plus(states: Tensor, coefficients: Tensor, rows: Tensor) -> Tensor:
    """states + Σ_k c_k r_k for ``coefficients [..., K]``."""
    single = rows.shape[-2] == 1
    return torch.addcmul(states, coefficients, rows) if single else states + coefficients @ rows


def _to_norm(moved: Tensor, norm: Tensor, like: Tensor, grow: bool = True) -> Tensor:
    """``moved`` with the lengths ``norm``, or the shorter of both; gives up both tensors. A zero state stays zero."""
    length = _norm(moved)
    if torch.is_grad_enabled():
        share = norm / length.clamp_min(TINY)
        return _like(moved * (share if grow else share.clamp_max(1.0)), like)
    share = norm.div_(length.clamp_min_(TINY))
    return _like(moved.mul_(share if grow else share.clamp_max_(1.0)), like)


def orthonormal_basis(vectors: Tensor) -> Tensor:
    """Rows that span what ``vectors [N, D]`` span, orthonormal, float32 ``[K, D]``, K ≤ N the numerical rank."""
    _, s, vh = torch.linalg.svd(vectors.double(), full_matrices=False)
    keep = s > s[:1].clamp_min(1e-300) * 1e-6
    basis: Tensor = vh[keep].float()
    return basis


def ablate(h: Tensor, basis: Tensor, pulls: Tensor, factor: Tensor | None = None) -> Tensor:
    """h − α Σ_k (h·q_k) q_k (Arditi et al. 2024); α = 1 takes the span out, and is idempotent.

    ``basis`` are float32 rows q_k, orthonormal (or zero); ``pulls`` the rows −α q_k.
    """
    state = _float(h)
    along = _along(state, basis)
    return _like(_plus(state, along if factor is None else factor * along, pulls), h)


def clamp(h: Tensor, unit: Tensor, to: Tensor, push: Tensor, factor: Tensor | None = None) -> Tensor:
    """h + s (c − h·v̂) v̂: sets the component along v̂ to c (``to``, a number); the rest stays.

    ``unit`` is the row v̂ (float32), ``push`` the row s·v̂; s below 1 goes that share of the way.
    """
    state = _float(h)
    missing = torch.sub(to, _along(state, unit))
    return _like(torch.addcmul(state, missing if factor is None else factor * missing, push), h)


def replace(h: Tensor, state: Tensor) -> Tensor:
    """Every state becomes ``state`` (broadcast to h, in h's dtype)."""
    return state.to(h.dtype).expand_as(h).clone()


def towards(h: Tensor, state: Tensor, share: Tensor) -> Tensor:
    """h + s (v − h): ``share`` s (float32, broadcast to ``[B, T, 1]``) of the way from each state to ``state``."""
    return torch.lerp(h.float(), state.float().expand_as(h), share.expand(*h.shape[:-1], 1)).to(h.dtype)
