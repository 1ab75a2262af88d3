"""Arithmetic, comparisons, choosing, and the metrics of text, against plain Python."""

from __future__ import annotations

import math
import operator
from typing import Any

import pytest

from steerlang.engine.errors import OperationError
from steerlang.engine.payload import Payload
from steerlang.operations.metric import Metric, condition, mean_of

from .test_algebra import carry_out

X, Y = Metric(0.75).payload(), Metric(-2.0).payload()
TRUE, FALSE = condition(True, 1.0, 0.0, ">"), condition(False, 1.0, 2.0, ">")
BOTH = [{"input": 0}, {"input": 1}]


@pytest.mark.parametrize(
    ("symbol", "function"), [("+", operator.add), ("-", operator.sub), ("*", operator.mul), ("/", operator.truediv)]
)
def test_arithmetic(symbol: str, function: Any) -> None:
    assert carry_out("metric.arithmetic", [X, Y], operator=symbol, operands=BOTH).meta["value"] == function(0.75, -2.0)
    mixed = carry_out("metric.arithmetic", [X], operator=symbol, operands=[{"value": 3.0}, {"input": 0}])
    assert mixed.meta["value"] == function(3.0, 0.75)


def test_division_by_zero_is_no_number() -> None:
    zero = carry_out("metric.arithmetic", [X], operator="/", operands=[{"input": 0}, {"value": 0.0}])
    assert math.isnan(zero.meta["value"])  # type: ignore[arg-type]


def test_negation() -> None:
    assert carry_out("metric.arithmetic", [X], operator="negate", operands=[{"input": 0}]).meta["value"] == -0.75


@pytest.mark.parametrize(
    ("symbol", "function"),
    [
        ("==", operator.eq),
        ("!=", operator.ne),
        ("<=", operator.le),
        (">=", operator.ge),
        ("<", operator.lt),
        (">", operator.gt),
    ],
)
@pytest.mark.parametrize("right", [0.75, 0.5, 1.0])
def test_comparisons(symbol: str, function: Any, right: float) -> None:
    found = carry_out("metric.compare", [X], operator=symbol, operands=[{"input": 0}, {"value": right}])
    assert found.meta == {"holds": function(0.75, right), "left": 0.75, "right": right, "operator": symbol}


def test_nothing_holds_of_what_is_no_number() -> None:
    nan = Metric(math.nan).payload()
    for symbol in ("==", "<=", ">=", "<", ">"):
        found = carry_out("metric.compare", [nan], operator=symbol, operands=[{"input": 0}, {"value": 0.0}])
        assert found.meta["holds"] is False


def test_logic() -> None:
    for a, p in ((True, TRUE), (False, FALSE)):
        assert carry_out("condition.logic", [p], operator="not", operands=[{"input": 0}]).meta["holds"] is (not a)
        for b, q in ((True, TRUE), (False, FALSE)):
            assert carry_out("condition.logic", [p, q], operator="and", operands=BOTH).meta["holds"] is (a and b)
            assert carry_out("condition.logic", [p, q], operator="or", operands=BOTH).meta["holds"] is (a or b)
            plain = [{"input": 0}, {"value": b}]
            assert carry_out("condition.logic", [p], operator="or", operands=plain).meta["holds"] is (a or b)


def metrics(*values: float) -> list[Payload]:
    return [Metric(v).payload() for v in values]


@pytest.mark.parametrize(
    ("values", "sign", "allowed", "chosen"),
    [
        ((1, 3, 2), 1, [True] * 3, 1),
        ((1, 3, 2), -1, [True] * 3, 0),
        ((3, 3, 1), 1, [True] * 3, 0),
        ((1, 3, 2), 1, [True, False, True], 2),
        ((1, math.nan, 0), 1, [True] * 3, 0),
        ((math.inf, 1, -math.inf), -1, [True] * 3, 2),
    ],
)
def test_choosing(values: tuple[float, ...], sign: int, allowed: list[bool], chosen: int) -> None:
    found = carry_out("choose", metrics(*values), sign=sign, points=3, allowed=allowed)
    assert found.meta == {"index": chosen, "value": values[chosen]}


def test_choosing_under_a_measured_condition() -> None:
    given = [*metrics(1, 3, 2), TRUE, FALSE, TRUE]
    assert carry_out("choose", given, sign=1, points=3, allowed=[None] * 3).meta["index"] == 2


@pytest.mark.parametrize("values", [(1.0, 2.0), (math.nan, math.nan)])
def test_no_point_to_choose(values: tuple[float, ...]) -> None:
    allowed = [math.isnan(values[0])] * 2
    with pytest.raises(OperationError) as caught:
        carry_out("choose", metrics(*values), sign=1, points=2, allowed=allowed)
    assert caught.value.diagnostic.code.id == "SL806"


def test_picking_gives_the_very_result() -> None:
    where = carry_out("choose", metrics(1, 3), sign=1, points=2, allowed=[True] * 2)
    cells = metrics(5, 6)
    assert carry_out("pick", [where, *cells], points=2) is cells[1]


def test_a_mean_has_its_scores_and_an_interval_around_it() -> None:
    found = mean_of([0.0, 1.0, 1.0, 0.0, 1.0])
    assert found.value == pytest.approx(0.6)
    assert found.interval is not None
    assert found.interval[0] <= 0.6 <= found.interval[1]
    assert (found.count, found.scores) == (5, (0.0, 1.0, 1.0, 0.0, 1.0))
    assert Metric.of(found.payload()) == found


# ---- text ------------------------------------------------------------------------------------------------------------

REPLIES = ["Please, sit down", "no", "pleased to meet you", "thanks, thanks and thanks"]
SAMPLES = Payload("samples", {}, {}, tuple({"completion": r, "prompt": "x"} for r in REPLIES))
LISTED = Payload("rows", {}, {}, ({"text": "please"}, {"text": "thanks"}))


def test_word_share_counts_whole_words() -> None:
    assert carry_out("metric.word_share", [SAMPLES, LISTED]).meta["value"] == 0.5


@pytest.mark.parametrize(("match", "share"), [("any", 0.5), ("all", 0.0)])
def test_contains_rate(match: str, share: float) -> None:
    assert carry_out("metric.contains_rate", [SAMPLES, LISTED], match=match).meta["value"] == share


def test_distinct_is_a_share_of_all_n_grams() -> None:
    found = Metric.of(carry_out("metric.distinct", [SAMPLES], n=1))
    words = [w.strip(",").lower() for r in REPLIES for w in r.split()]
    assert found.value == pytest.approx(len(set(words)) / len(words))
    assert found.scores[3] == pytest.approx(2 / 4)
    assert Metric.of(carry_out("metric.distinct", [SAMPLES], n=4)).value == pytest.approx(1.0)


def test_samples_and_splits_are_parts_of_the_rows() -> None:
    rows = Payload("rows", {}, {}, tuple({"text": f"t{i}"} for i in range(10)))
    some = carry_out("data.sample", [rows], k=4, seed=0).rows
    assert len(some) == len({r["text"] for r in some}) == 4
    assert carry_out("data.sample", [rows], k=4, seed=0).rows == some
    parts = [carry_out("data.split", [rows], fraction=0.3, part=p, seed=0).rows for p in ("first", "second")]
    assert [len(p) for p in parts] == [3, 7]
    assert {r["text"] for p in parts for r in p} == {r["text"] for r in rows.rows}
    with pytest.raises(OperationError):
        carry_out("data.sample", [rows], k=11, seed=0)
