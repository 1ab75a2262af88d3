"""Coefficients on pages and terminals: every number at its place."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steerlang.reports.findings import CoefficientTable, Findings
from steerlang.reports.heatmap import grid_of, heatmaps, place_of
from steerlang.reports.html import page
from steerlang.reports.layout import Screen
from steerlang.reports.terminal import render

BLOCKS = (
    "model.embed.weight", "model.layers.0.mlp.up.weight", "model.layers.0.mlp.down.weight",
    "model.layers.1.mlp.up.weight", "model.layers.1.mlp.down.weight",
)  # fmt: skip
TABLE = CoefficientTable(
    "strength", ("digits", "prints"), BLOCKS, ((0.5, 1.0, -0.25, 0.0, 0.75), (0.0, 0.1, 0.2, 0.3, 0.4)), (2.0, 1.5, 1.2)
)


@pytest.mark.parametrize(
    ("block", "place"),
    [
        ("model.layers.11.mlp.up.weight", ("model.layers.*.mlp.up.weight", 11)),
        ("model.layers.3", ("model.layers.*", 3)),
        ("model.norm.weight", ("model.norm.weight", None)),
        ("a.0.w[random 4 of 10]", ("a.*.w", 0)),
        ("a.0.w[row 7]", ("a.*.w", 0)),
        ("encoder.0.attention.{query,key,value}.weight", ("encoder.*.attention.{query,key,value}.weight", 0)),
    ],
)
def test_the_place_of_a_block(block: str, place: tuple[str, int | None]) -> None:
    assert place_of(block) == place


@given(st.lists(st.tuples(st.sampled_from(BLOCKS), st.floats(-2, 2)), min_size=1, max_size=30))
def test_no_number_is_lost(pairs: list[tuple[str, float]]) -> None:
    grid = grid_of([b for b, _ in pairs], [v for _, v in pairs])
    held = sorted(v for values in grid.cells.values() for v in values)
    assert held == sorted(v for _, v in pairs)
    assert set(grid.cells) <= {(kind, layer) for kind in grid.kinds for layer in grid.layers}


def test_cells_say_their_numbers_and_are_as_strong_as_they_are_large() -> None:
    root = ET.fromstring(f"<div>{heatmaps(TABLE)}</div>")
    titles = [t.text or "" for t in root.iter("title")]
    assert "model.layers.0.mlp.up.weight: 1" in titles
    assert "model.layers.0.mlp.down.weight: -0.25" in titles
    strong = {
        (g.find("title").text, g[2].get("class"), g[2].get("fill-opacity"))  # type: ignore[union-attr]
        for g in root.iter("g")
    }
    assert ("model.layers.0.mlp.up.weight: 1", "heat c0", "1.000") in strong
    assert ("model.layers.0.mlp.down.weight: -0.25", "heat c1", "0.250") in strong
    assert len(titles) == 2 * len(BLOCKS)


def test_blocks_that_share_a_place_show_their_range() -> None:
    table = CoefficientTable("c", ("t",), ("a.0.w[random 0 of 2]", "a.0.w[random 1 of 2]"), ((0.2, 0.6),))
    assert "a.0.w: 0.2 … 0.6 (2 blocks)" in heatmaps(table)


def test_page_and_terminal_show_coefficients() -> None:
    findings = Findings("p.steer", coefficients=(TABLE,))
    html = page(findings)
    assert html.count('<svg class="heatmap"') == 2
    assert "loss of strength" in html
    text = render(findings, Screen())
    assert re.search(r"digits +5 +-0\.25 +0\.4 +1\b", text)
    assert "loss 2 → 1.2" in text


def test_nothing_but_zeros_is_drawn_too() -> None:
    assert 'fill-opacity="0.000"' in heatmaps(CoefficientTable("c", ("t",), ("w", "x"), ((0.0, 0.0),)))


def test_small_maps_print_their_numbers_and_large_ones_do_not() -> None:
    texts = [t.text for t in ET.fromstring(f"<div>{heatmaps(TABLE)}</div>").iter("text")]
    assert {"1", "0.5", "−0.25", "0.75"} <= set(texts)
    blocks = tuple(f"m.{i}.w{j}" for i in range(10) for j in range(7))
    large = CoefficientTable("c", ("t",), blocks, (tuple(0.001 * i for i in range(70)),))
    shown = ET.fromstring(f"<div>{heatmaps(large)}</div>")
    assert not [t for t in shown.iter("text") if t.get("class") in ("weak", "strong")]
    assert [t.text for t in shown.iter("text")][-3:] == ["-0.069", "0", "0.069"]  # the bar
