"""Findings on a terminal: they fit, they align, and nothing in them can steer the terminal."""

from __future__ import annotations

import pytest
from reports_support import NASTY, findings, metric

from steerlang.reports.findings import Findings, MetricRow, MetricTable, SampleColumn, SampleTable, number, size
from steerlang.reports.inspection_text import _pointed
from steerlang.reports.layout import Screen, columns, text_width
from steerlang.reports.terminal import layers_text, render, seconds
from steerlang.reports.terminal_metrics import metrics


@pytest.mark.parametrize("width", [60, 80, 100, 140])
@pytest.mark.parametrize("unicode", [True, False])
def test_it_fits(width: int, unicode: bool) -> None:
    text = render(findings(), Screen(width, unicode=unicode))
    assert text.endswith("\n")
    assert "\n\n\n" not in text
    for line in text.splitlines():
        assert text_width(line) <= width, line
        assert line == line.rstrip()


@pytest.mark.parametrize("color", [True, False])
def test_nothing_found_steers_the_terminal(color: bool) -> None:
    text = render(findings(), Screen(100, color=color))
    assert "\u202e" not in text
    assert "\x1b[31mred" not in text
    assert ("\x1b[" in text) == color


def test_ascii_where_nothing_else_can_be_shown() -> None:
    plain = findings()
    found = Findings("a.steer", expectations=plain.expectations[:1], metrics=plain.metrics)
    shown = render(found, Screen(80, unicode=False))
    assert shown.isascii()
    assert "ok kinder" in shown
    assert "✓ kinder" in render(plain, Screen(80))


def test_both_sides_of_expectations_are_shown() -> None:
    text = render(findings(), Screen(100))
    assert "0.6167 >= 0.5" in text
    assert "2 <= 1" in text


def test_metrics_with_the_same_points_share_a_table() -> None:
    blocks = metrics([metric(), metric("fluency")], Screen(120))
    assert len(blocks) == 1
    assert "polite" in blocks[0][1]
    assert "fluency" in blocks[0][1]
    assert "n = 60" in blocks[0][0]
    assert len(metrics([metric(), metric("fluency")], Screen(50))) == 2


def test_tables_of_many_columns_keep_those_that_fit_and_the_first_two_always() -> None:
    wide, narrow = (render(findings(), Screen(width)) for width in (140, 60))
    assert "and a third" in wide
    assert "a long name of a column" in narrow
    assert "and a third" not in narrow
    # Lists of numbers are for programs; they stand in the JSON.
    assert "scores" not in wide
    assert "0.25" not in wide.partition("words[dict]")[2].partition("texts")[0]
    assert "and 10 more; `--format json` gives all" in wide


def test_long_tables_are_cut_and_say_so() -> None:
    rows = tuple(MetricRow((float(i),), 1.0) for i in range(100))
    block = metrics([MetricTable("m", ("s",), rows)], Screen(80))[0]
    assert len(block) == 43
    assert "and 60 more" in block[-1]


def test_samples_that_differ_come_first() -> None:
    text = render(findings(), Screen(100))
    assert "3 prompts, 2 with differing texts" in text


def test_nothing_found() -> None:
    assert render(Findings("a.steer"), Screen(80)) == "done: 0 run, 0 cached in 0.0 s\n"


def test_words() -> None:
    assert layers_text((0, 1, 2, 5, 7, 8)) == "0..2, 5, 7..8"
    assert layers_text(()) == ""
    assert [number(x) for x in (None, True, 3, 0.123456, float("nan"))] == ["", "true", "3", "0.1235", "nan"]
    assert [size(n) for n in (0, 1023, 1024, 1_500_000, 3 << 40)] == ["0 B", "1023 B", "1.0 KiB", "1.4 MiB", "3072 GiB"]
    assert [seconds(s) for s in (0.04, 12.0, 83.2)] == ["0.0 s", "12 s", "1 min 23 s"]


def test_layout() -> None:
    screen = Screen(20)
    assert screen.cut("宽宽宽宽", 5) == "宽宽…"
    assert screen.cut("abc", 3) == "abc"
    assert Screen(20, unicode=False).cut("abcdefgh", 5) == "ab..."
    assert text_width("e\u0301宽a") == 4
    assert columns([["a", "1"], ["bb", "22"]], [False, True]) == ["  a    1", "  bb  22"]
    assert columns([], []) == []
    assert "\x1b" not in screen.clean(NASTY)
    assert screen.clean("a\r\nb\tc") == "a ⏎ b c"


def test_one_prompt_is_one_prompt_and_gates_say_what_they_did() -> None:
    one = SampleTable("s", ("model",), ("Hello",), (SampleColumn(("kind",), ("Hi",), 1),))
    text = render(Findings("p.steer", samples=(one,)), Screen())
    assert "s  1 prompt\n" in text
    assert "kind: gate open on 1 of 1 prompt\n" in text
    some = SampleTable("s", (), ("Hello", "You"), (SampleColumn((), ("Hi", "Yes"), 0),))
    text = render(Findings("p.steer", samples=(some,)), Screen())
    assert "s  2 prompts\n" in text
    assert "  gate open on 0 of 2 prompts\n" in text


def test_decimal_points_of_an_inspection_stand_below_each_other() -> None:
    rows = _pointed([["layer", "length", "share"], ["0", "9.5", "12%"], ["1", "12.25", "7.5%"], ["2", "100", ""]])
    lines = columns(rows, [True, True, True])
    places = [line.index(".") for line in lines[1:3]]
    assert places[0] == places[1]
    assert lines[3].index("100") + 3 == places[0]
    shares = [line.rstrip() for line in lines[1:3]]
    assert shares[0].index("12%") + 2 == shares[1].index("7.5%") + 1
