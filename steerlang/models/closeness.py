"""Whether two computations gave the same states."""

from __future__ import annotations

import torch
from torch import Tensor

TOLERANCE = {torch.float64: 1e-6, torch.float32: 1e-4, torch.float16: 5e-3, torch.bfloat16: 3e-2}


def close(a: Tensor, b: Tensor) -> bool:
    """Equal up to the rounding of one pass in b's dtype: ‖a − b‖ ≤ tol·‖b‖."""
    if a.numel() != b.numel():
        return False
    wanted = b.float()
    gap = (a.float().reshape(b.shape) - wanted).norm()
    return bool(gap <= TOLERANCE[b.dtype] * wanted.norm())
