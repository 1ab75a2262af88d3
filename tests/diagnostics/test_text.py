"""The text renderer: marks, cut lines, wide characters, several sources, limits."""

from __future__ import annotations

from steerlang.diagnostics.codes import FILE_NOT_FOUND, LARGE_SCALE, NOT_CHECKED, UNEXPECTED
from steerlang.diagnostics.concise import render_concise
from steerlang.diagnostics.model import Diagnostic, Edit, Fix, Label, error
from steerlang.diagnostics.text import render, render_one, summary
from steerlang.source import Source, Span

TEXT = "steerlang 1\nmodel a = f(x,\n  y)\n\n\nlet b = a\n"
SOURCE = Source("specs/a.steer", TEXT)


def at(text: str, source: Source = SOURCE) -> Span:
    start = source.text.index(text)
    return Span(source, start, start + len(text))


def block(*rows: str) -> str:
    return "\n".join(rows)


def test_one_place() -> None:
    found = error(UNEXPECTED, at("f"), "message with `code`", label="here", help=("do this", "or that"), notes=("why",))
    assert render_one(found) == block(
        "error[SL117]: message with `code`",
        " --> specs/a.steer:2:11",
        "  |",
        "2 | model a = f(x,",
        "  |           ^ here",
        "  |",
        "  = note: why",
        "help: do this",
        "help: or that",
    )


def test_secondary_labels_on_other_lines() -> None:
    found = error(
        UNEXPECTED, at("let b"), "message", label="this one",
        secondary=(Label(at("model"), "first"), Label(at("y"), "second")),
    )
    assert render_one(found) == block(
        "error[SL117]: message",
        " --> specs/a.steer:6:1",
        "  |",
        "2 | model a = f(x,",
        "  | ----- first",
        "3 |   y)",
        "  |   - second",
        "...",
        "6 | let b = a",
        "  | ^^^^^ this one",
    )


def test_several_labels_on_one_line() -> None:
    found = error(
        UNEXPECTED, at("x"), "message", label="primary",
        secondary=(Label(at("model"), "left"), Label(at("f"), "middle")),
    )
    assert render_one(found) == block(
        "error[SL117]: message",
        " --> specs/a.steer:2:13",
        "  |",
        "2 | model a = f(x,",
        "  | -----     - ^ primary",
        "  | |         |",
        "  | |         middle",
        "  | |",
        "  | left",
    )


def test_spans_of_several_lines() -> None:
    found = error(UNEXPECTED, at("f(x,\n  y)"), "message", label="all of it")
    assert render_one(found) == block(
        "error[SL117]: message",
        " --> specs/a.steer:2:11",
        "  |",
        "2 | model a = f(x,",
        "  |           ^^^^",
        "3 |   y)",
        "  |   ^^ all of it",
    )


def test_another_source() -> None:
    other = Source("common.steer", "steerlang 1\nlet c = 1\n")
    found = error(UNEXPECTED, at("let b"), "message", secondary=(Label(at("c", other), "defined here"),))
    assert render_one(found) == block(
        "error[SL117]: message",
        " --> specs/a.steer:6:1",
        "  |",
        "6 | let b = a",
        "  | ^^^^^",
        " ::: common.steer:2:5",
        "  |",
        "2 | let c = 1",
        "  |     - defined here",
    )


def test_no_place() -> None:
    assert render_one(error(FILE_NOT_FOUND, None, "`a` does not exist", place="a")) == block(
        "error[SL501]: `a` does not exist", " --> a",
    )


def test_the_end_of_a_file() -> None:
    source = Source("a", "x")
    assert render_one(error(UNEXPECTED, Span(source, 1, 1), "m")).endswith("1 | x\n  |  ^")
    empty = Source("a", "")
    assert render_one(error(UNEXPECTED, Span(empty, 0, 0), "m")).endswith("1 |\n  | ^")
    ends = Source("a", "x\n")
    assert render_one(error(UNEXPECTED, Span(ends, 2, 2), "m")).endswith("2 |\n  | ^")
    over = Source("a", "ab\r\ncd\r\n")
    assert render_one(error(UNEXPECTED, Span(over, 1, 4), "m")).endswith("1 | ab\n  |  ^")


def test_wide_combining_and_control_characters() -> None:
    source = Source("a", "日本\te\u0301\x01x")
    found = render_one(error(UNEXPECTED, Span(source, 6, 7), "m", label="x"))
    assert found.splitlines()[-2:] == ["1 | 日本    e\u0301\ufffdx", "  |           ^ x"]
    found = render_one(error(UNEXPECTED, Span(source, 0, 2), "m", label="x"))
    assert found.splitlines()[-1] == "  | ^^^^ x"


def test_long_lines_are_cut_around_the_place() -> None:
    text = "x" * 300 + "HERE" + "y" * 300
    found = render_one(error(UNEXPECTED, Span(Source("a", text), 300, 304), "m", label="this"), width=60)
    rows = found.splitlines()
    assert rows[-2].startswith("1 | ...xxxx")
    assert rows[-2].endswith("...")
    assert all(len(row) <= 60 for row in rows)
    assert rows[-1].index("^^^^") == rows[-2].index("HERE")
    whole = render_one(error(UNEXPECTED, Span(Source("a", text), 0, 604), "m"), width=60)
    assert all(len(row) <= 64 for row in whole.splitlines())


def test_fix_titles_stand_in_for_missing_help() -> None:
    fix = Fix("insert `x`", (Edit(at("x"), "x"),))
    found = Diagnostic(UNEXPECTED, "m", Label(at("x")), fixes=(fix,))
    assert render_one(found).endswith("help: insert `x`")


def test_limit_and_summary() -> None:
    many = [error(UNEXPECTED, at("f"), f"number {i}") for i in range(62)]
    many.append(Diagnostic(LARGE_SCALE, "warn", Label(at("x"))))
    shown = render(many)
    assert shown.count("error[SL117]") == 50
    assert shown.endswith("and 13 more\n\n62 errors, 1 warning\n")
    assert render(many, limit=None).count("error[SL117]") == 62
    assert render([]) == "no problems found\n"
    assert summary([Diagnostic(NOT_CHECKED, "m")]) == "1 note"


def test_concise() -> None:
    found = [error(UNEXPECTED, at("y"), "two\nlines"), error(FILE_NOT_FOUND, None, "gone", place="b.steer")]
    assert render_concise(found) == (
        "specs/a.steer:3:3: error[SL117]: two lines\nb.steer: error[SL501]: gone\n2 errors\n"
    )


def test_colour_changes_nothing_but_colour() -> None:
    import re

    found = [error(UNEXPECTED, at("x"), "m", label="a", secondary=(Label(at("f"), "b"),), help="h", notes=("n",))]
    coloured = render(found, color=True)
    assert "\x1b[1;31m" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == render(found)
