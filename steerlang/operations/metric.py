"""A measured number, with its interval and what it was measured on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from steerlang.data.text_metrics import bootstrap_interval
from steerlang.engine.payload import Payload

KIND = "metric"
CONDITION = "condition"


@dataclass(frozen=True)
class Metric:
    """`value`, its 95 % bootstrap interval over samples where it is a mean of per-sample scores, and their number.

    `scores` holds one number a sample, in the order of the samples; empty for metrics that have none.
    """

    value: float
    interval: tuple[float, float] | None = None
    count: int = 0
    scores: tuple[float, ...] = field(default=(), repr=False)

    def payload(self) -> Payload:
        meta: dict[str, Any] = {
            "value": self.value,
            "interval": list(self.interval) if self.interval else None,
            "count": self.count,
        }
        return Payload(KIND, meta, rows=tuple({"score": s} for s in self.scores))

    @classmethod
    def of(cls, payload: Payload) -> Metric:
        meta: Any = payload.meta
        interval = tuple(meta["interval"]) if meta["interval"] else None
        return cls(float(meta["value"]), interval, int(meta["count"]), tuple(r["score"] for r in payload.rows))

    def __float__(self) -> float:
        return self.value


def mean_of(scores: Sequence[float], seed: int = 0) -> Metric:
    """The mean of per-sample scores with its bootstrap interval."""
    values = [float(s) for s in scores]
    if not values:
        return Metric(math.nan)
    return Metric(sum(values) / len(values), bootstrap_interval(values, seed=seed), len(values), tuple(values))


def condition(holds: bool, left: float | bool | None, right: float | bool | None, operator: str) -> Payload:
    """The outcome of a condition and what was compared."""
    return Payload(CONDITION, {"holds": holds, "left": left, "right": right, "operator": operator})
