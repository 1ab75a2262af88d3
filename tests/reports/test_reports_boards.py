"""Boards of concepts: put together from metrics, drawn on a page and as pictures; correlations as points."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from reports_support import NASTY
from test_reports_html import SHOWN, read

from steerlang.graph.node import Node
from steerlang.operations.metric import Metric, Table
from steerlang.reports.board import Board, Scatter, ShownConcept, ShownSample
from steerlang.reports.board_plots import draw_boards, is_drawn
from steerlang.reports.boards import boards_of
from steerlang.reports.findings import Findings
from steerlang.reports.html import page
from steerlang.reports.scatters import scatters_of
from steerlang.reports.thumbnails import SIDE, thumbnail


@dataclass
class Defined:
    name: str
    axes: tuple[str, ...]
    cells: Mapping[Any, Metric] = field(default_factory=dict)
    nodes: Mapping[Any, Node] = field(default_factory=dict)


def node(operation: str, *inputs: Node, result: str = "metric", path: str = "", **options: Any) -> Node:
    return Node(operation, 1, options, inputs, result, locators={"path": path} if path else {})


def dictionary(seed: int) -> Node:
    return node("concepts.decompose", result="concepts", seed=seed)


def metric(columns: tuple[str, ...], *rows: tuple[Any, ...]) -> Metric:
    return Metric(0.5, None, len(rows), (), Table(columns, rows))


MODEL = node("model.load", result="model")
BEFORE, SHIFTED, RETUNED = dictionary(0), dictionary(1), dictionary(2)
LABELS = (("dict",), ("shifted",), ("retuned",))


def words() -> Defined:
    cells = {
        labels: metric(("concept", "words", "scores"), *((k, [f"{labels[0]}{k}"], [1.0]) for k in range(2)))
        for labels in LABELS
    }
    nodes = {
        labels: node("metric.ground_words", d, MODEL)
        for labels, d in zip(LABELS, (BEFORE, SHIFTED, RETUNED), strict=True)
    }
    return Defined("meaning", ("concepts",), cells, nodes)


def samples(folder: Path, count: int = 3) -> Defined:
    rows = node("data.rows", result="rows", path=str(folder / "t.csv"))
    table = metric(
        ("concept", "row", "activation", "image", "text"),
        *((k, i, 1.0 - i / 10, f"{i}.png", f"sample {i}") for k in range(2) for i in range(count)),
    )
    projected = node("concepts.project", BEFORE, rows, result="concepts")
    return Defined("seen", (), {(): table}, {(): node("metric.ground_samples", projected, rows)})


def recovery() -> Defined:
    columns = ("concept", "matched", "count", "words", "words_unshifted", "words_gain", "words_normalized")
    found = metric(columns, (0, 1, 5, 0.75, 0.5, 0.25, 0.5), (1, 0, 4, None, 0.5, None, None))
    own = node("metric.recovery", SHIFTED, BEFORE, RETUNED, measure="words", **{"as": "gain"})
    return Defined("recovered", (), {(): found}, {(): own})


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    for i in range(3):
        Image.new("RGB", (200, 100), (50 * i, 100, 20)).save(tmp_path / f"{i}.png")
    return tmp_path


def test_words_of_dictionaries_stand_side_by_side() -> None:
    (board,) = boards_of([words()])
    assert (board.name, board.columns, board.matched) == ("meaning", ("dict", "shifted", "retuned"), False)
    assert [[c.words for c in row if c] for row in board.rows] == [
        [("dict0",), ("shifted0",), ("retuned0",)], [("dict1",), ("shifted1",), ("retuned1",)],
    ]  # fmt: skip


def test_concepts_of_a_fine_tune_stand_beside_those_they_are_matched_with() -> None:
    (board,) = boards_of([words(), recovery()])
    assert board.matched
    assert [row[2].number for row in board.rows if row[2]] == [1, 0]
    assert board.notes == ("words 0.75 shifted, 0.50 unshifted", "words none shifted, 0.50 unshifted")


def test_samples_join_the_words_of_their_dictionary(pictures: Path) -> None:
    (board,) = boards_of([words(), samples(pictures, 9)])
    first = board.rows[0][0]
    assert first is not None
    assert [s.text for s in first.samples] == [f"sample {i}" for i in range(8)]
    assert [bool(s.image) for s in first.samples] == [True] * 3 + [False] * 5
    assert board.rows[0][1] is not None
    assert board.rows[0][1].samples == ()


def test_a_sweep_makes_a_board_for_each_point() -> None:
    nodes = {(d, s): node("metric.ground_words", dictionary(10 * i + j), MODEL)
             for i, d in enumerate(("dict", "shifted")) for j, s in enumerate((0.5, 1.0))}  # fmt: skip
    cells = dict.fromkeys(nodes, metric(("concept", "words", "scores"), (0, ["a"], [1.0])))
    found = boards_of([Defined("meaning", ("concepts", "alpha"), cells, nodes)])
    assert [(b.name, b.columns) for b in found] == [
        ("meaning[alpha = 0.5]", ("dict", "shifted")), ("meaning[alpha = 1]", ("dict", "shifted")),
    ]  # fmt: skip


def test_words_of_vectors_are_no_board() -> None:
    vector = node("vector.sum", result="vector")
    found = metric(("layer", "words", "scores"), (3, ["a"], [1.0]))
    assert boards_of([Defined("w", (), {(): found}, {(): node("metric.ground_words", vector, MODEL)})]) == ()


def test_thumbnails_are_small_images(pictures: Path) -> None:
    kind, _, data = thumbnail(pictures / "1.png").partition(",")
    assert kind == "data:image/png;base64"
    with Image.open(BytesIO(base64.b64decode(data))) as image:
        assert image.size == (SIDE, SIDE // 2)
        assert image.getpixel((0, 0)) == (50, 100, 20)
    assert thumbnail(pictures / "missing.png") == ""
    (pictures / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert thumbnail(pictures / "broken.png") == ""


def board(image: str = "") -> Board:
    shown = ShownConcept(1, ("red", NASTY), (ShownSample(NASTY, 0.5, image), ShownSample("$x^2$", 0.25, image)))
    return Board("meaning", ("dict", NASTY), ((shown, None), (None, replace(shown, samples=()))), ("a note",), True)


def test_the_page_shows_words_and_images_and_loads_nothing(pictures: Path) -> None:
    text = page(Findings("p.steer", boards=(board(thumbnail(pictures / "0.png")),)))
    found = read(text)
    assert "img-src data:" in text
    sources = [value for name, value in found.attributes if name == "src"]
    assert len(sources) == 2
    assert all(str(s).startswith("data:image/") for s in sources)
    assert any(SHOWN in t for t in found.texts)
    assert [value for name, value in found.attributes if name == "alt"] == [f"{SHOWN} (0.5)", "$x^2$ (0.25)"]
    assert "<script" not in text


def test_texts_stand_where_there_are_no_images() -> None:
    text = page(Findings("p.steer", boards=(board(),)))
    found = read(text)
    assert "img" not in found.tags
    assert found.tags.count("li") >= 2


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_pictures_are_the_same_for_the_same_boards(pictures: Path, ending: str) -> None:
    made = [board(thumbnail(pictures / "0.png")), board()]
    paths = [draw_boards(made, pictures / name / f"b.{ending}") for name in ("one", "two")]
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert is_drawn(paths[0])
    other = draw_boards(made[:1], pictures / "three" / f"b.{ending}")
    assert other.read_bytes() != paths[0].read_bytes()
    assert not is_drawn(pictures / "0.png")


def test_correlations_are_points() -> None:
    statistics = node("metric.shift_statistics", measure="consistency")
    recovered = node("metric.recovery", SHIFTED, BEFORE, RETUNED, measure="cosine", **{"as": "gain"})
    own = node("metric.correlation", statistics, recovered, by="spearman")
    found = metric(("number", "x", "y"), (0, 0.5, 0.25), (1, None, 0.5), (2, 0.75, -0.5))
    scatters = scatters_of([Defined("together", (), {(): found}, {(): own})])
    points = (("0", 0.5, 0.25), ("2", 0.75, -0.5))
    assert scatters == (Scatter("together", 0.5, "spearman", "consistency", "gain of cosine", points),)
    text = page(Findings("p.steer", scatters=scatters))
    read(text)
    assert "spearman 0.5 over 2 pairs" in text
    assert text.count('class="dot c0"') == 2
    assert "polyline" not in text
