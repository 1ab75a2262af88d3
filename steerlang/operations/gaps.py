"""Which answers a vector leads to, by the increases of their counts; and the vectors that lead to few, best first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from steerlang.data.answers import Part, answer_of, two_means
from steerlang.diagnostics import codes
from steerlang.engine.operation import Context, Task
from steerlang.engine.payload import Payload

from .base import Single, fail, inputs
from .metric import Metric, Table

_COLUMNS = ("rank", "vector", "score", "answers", "increases", "place")


@dataclass(frozen=True)
class Gap:
    """The answers that a vector leads to, and how far their increases lie above the others'.

    increases  of the answers given, the largest first
    winners    the answers of the upper cluster; none where the most frequent answer grew no more frequent
    """

    increases: tuple[tuple[str, int], ...]
    winners: tuple[str, ...]
    score: float


def gap_of(counts: Mapping[str, int], base: Mapping[str, int], top: int) -> Gap:
    """The gap of one vector (Khayatan et al., 2025).

    The `top` largest increases of counts against the unsteered model, among the answers given, are cut in two by the
    best two means; score = smallest increase of the upper group − largest of the lower. Of a single answer the increase
    is the score; where all increases are equal there is no gap, and the score is 0.
    """
    increases = [(answer, count - base.get(answer, 0)) for answer, count in counts.items() if answer]
    grown = sorted(increases, key=lambda pair: (-pair[1], pair[0]))[:top]
    if not grown:
        return Gap((), (), 0.0)
    values = [float(n) for _, n in grown]
    kept = two_means(values)
    winners = tuple(answer for answer, n in grown[:kept] if grown[0][1] > 0)
    if len(grown) == 1:
        score = values[0]
    else:
        score = values[kept - 1] - values[kept] if kept < len(grown) else 0.0
    return Gap(tuple(grown), winners, score)


def ranked(gaps: Sequence[Gap], targets: int) -> list[int]:
    """The places of the vectors that lead to at most `targets` answers, the greatest score first; of those that lead to
    the same answers the best only."""
    order = sorted(range(len(gaps)), key=lambda i: (-gaps[i].score, i))
    found: dict[frozenset[str], int] = {}
    for i in order:
        winners = frozenset(gaps[i].winners)
        if 0 < len(winners) <= targets:
            found.setdefault(winners, i)
    return list(found.values())


def _count_gap(task: Task, _: Context) -> Payload:
    options: Any = task.node.options
    base, *steered = (_counts(samples, options["part"]) for samples in inputs(task))
    gaps = [gap_of(counts, base, options["top"]) for counts in steered]
    order = ranked(gaps, options["targets"])
    rest = sorted(set(range(len(gaps))) - set(order), key=lambda i: (-gaps[i].score, i))
    ranks = {place: rank for rank, place in enumerate(order)}
    rows = tuple(
        (ranks.get(i), options["names"][i], gaps[i].score, list(gaps[i].winners), _said(gaps[i]), i)
        for i in (*order, *rest)
    )
    best = gaps[order[0]].score if order else 0.0
    scores = tuple(gap.score for gap in gaps)
    return Metric(best, None, len(scores), scores, Table(_COLUMNS, rows)).payload()


def _counts(samples: Payload, part: Part) -> Counter[str]:
    return Counter(answer_of(row["completion"], part) for row in samples.rows)


def _said(gap: Gap) -> list[str]:
    return [f"{answer} {n:+d}" for answer, n in gap.increases]


def _ranked(task: Task, _: Context) -> Payload:
    """The vector of a rank."""
    gaps, *vectors = inputs(task)
    rank: Any = task.node.options["rank"]
    table = Metric.of(gaps).table
    assert table is not None
    places: dict[int, int] = {r["rank"]: r["place"] for r in table.records() if r["rank"] is not None}
    if rank not in places:
        many = len(places)
        message = f"{'no vector leads' if not many else 'only ' + str(many) + ' vectors lead'} to few enough answers"
        help = "allow more answers (`targets`), ask more questions, or steer more strongly (`scale`)"
        raise fail(codes.NO_CANDIDATE, message, help)
    return vectors[places[int(rank)]]


OPERATIONS = {"metric.count_gap": Single(_count_gap), "vector.ranked": Single(_ranked)}
