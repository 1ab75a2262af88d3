"""The page: well formed, self-contained, escaped, the same for the same findings, written as a whole."""

from __future__ import annotations

import json
import os
import re
import stat
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from reports_support import NASTY, background, findings, metric

from steerlang.reports.board import Scatter
from steerlang.reports.curves import curves, sweep_axis
from steerlang.reports.document import findings_document
from steerlang.reports.findings import (
    EditTable,
    Findings,
    MetricRow,
    MetricTable,
    SampleColumn,
    SampleTable,
)
from steerlang.reports.html import page, write_page
from steerlang.reports.svg import Point, Series, chart, ticks

SHOWN = NASTY.replace("\x1b", "\ufffd")
VOID = {"meta", "link", "br", "img", "input", "hr"}


class Balance(HTMLParser):
    """Fails on tags that are not closed in order; keeps what is on the page."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def read(text: str) -> Balance:
    found = Balance()
    found.feed(text)
    found.close()
    assert not found.open
    return found


@pytest.fixture
def text() -> str:
    return page(findings(), background(), title=NASTY, date="2026-01-01")


def test_it_is_well_formed_and_runs_nothing(text: str) -> None:
    found = read(text)
    assert "script" not in found.tags
    assert not {"link", "iframe", "object"} & set(found.tags)
    sources = [value or "" for name, value in found.attributes if name == "src"]
    assert sources
    assert all(source.startswith("data:image/") for source in sources)
    names = {name for name, _ in found.attributes}
    assert not {n for n in names if n.startswith("on")} | (names & {"srcset", "data", "action"})
    links = [value or "" for name, value in found.attributes if name == "href"]
    ids = [value for name, value in found.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    assert {link[1:] for link in links} <= set(ids)
    assert all(link.startswith("#") for link in links)
    assert "http" not in "".join(value or "" for _, value in found.attributes)
    assert not re.search(r"url\(|@import", text)
    assert "default-src 'none'" in text


def test_everything_is_on_it(text: str) -> None:
    shown = "".join(read(text).texts)
    for word in ("kinder", "0.6167 >= 0.5", "polite", "second", "held-out AUC", "out/polite.gguf", "2026", "torch"):
        assert word in shown
    assert shown.count(SHOWN) >= 6  # title, heading, prompt, texts, program, facts, messages, inputs


def test_every_svg_is_xml(text: str) -> None:
    pieces = text.split("<svg ")[1:]
    assert len(pieces) == 6
    for piece in pieces:
        ElementTree.fromstring("<svg " + piece.partition("</svg>")[0] + "</svg>")


def test_the_same_findings_give_the_same_page(text: str) -> None:
    again = page(findings(), background(), title=NASTY, date="2026-01-01")
    assert again == text
    assert read(page(Findings("a.steer"))).texts


def test_curves_follow_the_sweep() -> None:
    assert sweep_axis(metric()) == 0
    assert curves(metric()).count("<polyline") == 2
    for labels in (("a", "b"), (True, False)):
        marks = curves(MetricTable("m", ("which",), tuple(MetricRow((x,), 1.0) for x in labels)))
        assert "<polyline" not in marks
        assert marks.count("<circle") == 2
    assert curves(MetricTable("m", ("which",), (MetricRow(("a",), 1.0),))) == ""


def test_curves_of_awkward_numbers() -> None:
    nan, inf = float("nan"), float("inf")
    assert chart([Series("a", (Point(0, nan), Point(1, 1.0)))], "t", "x") == ""
    flat = chart([Series("a", (Point(0, 1.0), Point(1, 1.0)))], "t", "x")
    assert not re.search(r"\b(nan|inf)\b", flat)
    infinite = chart([Series("a", (Point(0, 1.0, (0.0, inf)), Point(1, 1e300), Point(2, 1e-300)))], "t", "x")
    assert not re.search(r"\b(nan|inf)\b", infinite)


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-3.0, 7.0), (1e-9, 2e-9), (1e12, 3e12), (0.1, 0.30000001)])
def test_ticks(low: float, high: float) -> None:
    found = ticks(low, high)
    assert 2 <= len(found) <= 7
    assert all(low - 1e-9 * abs(low) <= t <= high * (1 + 1e-9) for t in found)


def test_writing(tmp_path: Path, text: str) -> None:
    path = tmp_path / "new" / "folder" / "report.html"
    assert write_page(path, text) == path
    assert write_page(path, text + "lone \ud800 surrogate") == path
    assert path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert [p.name for p in path.parent.iterdir()] == ["report.html"]
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask


def test_a_failed_write_leaves_the_old_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "report.html"
    write_page(path, "old")

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OSError, match="No space"):
        write_page(path, "new")
    assert path.read_text(encoding="utf-8") == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_the_document_is_json() -> None:
    from steerlang.cli.views.json import finite

    document = json.loads(json.dumps(finite(findings_document(findings())), allow_nan=False))
    assert document["outcome"] == "done"
    assert document["metrics"][0]["rows"][0]["at"] == {"s": 0.0, "model": "base"}
    assert document["metrics"][3]["rows"][0]["value"] == "nan"
    assert document["samples"][0]["columns"][1]["at"] == {"model": "kind"}
    assert document["expectations"][1]["holds"] is False


def test_an_axis_is_logarithmic_where_numbers_span_much() -> None:
    wide = chart([Series("a", (Point(0, 1.7), Point(1, 2.0), Point(2, 500.0)))], "cost over s", "s", "cost")
    assert "cost (logarithmic)" in wide
    assert all(f">{tick}</text>" in wide for tick in ("2", "10", "100"))
    heights = [float(y) for y in re.findall(r'cy="([\d.]+)"', wide)]
    # Equal ratios are equal distances.
    again = chart([Series("a", (Point(0, 5.0), Point(1, 50.0), Point(2, 500.0)))], "t", "s", "cost")
    low, middle, high = (float(y) for y in re.findall(r'cy="([\d.]+)"', again))
    assert low - middle == pytest.approx(middle - high, abs=0.2)
    assert heights == sorted(heights, reverse=True)
    for points in ((1.0, 49.0), (0.0, 500.0), (-1.0, 500.0)):
        series = Series("a", tuple(Point(i, y) for i, y in enumerate(points)))
        assert "logarithmic" not in chart([series], "t", "s", "y")


def test_the_chosen_point_is_marked() -> None:
    found = metric()
    marked = curves(found, [("best", "s = 0.05"), ("other", "t = 0.05"), ("off", "s = 7")])
    assert marked.count('class="chosen"') == 1
    assert ">best</text>" in marked
    place = re.search(r'class="chosen" x1="([\d.]+)"', marked)
    assert place is not None
    assert f'cx="{place[1]}"' in marked
    assert "<strong" in page(Findings("p.steer", metrics=(found,), chosen=(("best", "s = 0.05"),)))


def test_random_columns_are_folded_and_leading_blanks_go() -> None:
    columns = [SampleColumn((name,), (f" reply of {name}",)) for name in ("kind", "random_1", "random_2")]
    columns[0] = replace(columns[0], gate_open=1)
    html = page(Findings("p.steer", samples=(SampleTable("out", ("model",), ("Hello",), tuple(columns)),)))
    before, _, folded = html.partition("<body>")[2].partition("<details>")
    assert "reply of kind</td>" in before
    assert "random" not in before
    assert "2 random directions" in folded
    assert "reply of random_2</td>" in folded
    assert "kind: gate open on 1 of 1 prompt<" in before


def test_how_task_vectors_lie_is_a_folded_table_of_its_own() -> None:
    edit = EditTable("both", {"computed": 3}, 1.0, pairs=(("a", "b", 0.0153, 0.494),))
    html = page(Findings("p.steer", edits=(edit,)))
    assert "cosines and sign conflicts of the task vectors of <code>both</code>" in html
    assert "<td>b</td>" in html
    assert "0.0153" in html
    assert "49.4%" in html


def test_the_pairs_of_a_correlation_are_points_that_are_not_joined() -> None:
    points = (("0", 0.1, 1.0), ("2", 0.3, 2.5), ("3", 0.2, 1.5))
    scatter = Scatter("together", 0.5, "spearman", "consistency", "recovery", points)
    shown = page(replace(Findings("a.steer"), scatters=(scatter,)))
    (drawn,) = re.findall(r"<svg.*?</svg>", shown, re.DOTALL)
    assert drawn.count("<circle") == 3
    assert "polyline" not in drawn
    assert "spearman 0.5 over 3 pairs" in drawn
    assert "consistency" in drawn
