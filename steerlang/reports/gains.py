"""How far a measured number lies from that of the model it is held against."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DRAWS = 1000
# Beyond so many samples the mean of differences is normal enough, and resampling slow.
MOST_RESAMPLED = 2000


class Measured(Protocol):
    """A metric, as far as differences need it; `scores` has a number for each sample, or is empty."""

    @property
    def value(self) -> float: ...

    @property
    def scores(self) -> Sequence[float]: ...


@dataclass(frozen=True)
class Gain:
    """`value` of a model minus that of its base, and the 95 % interval of it where both were measured on the same
    samples, of which they are means."""

    value: float
    interval: tuple[float, float] | None = None


def gain(own: Measured, base: Measured) -> Gain:
    """The difference of two metrics. Its interval is of the mean of the differences sample by sample: what the samples
    have in common, such as hard prompts, is no part of it."""
    value = own.value - base.value
    if not (_is_mean(own) and _is_mean(base) and len(own.scores) == len(base.scores)):
        return Gain(value)
    return Gain(value, _interval([a - b for a, b in zip(own.scores, base.scores, strict=True)]))


def _is_mean(metric: Measured) -> bool:
    scores = metric.scores
    return len(scores) > 1 and math.isclose(math.fsum(scores) / len(scores), metric.value, rel_tol=1e-6, abs_tol=1e-9)


def _interval(differences: Sequence[float]) -> tuple[float, float] | None:
    """The percentile interval of the mean over resamples; for many samples the normal one. None without numpy."""
    try:
        import numpy
    except ImportError:
        return None
    values = numpy.asarray(differences, dtype=numpy.float64)
    if len(values) > MOST_RESAMPLED:
        half = 1.959964 * float(values.std(ddof=1)) / math.sqrt(len(values))
        return float(values.mean()) - half, float(values.mean()) + half
    means = numpy.sort(values[_places(len(values))].mean(axis=1))
    low = math.floor(0.025 * (DRAWS - 1))
    return float(means[low]), float(means[DRAWS - 1 - low])


@lru_cache(maxsize=8)
def _places(count: int) -> NDArray[np.intp]:
    """Which samples are drawn, one row a resample; the same for every metric of `count` samples."""
    import numpy

    found: Any = numpy.random.default_rng(0).integers(count, size=(DRAWS, count))
    return found  # type: ignore[no-any-return]
