"""Spherical interpolation between two tensors (Shoemake, 1985), as a difference from the first."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from .coefficients import Factor
from .dtypes import Float32

Values = Callable[[int, int], Float32]
# Beyond this cosine sin Ω is too small to divide by, and the arc is a line to within float32.
_PARALLEL = 0.9995


def slerp(first: Values, second: Values, t: Factor, count: int, chunk: int) -> Values:
    """slerp(t; a, b) − a with Ω = arccos⟨a/‖a‖, b/‖b‖⟩ over all `count` entries:

        (sin((1 − t) Ω) / sin Ω − 1) · a + sin(t Ω) / sin Ω · b

    and t (b − a) where |cos Ω| > 0.9995 or one of them is 0. `second` gives arrays that may be changed.
    """
    cosine = _cosine(first, second, count, chunk)
    if abs(cosine) > _PARALLEL:

        def line(start: int, stop: int) -> Float32:
            found = second(start, stop)
            found -= first(start, stop)
            found *= t(start, stop) if callable(t) else np.float32(t)
            return found

        return line
    omega = math.acos(cosine)

    def arc(start: int, stop: int) -> Float32:
        share = np.asarray(t(start, stop) if callable(t) else t, np.float64)
        to_second = (np.sin(share * omega) / math.sin(omega)).astype(np.float32)
        from_first = (np.sin((1.0 - share) * omega) / math.sin(omega) - 1.0).astype(np.float32)
        found = second(start, stop)
        found *= to_second
        found += from_first * first(start, stop)
        return found

    return arc


def _cosine(first: Values, second: Values, count: int, chunk: int) -> float:
    inner = left = right = 0.0
    for start in range(0, count, chunk):
        a, b = (values(start, min(start + chunk, count)).astype(np.float64) for values in (first, second))
        inner, left, right = inner + float(a @ b), left + float(a @ a), right + float(b @ b)
    return inner / math.sqrt(left * right) if left > 0.0 and right > 0.0 else 1.0
