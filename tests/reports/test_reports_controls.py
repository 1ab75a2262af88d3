"""Random directions in reports: one row of mean and range, a band in charts, and nothing of it in JSON."""

from __future__ import annotations

import re

import pytest
from reports_support import metric

from steerlang.reports.curves import curves
from steerlang.reports.document import findings_document
from steerlang.reports.findings import Expected, Findings, MetricRow, MetricTable, SampleColumn, SampleTable
from steerlang.reports.layout import Screen
from steerlang.reports.random_rows import banded
from steerlang.reports.terminal import render

VALUES = {"unsteered": 0.25, "kind": 0.75, "random_1": 0.5, "random_2": 0.0, "random_3": 0.25}


def table(*sweep: float) -> MetricTable:
    if not sweep:
        return MetricTable("polite", ("model",), tuple(MetricRow((m,), v, (v, v + 0.1), 9) for m, v in VALUES.items()))
    rows = tuple(MetricRow((m, s), v * s, (v * s, v * s), 9) for m, v in VALUES.items() for s in sweep)
    return MetricTable("polite", ("model", "s"), rows)


def test_random_directions_are_one_row_of_mean_and_range() -> None:
    *_, last = banded(table()).rows
    assert last.labels == ("3 random: mean, range",)
    assert (last.value, last.interval) == (0.25, (0.0, 0.5))
    swept = banded(table(1.0, 2.0))
    assert [r.interval for r in swept.rows[4:]] == [(0.0, 0.5), (0.0, 1.0)]


def test_few_random_directions_and_other_tables_stay_as_they_are() -> None:
    few = MetricTable("polite", ("model",), table().rows[:4])
    assert banded(few) is few
    assert banded(metric()) == metric()


def test_the_terminal_shows_the_range_and_json_every_direction() -> None:
    columns = tuple(SampleColumn((m,), (f"says {m}",)) for m in VALUES)
    found = Findings("p", metrics=(table(),), samples=(SampleTable("x", ("model",), ("hello",), columns),))
    text = render(found, Screen(width=90))
    assert re.search(r"3 random: mean, range +0\.25 +\[0, 0\.5\]", text)
    assert "says random_1" in text
    assert "random_2" not in text
    assert len(findings_document(found)["metrics"][0]["rows"]) == 5


def test_a_strip_shows_models_beside_the_band() -> None:
    drawn = curves(table())
    band = re.search(r'class="band soft" x="([\d.]+)" width="([\d.]+)"', drawn)
    dots = [float(x) for x in re.findall(r'circle class="dot c0" cx="([\d.]+)"', drawn)]
    assert band is not None
    low, high = float(band[1]), float(band[1]) + float(band[2])
    assert len(dots) == 2
    # 0.25 lies in the middle of 0 … 0.5, and 0.75 as far above as that is wide.
    assert dots[0] == pytest.approx((low + high) / 2, abs=0.2)
    assert dots[1] == pytest.approx(high + (high - low) / 2, abs=0.2)


def test_over_a_sweep_the_band_is_a_series() -> None:
    drawn = curves(table(1.0, 2.0))
    assert "3 random: mean, range" in drawn
    assert "random_1" not in drawn
    assert drawn.count('class="line') == 3


def test_expectations_that_were_not_judged_are_said_to_be_open() -> None:
    failed = Expected("b", False, "2 < 1", 2.0, 1.0, "<", "p:3")
    found = Findings("p", expectations=(Expected("a", None, "x > 1"), failed))
    text = render(found, Screen(width=90))
    assert re.search(r"\? +a +x > 1 +not judged", text)
    assert "at p:3" in text
    assert [e["holds"] for e in findings_document(found)["expectations"]] == [None, False]
