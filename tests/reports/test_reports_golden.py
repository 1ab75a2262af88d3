"""What a run prints, as it stands in `tests/golden/reports`; `STEERLANG_UPDATE=1` writes it anew, except in CI."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
from reports_support import MANNERS, findings, metric

from steerlang.reports.findings import (
    Artifact,
    Expected,
    Findings,
    MetricRow,
    MetricTable,
    SampleColumn,
    SampleTable,
    Tally,
)
from steerlang.reports.gains import Gain
from steerlang.reports.layout import Screen, text_width
from steerlang.reports.origins import Origin
from steerlang.reports.terminal import render

GOLDEN = Path(__file__).parents[1] / "golden" / "reports"
SCREENS = {
    "60": Screen(60), "80": Screen(80), "120": Screen(120), "80_ascii": Screen(80, unicode=False),
    "80_color": Screen(80, color=True),
}  # fmt: skip


def run_findings() -> Findings:
    """A run with everything a terminal shows: controls, wide characters, a failed expectation, many points."""
    steered, random = (Origin(role, "w", "w", "r", "m") for role in ("steered", "random"))
    share = MetricTable("politeness", ("model",), (
        MetricRow(("base",), 0.26667, (0.15, 0.38333), 60, Origin("unsteered", "w", "w", "", "m")),
        MetricRow(("kind",), 0.7, (0.58333, 0.81667), 60, steered, Gain(0.43333, (0.3, 0.56667))),
        *(MetricRow((f"random_{i}",), 0.2 + i / 50, (0.1, 0.4), 60, random) for i in range(1, 11)),
    ))  # fmt: skip
    vectors = (MANNERS, *(replace(MANNERS, name=f"chance[direction = {i}]", random=True) for i in range(1, 11)))
    long = "certainly. I am afraid the compost is missing, and so is the spade.\nPlease look behind it."
    models = ("base", "kind", "random_1", "random_2")
    columns = tuple(SampleColumn((m,), ("你好，我很高兴。", f"{m}: {long}")) for m in models)
    points = tuple(
        Expected(f"no_chance[r = {i}]", i != 3, "control < rise / 2", i / 50, 0.22, "<", "p.steer:9")
        for i in range(1, 11)
    )
    kinder = Expected("kinder", True, "politeness[kind] >= politeness[base] + 0.2", 0.7, 0.46667, ">=")
    return Findings(
        "p.steer",
        expectations=(kinder, *points, Expected("later", None, "gone > 0.5")),
        metrics=(share, metric("fluency"), MetricTable("rise", (), (MetricRow((), 0.43333, (0.3, 0.56667), 60),))),
        samples=(SampleTable("replies", ("model",), ("Where is it?", "怎么样？"), columns),),
        vectors=vectors,
        artifacts=(Artifact("out/page.html", 52_000), Artifact("out/宽.safetensors", 1_500_000)),
        tally=Tally("failed", 11, 29, 2, 4, 83.2),
        chosen=(("best", "s = 0.1"),),
    )


@pytest.mark.parametrize("name", SCREENS)
def test_what_is_printed(name: str) -> None:
    text = render(run_findings(), SCREENS[name])
    path = GOLDEN / f"terminal_{name}.txt"
    if os.environ.get("STEERLANG_UPDATE") == "1":
        assert not os.environ.get("CI"), "expected texts must not change in CI"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [n for n in SCREENS if "color" not in n])
def test_it_fits_and_is_plain(name: str) -> None:
    screen = SCREENS[name]
    text = render(run_findings(), screen)
    assert "\x1b" not in text
    assert max(map(text_width, text.splitlines())) <= screen.width
    ours = [line for line in text.splitlines() if not any(ord(c) > 0x2E7F for c in line)]
    assert screen.unicode or all(line.isascii() for line in ours)


def test_colours_change_nothing_else() -> None:
    plain = render(run_findings(), Screen(80))
    assert re.sub(r"\x1b\[[\d;]*m", "", render(run_findings(), Screen(80, color=True))) == plain


def test_the_widest_metric_is_told_with_its_gain_where_it_fits() -> None:
    assert "vs unsteered" in render(run_findings(), Screen(80))
    assert "+0.4333 [0.3, 0.5667]" in render(run_findings(), Screen(80))


def test_findings_of_any_kind_are_printed_at_any_width() -> None:
    for width in range(20, 130, 7):
        assert render(findings(), Screen(width)).endswith("\n")
