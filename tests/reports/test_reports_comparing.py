"""Controls beside what they control, however a program spells them."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from steerlang.reports.comparing import compared
from steerlang.reports.curves import curves
from steerlang.reports.findings import Findings, MetricRow, MetricTable, SampleColumn, SampleTable
from steerlang.reports.gains import Gain
from steerlang.reports.html import page
from steerlang.reports.layout import Screen
from steerlang.reports.origins import Origin
from steerlang.reports.random_rows import banded
from steerlang.reports.terminal import render

SWEEP = (0.0, 0.5, 1.0)


def origin(role: str, recipe: str = "", measure: str = "share") -> Origin:
    return Origin(role, "weights", "weights", recipe, measure)


def row(value: float, role: str, *labels: Any, recipe: str = "") -> MetricRow:
    return MetricRow(labels, value, (value - 0.1, value + 0.1), 60, origin(role, recipe))


BASE = MetricTable("before", (), (row(0.2, "unsteered"),))
TOLD = MetricTable("asked", (), (row(0.4, "prompted"),))
EFFECT = MetricTable(
    "effect", ("s",), tuple(row(0.2 + s, "steered" if s else "unsteered", s, recipe=f"{s}") for s in SWEEP),
    unit="share of replies", means={"s": "scale of add"},
)  # fmt: skip
CONTROL = MetricTable(
    "control", ("direction", "s"),
    tuple(
        row(0.2 + s * r / 10, "random" if s else "unsteered", r, s, recipe=f"{s}") for r in range(1, 6) for s in SWEEP
    ),
)  # fmt: skip
ALL = (BASE, TOLD, EFFECT, CONTROL)


def heights(drawn: str, style: str) -> list[float]:
    """The y of the points of a curve, or of a level."""
    line = re.search(rf'<polyline class="line {style}" points="([^"]*)"', drawn)
    if line is not None:
        return [float(pair.split(",")[1]) for pair in line[1].split()]
    return [float(y) for y in re.findall(rf'<line class="line {style}"[^>]*y1="([\d.]+)"', drawn)]


def test_a_sweep_has_its_controls_from_other_definitions() -> None:
    drawn = curves(EFFECT, (), compared(ALL))
    own, random, base, told = (heights(drawn, s) for s in ("c0", "random", "base", "told"))
    assert own[0] == base[0] == random[0]  # scale 0 is the unsteered model
    assert own[2] < told[0] < base[0]  # higher values are drawn higher up
    assert random[2] < random[1] < random[0]
    assert own[2] < random[2]
    for words in ("5 random directions: mean, range", "unsteered", "prompted", "s (scale of add)",
                  "effect (share of replies)"):  # fmt: skip
        assert words in drawn


def test_the_band_is_the_range_at_each_point() -> None:
    drawn = curves(EFFECT, (), compared(ALL))
    band = re.search(r'<polygon class="band random" points="([^"]*)"', drawn)
    assert band is not None
    ys = [float(pair.split(",")[1]) for pair in band[1].split()]
    upper, lower = ys[:3], ys[:2:-1]
    own = heights(drawn, "c0")
    scale = (own[0] - own[2]) / 1.0  # pixels for a difference of 1
    assert lower[2] - upper[2] == pytest.approx(0.4 * scale, abs=0.3)
    assert lower[1] - upper[1] == pytest.approx(0.2 * scale, abs=0.3)


def test_other_measures_and_other_strengths_are_no_controls() -> None:
    other = replace(CONTROL, rows=tuple(replace(r, origin=origin("random", "9")) for r in CONTROL.rows))
    assert "random" not in curves(EFFECT, (), compared((EFFECT, other)))
    measure = replace(BASE, rows=(replace(BASE.rows[0], origin=origin("unsteered", measure="kl")),))
    alone = replace(EFFECT, rows=EFFECT.rows[1:])
    assert heights(curves(alone, (), compared((alone, measure))), "base") == []
    assert len(heights(curves(alone, (), compared((alone, BASE))), "base")) == 1


def test_models_have_the_band_of_a_metric_of_random_directions() -> None:
    pair = MetricTable("share", ("model",), (row(0.2, "unsteered", "base"), row(0.9, "steered", "kind", recipe="x")))
    control = MetricTable("c", ("r",), tuple(row(0.1 * r, "random", r, recipe="x") for r in range(1, 6)))
    drawn = curves(pair, (), compared((pair, control)))
    assert "the band is what 5 random directions reach" in drawn
    text = page(Findings("p.steer", metrics=(pair, control)))
    assert "drawn beside" in text
    assert "0.1 … 0.5 (5)" in text  # in the table of the steered model


def test_random_directions_are_one_row_whatever_their_axis_is_called() -> None:
    table = banded(CONTROL)
    assert [r.labels for r in table.rows] == [
        ("unsteered", 0.0), ("5 random: mean, range", 0.5), ("5 random: mean, range", 1.0),
    ]  # fmt: skip
    assert table.rows[2].value == pytest.approx(0.5)
    assert table.rows[2].interval == pytest.approx((0.3, 0.7))
    text = render(Findings("p", metrics=(CONTROL,)), Screen(100))
    assert re.search(r"5 random: mean, range +s = 1 +0\.5 +\[0\.3, 0\.7\]", text)


def test_single_numbers_share_a_table_and_gains_stand_beside() -> None:
    told = replace(TOLD, rows=(replace(TOLD.rows[0], gain=Gain(0.2, (0.05, 0.35))),))
    text = page(Findings("p.steer", metrics=(BASE, told)))
    assert text.count("<h3") == 1
    assert "against unsteered" in text
    assert "+0.2 (0.05 … 0.35)" in text


def test_gains_are_on_a_terminal_where_there_is_room() -> None:
    rows = tuple(replace(r, gain=Gain(-0.25, (-0.5, 0.0))) if r.labels[0] else r for r in EFFECT.rows)
    found = Findings("p", metrics=(replace(EFFECT, rows=rows),))
    assert "-0.25 [-0.5, 0]" in render(found, Screen(80))
    assert "vs unsteered" not in render(found, Screen(36))


def test_controls_that_are_missing_are_named() -> None:
    assert compared(ALL).missing == []
    assert compared((EFFECT,)).missing == ["random directions", "a prompt"]
    alone = replace(EFFECT, rows=EFFECT.rows[1:])
    assert "the unsteered model, random directions and a prompt;" in page(Findings("p.steer", metrics=(alone,)))
    assert compared((BASE, TOLD)).missing == []  # nothing is steered
    assert compared((replace(alone, of_steering=True),)).missing == ["random directions", "a prompt"]
    assert "Not measured" not in page(Findings("p.steer", metrics=ALL))


def column(text: str, role: str, label: str, recipe: str = "", measure: str = "out") -> SampleColumn:
    return SampleColumn((label,), (text,), origin=origin(role, recipe, measure))


def test_replies_are_held_against_the_unsteered_ones_of_any_table() -> None:
    here = SampleTable("out", ("model",), ("Hi",), (column("I am very glad.", "steered", "kind", "x"),))
    there = SampleTable("plain", ("model",), ("Hi",), (column("I am sorry.", "unsteered", "base"),))
    body = page(Findings("p.steer", samples=(here, there))).partition("<body>")[2]
    first = body.partition("plain")[0]
    assert "<ins>very glad</ins>." in first
    assert "I am <del>sorry</del>." in first
    assert '<th scope="col">unsteered</th>' in first
    other = replace(there, columns=(column("I am sorry.", "unsteered", "base", measure="longer"),))
    assert "<ins>" not in page(Findings("p.steer", samples=(here, other)))


def test_many_replies_stand_below_each_other_and_equal_ones_are_grey() -> None:
    columns = [column("I am sorry.", "unsteered", "base")]
    columns += [column("I am sorry." if i else "Gladly.", "steered", f"k{i}", str(i)) for i in range(5)]
    text = page(Findings("p.steer", samples=(SampleTable("out", ("model",), ("Hi",), tuple(columns)),)))
    assert 'class="samples below"' in text
    assert text.count('<span class="soft">I am sorry.</span>') == 4
    assert "<ins>Gladly</ins>." in text
    assert "<del>" not in text.partition("<body>")[2]  # of several, none is the other side


def test_metrics_of_the_same_points_have_a_table_of_them_all() -> None:
    tables = tuple(replace(EFFECT, name=n) for n in ("one", "two", "three"))
    assert "Beside each other" in page(Findings("p.steer", metrics=tables))
    assert "Beside each other" not in page(Findings("p.steer", metrics=tables[:2]))
