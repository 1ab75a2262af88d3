"""Shifts judged: their statistics, recovery of a fine-tune's concepts, correlation of metrics."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Any

from steerlang.diagnostics import codes
from steerlang.engine.operation import Context, Task
from steerlang.engine.payload import Payload
from steerlang.kernels.shifts import correlation, matched, nearness, overlap

from .base import Single, fail, inputs
from .dictionary import ConceptDictionary, ConceptShift
from .grounding import sets_of
from .metric import Metric, Table, interval_of
from .model_errors import as_diagnostics

_DRAWS = 1000
#: Of which measures less is better.
_LESS_IS_BETTER = frozenset({"distance"})


def _statistics(task: Task, _: Context) -> Payload:
    measure: Any = task.node.options["measure"]
    shift = ConceptShift.of(inputs(task)[0])
    columns: dict[str, list[Any]] = {
        "count": list(shift.counts),
        "consistency": list(shift.consistency),
        "alignment": list(shift.alignment),
        "magnitude": [m if n else None for m, n in zip(shift.magnitude, shift.counts, strict=True)],
    }
    # The number asked for stands first, and all of them in the table.
    names = [measure, *(name for name in columns if name != measure)]
    rows = zip(range(shift.k), *(columns[name] for name in names), strict=True)
    return Metric.over(_numbers(columns[measure]), Table(("concept", *names), tuple(rows))).payload()


def _numbers(cells: Sequence[float | None]) -> list[float]:
    return [math.nan if c is None else float(c) for c in cells]


# ---- recovery ------------------------------------------------------------------------------------------------------


def _recovery(task: Task, _: Context) -> Payload:
    options: Any = task.node.options
    given = inputs(task)
    dictionaries = tuple(ConceptDictionary.of(p) for p in given[:3])
    shifted, unshifted, to = dictionaries
    with as_diagnostics():
        match = matched(unshifted.components, to.components, options["match"])
    wanted = to.components[match]
    near = (nearness(shifted.components, wanted), nearness(unshifted.components, wanted))
    pairs = {name: _paired(getattr(near[0], name), getattr(near[1], name)) for name in ("cosine", "distance")}
    if options["words"]:
        pairs["words"] = _overlaps([sets_of(p) for p in given[3:]], match)
    if options["samples"]:
        pairs["samples"] = _overlaps([_strongest(d, options["top"]) for d in dictionaries], match)
    measure = options["measure"]
    scores = [_form(measure, options["as"], *pair) for pair in pairs[measure]]
    return Metric.over(scores, _table(measure, match, pairs, unshifted.counts)).payload()


def _paired(shifted: Any, unshifted: Any) -> list[tuple[float, float]]:
    return [(float(a), float(b)) for a, b in zip(shifted, unshifted, strict=True)]


def _strongest(dictionary: ConceptDictionary, top: int) -> list[list[int]]:
    return [[sample for sample, _ in dictionary.strongest(i, top)] for i in range(dictionary.k)]


def _overlaps(sets: Sequence[Sequence[Sequence[Any]]], match: Any) -> list[tuple[float, float]]:
    """For each concept the overlap of its set, shifted and unshifted, with that of the concept it should become."""
    shifted, unshifted, to = sets
    return [
        (overlap(shifted[i], to[j]), overlap(unshifted[i], to[j])) for i, j in enumerate(match.tolist())
    ]


def _form(measure: str, form: str, shifted: float, unshifted: float) -> float:
    gain = unshifted - shifted if measure in _LESS_IS_BETTER else shifted - unshifted
    if form == "improved":
        return math.nan if math.isnan(gain) else float(gain > 0)
    if form == "normalized":
        return gain / unshifted if unshifted else math.nan
    return {"gain": gain, "shifted": shifted, "unshifted": unshifted}[form]


def _table(
    measure: str, match: Any, pairs: dict[str, list[tuple[float, float]]], counts: Sequence[int]
) -> Table:
    """A row a concept: what it is matched with, then each measure shifted, unshifted and as gain."""
    order = [measure, *(name for name in pairs if name != measure)]
    columns = ["concept", "matched", "count"]
    for name in order:
        columns += [name, *(f"{name}_{form}" for form in ("unshifted", "gain", "normalized"))]
    rows = []
    for i, j in enumerate(match.tolist()):
        cells: list[Any] = [i, j, counts[i] if counts else None]
        for name in order:
            shifted, unshifted = pairs[name][i]
            forms = (shifted, unshifted, *(_form(name, form, shifted, unshifted) for form in ("gain", "normalized")))
            cells += [None if math.isnan(x) else x for x in forms]
        rows.append(tuple(cells))
    return Table(tuple(columns), tuple(rows))


# ---- correlation ---------------------------------------------------------------------------------------------------


def _correlation(task: Task, _: Context) -> Payload:
    by: Any = task.node.options["by"]
    x, y = (list(Metric.of(p).scores) for p in inputs(task))
    if not x or len(x) != len(y):
        raise fail(
            codes.NOT_PER_CONCEPT,
            f"the first metric has {len(x)} numbers, the second {len(y)}: they do not go together one by one",
            "give two metrics of the same samples, or of the same concepts",
        )
    pairs = [(p, q) for p, q in zip(x, y, strict=True) if not (math.isnan(p) or math.isnan(q))]
    rows = tuple((i, *(None if math.isnan(v) else v for v in pair)) for i, pair in enumerate(zip(x, y, strict=True)))
    source = random.Random(0)
    drawn = [_of(source.choices(pairs, k=len(pairs)), by) for _ in range(_DRAWS)] if len(pairs) > 2 else []
    interval = interval_of([d for d in drawn if not math.isnan(d)])
    return Metric(_of(pairs, by), interval, len(pairs), (), Table(("number", "x", "y"), rows)).payload()


def _of(pairs: Sequence[tuple[float, float]], by: str) -> float:
    return correlation([p for p, _ in pairs], [q for _, q in pairs], by)


OPERATIONS = {
    "metric.shift_statistics": Single(_statistics),
    "metric.recovery": Single(_recovery),
    "metric.correlation": Single(_correlation),
}
