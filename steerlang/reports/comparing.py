"""What stands beside a steered model: the unsteered one, random directions used in the same way, and a prompt.

Found by what was computed: a control that is a definition of its own stands beside the metric it controls.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from .findings import MetricRow, MetricTable
from .origins import EDITED, PROMPTED, RANDOM, UNSTEERED, Origin
from .random_rows import is_random_point

Key = tuple[str, ...]


@dataclass(frozen=True)
class Comparisons:
    """Measured numbers by what they were measured of; `steered` are names of metrics, `alone` measures that are held
    against the unsteered model by themselves."""

    bases: dict[Key, MetricRow] = field(default_factory=dict)
    prompted: dict[Key, MetricRow] = field(default_factory=dict)
    random: dict[Key, list[MetricRow]] = field(default_factory=dict)
    steered: dict[Key, str] = field(default_factory=dict)
    alone: set[str] = field(default_factory=set)

    @property
    def base_word(self) -> str:
        """What the models are called that others are held against."""
        return UNSTEERED if self.steered or self.random or self.prompted else "base"

    @property
    def missing(self) -> list[str]:
        """Controls that no metric of steered models has; none where nothing is steered."""
        if not self.steered:
            return []
        measures = {way[0] for way in self.steered}
        held = {
            "the unsteered model": {key[0] for key in self.bases} | self.alone,
            "random directions": {key[0] for key in self.random},
            "a prompt": {key[0] for key in self.prompted},
        }
        return [name for name, of in held.items() if not measures & of]

    def controlled(self, table: MetricTable) -> str:
        """The metric that a table of nothing but random directions is the control of; empty where there is none."""
        ways = [_way(r.origin) for r in table.rows if r.origin is not None and r.origin.role == RANDOM]
        others = [r for r in table.rows if r.origin is None or r.origin.role not in (RANDOM, UNSTEERED)]
        return "" if others else next((self.steered[w] for w in ways if w in self.steered), "")

    def base(self, row: MetricRow) -> MetricRow | None:
        """The same of the weights under a row's model."""
        return self.bases.get(_held_against(row.origin)) if row.origin is not None else None

    def told(self, row: MetricRow) -> MetricRow | None:
        """The same of the unsteered model with a prompt."""
        return self.prompted.get(_held_against(row.origin)) if row.origin is not None else None

    def directions(self, row: MetricRow) -> list[MetricRow]:
        """The same with random directions in place of the vectors of a row's model."""
        return self.random.get(_way(row.origin), []) if row.origin is not None else []


def compared(tables: Sequence[MetricTable]) -> Comparisons:
    """All numbers of some tables, to be looked up."""
    found = Comparisons()
    for table in tables:
        for row in table.rows:
            origin = row.origin
            if origin is None:
                continue
            if table.of_steering:
                found.alone.add(origin.measure)
            if origin.role in (UNSTEERED, EDITED):
                found.bases.setdefault((origin.measure, origin.weights), row)
            elif origin.role == PROMPTED:
                found.prompted.setdefault((origin.measure, origin.weights), row)
            elif is_random_point(row.labels, origin):
                found.random.setdefault(_way(origin), []).append(row)
            elif origin.recipe:
                found.steered.setdefault(_way(origin), table.name)
    return found


def _held_against(origin: Origin) -> Key:
    return origin.measure, origin.base


def _way(origin: Origin) -> Key:
    return origin.measure, origin.base, origin.recipe
