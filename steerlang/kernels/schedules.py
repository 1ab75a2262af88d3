"""Schedules: what the scale of an action is multiplied by at generated token t = 0, 1, 2, …

Each takes ``t`` (float32, any shape, 0 or more) and gives factors of the same shape. Token 0 is the first new one: the
position that produces it, the last of the prompt, has t = 0.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def linear(t: Tensor, start: float, end: float, over: float) -> Tensor:
    """(1 − x)·start + x·end with x = min(t/over, 1): ``start`` at token 0, ``end`` from token ``over`` on."""
    x = _progress(t, over)
    return (1 - x) * start + x * end


def cosine(t: Tensor, over: float, floor: float) -> Tensor:
    """floor + (1 − floor)·(1 + cos πx)/2 with x = min(t/over, 1): from 1 down to ``floor`` along half a cosine."""
    return floor + (1 - floor) * 0.5 * (1 + torch.cos(math.pi * _progress(t, over)))


def exponential(t: Tensor, half_life: float, floor: float) -> Tensor:
    """floor + (1 − floor)·2^(−t/half_life): half of the way from 1 to ``floor`` every ``half_life`` tokens."""
    return floor + (1 - floor) * torch.exp2(-t / half_life)


def window(t: Tensor, start: float, end: float) -> Tensor:
    """1 where start ≤ t < end, else 0."""
    return ((t >= start) & (t < end)).to(t.dtype)


def _progress(t: Tensor, over: float) -> Tensor:
    return (t / over).clamp_max(1.0)
