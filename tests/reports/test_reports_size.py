"""Large and odd findings: the page stays small, says what it leaves out, and stays well formed."""

from __future__ import annotations

import math
import random
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reports_support import NASTY
from test_reports_html import read

from steerlang.reports.background import Background, Definition
from steerlang.reports.drawing import Drawing, Vertex
from steerlang.reports.findings import Expected, Findings, MetricRow, MetricTable, SampleColumn, SampleTable, Tally
from steerlang.reports.html import page
from steerlang.reports.html_samples import LONG, MOST_PROMPTS
from steerlang.reports.svg import Level, Mark, Point, Series, chart, strip

MIB = 1 << 20


def replies(count: int, length: int, columns: int, seed: int = 0) -> SampleTable:
    source = random.Random(seed)
    text = lambda: " ".join(source.choices(["please", "now", NASTY, "sorry", "宽"], k=length))  # noqa: E731
    made = tuple(SampleColumn((f"m{i}",), tuple(text() for _ in range(count))) for i in range(columns))
    return SampleTable("out", ("model",), tuple(f"prompt {i}" for i in range(count)), made)


@pytest.mark.parametrize(("count", "length", "columns"), [(10_000, 20, 3), (10_000, 2, 12), (400, 2_000, 6)])
def test_ten_thousand_samples_fit(count: int, length: int, columns: int) -> None:
    text = page(Findings("p.steer", samples=(replies(count, length, columns),) * 3))
    assert len(text.encode()) < 5 * MIB
    shown = len(re.findall(r"prompt \d+<", text))
    left = sum(int(n.replace(",", "")) for n in re.findall(r"([\d,]+) more prompts: ", text))
    assert shown + left == 3 * count
    assert shown <= 3 * MOST_PROMPTS
    assert "--format json" in text
    read(text)


def test_long_texts_are_folded_behind_their_beginning() -> None:
    table = SampleTable("out", (), ("x" * (LONG + 1), "short"), (SampleColumn((), ("y " * LONG, "z")),))
    text = page(Findings("p.steer", samples=(table,)))
    assert text.count('<details class="long">') == 2
    assert f"<b>{2 * LONG:,} characters</b>" in text
    assert "y " * LONG in text


def test_numbers_that_are_none() -> None:
    values = (math.nan, math.inf, -math.inf, 0.0, 5e-324, 1.7e308)
    rows = tuple(MetricRow((float(i),), v, (v, math.nan)) for i, v in enumerate(values))
    tables = (MetricTable("m", ("s",), rows), MetricTable("one", (), (MetricRow((), math.nan),)))
    text = page(Findings("p.steer", metrics=tables, tally=Tally("done", seconds=1e9)))
    assert not re.search(r'="[^"]*\b(nan|inf)\b', text.partition("<main>")[2])
    read(text)


ANY = st.floats()
INTERVALS = st.none() | st.tuples(ANY, ANY)


@given(st.lists(st.tuples(ANY, ANY, INTERVALS), max_size=5), st.lists(ANY, max_size=2), ANY, st.tuples(ANY, ANY))
def test_charts_of_any_numbers(points: Any, levels: Any, base: float, band: Any) -> None:
    curve = Series("a", tuple(Point(*p) for p in points))
    drawn = chart([curve], "t", "x", "y (z)", [(base, "b")], [Level("l", x, "base") for x in levels])
    drawn += strip([Mark("a", y, i) for _, y, i in points], (min(band), max(band)), "t", base)
    assert not re.search(r'="[^"]*\b(nan|inf)\b', drawn)
    places = [float(x) for x in re.findall(r' (?:x|y|cx|cy|x1|x2|y1|y2)="([-\d.e+]+)"', drawn)]
    assert all(-1000 < x < 2000 for x in places)


@pytest.mark.parametrize("name", ["ünïcode", "宽", "a b", '"><b>', "<script>", "out[s = 0.1]", "x" * 300])
def test_names_of_any_kind(name: str) -> None:
    table = MetricTable(name, ("model",), (MetricRow((name,), 1.0), MetricRow(("b",), 2.0)))
    about = Background(
        Drawing(name, (Vertex(name, "metric"), Vertex("y", "expect")), ((name, "y"),)), (Definition(name, "metric", 1),)
    )
    found = read(page(Findings("p.steer", f"metric {name} = 1\n", (Expected(name, True, name),), (table,)), about))
    assert "script" not in found.tags
    assert name in "".join(found.texts)


@pytest.mark.parametrize(("count", "spread"), [(0, 1), (1, 1), (5, 1), (40, 1), (40, 12), (200, 30)])
def test_graphs_of_any_size(count: int, spread: int) -> None:
    source = random.Random(count)
    names = [f"definition_{i}" for i in range(count)]
    edges = {(names[source.randrange(max(0, i - spread), i)], names[i]) for i in range(1, count) for _ in range(2)}
    drawing = Drawing("p", tuple(Vertex(n, "metric") for n in names), tuple(sorted(edges)))
    text = page(Findings("p.steer", "steerlang 1\n"), Background(drawing))
    assert ('id="s-graph"' in text) == (count > 1)
    boxes = re.findall(r'<rect x="([-\d.]+)" y="([-\d.]+)" width="([\d.]+)" height="([\d.]+)"', text)
    assert len(boxes) == (count if count > 1 else 0)
    places = [tuple(map(float, b)) for b in boxes]
    for i, (x, y, w, h) in enumerate(places):  # none lies over another
        for x2, y2, w2, h2 in places[:i]:
            assert x + w <= x2 + 0.1 or x2 + w2 <= x + 0.1 or y + h <= y2 + 0.1 or y2 + h2 <= y + 0.1
    view = re.search(r'class="graph" viewBox="0 0 (\d+) (\d+)"', text)
    if view is not None:
        assert all(x >= 0 and x + w <= int(view[1]) + 1 and y + h <= int(view[2]) + 1 for x, y, w, h in places)


def test_a_failed_run_says_so() -> None:
    text = page(Findings("p.steer", tally=Tally("failed", 1, 0, 1, 2)))
    assert "This run failed: what it did not make is missing below." in text
    assert "1 failed" in text
    assert "2 skipped" in text
    assert "This run" not in page(Findings("p.steer"))


@pytest.mark.parametrize("ending", [".yaml", ".json"])
def test_programs_in_other_forms_have_anchors_too(ending: str) -> None:
    about = Background(definitions=(Definition("a", "metric", 1), Definition("b", "metric", 1), Definition("c", "let")))
    tables = tuple(MetricTable(n, (), (MetricRow((), 1.0),)) for n in "ab")
    found = read(page(Findings(f"p.steer{ending}", '{"a": 1, "b": "<"}', metrics=tables), about))
    ids = [value for name, value in found.attributes if name == "id"]
    assert {"d-a", "d-b", "r-a", "r-b"} <= set(ids)
    assert "d-c" not in ids
    assert '{"a": 1, "b": "<"}' in "".join(found.texts)
