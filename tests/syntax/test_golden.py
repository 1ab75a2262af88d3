"""Programs with mistakes and what is said about them, programs and how `fmt` lays them out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from steerlang.diagnostics.codes import all_codes
from steerlang.diagnostics.text import render
from steerlang.source import Source
from steerlang.syntax import parse
from steerlang.syntax.printing import format_source
from steerlang.syntax.reading import read_source

from .golden import cases, compare

#: Codes of files that cannot be read at all, which `test_reading.py` has, and of the YAML form (`test_forms.py`).
WITHOUT_PROGRAM = {"SL112", "SL115", "SL118"}


@pytest.mark.parametrize("case", cases("errors"), ids=lambda path: path.stem)
def test_errors(case: Path) -> None:
    source, found = read_source(case, case.name)
    assert source is not None, found
    _, diagnostics = parse(source)
    compare(render(diagnostics, limit=None), case.with_suffix(".expected"))
    assert format_source(source)[0] is None


@pytest.mark.parametrize("case", cases("fmt"), ids=lambda path: path.stem)
def test_fmt(case: Path) -> None:
    source, _ = read_source(case, case.name)
    assert source is not None
    formatted, diagnostics = format_source(source)
    assert not diagnostics
    assert formatted is not None
    compare(formatted, case.with_suffix(".expected"))
    assert format_source(Source("again", formatted))[0] == formatted


def test_every_syntax_code_has_a_case() -> None:
    syntax = {code for code in all_codes() if code.startswith("SL1")} | {"SL621", "SL204"}
    shown = "".join(path.with_suffix(".expected").read_text(encoding="utf-8") for path in cases("errors"))
    assert syntax - set(re.findall(r"\[(SL\d+)\]", shown)) == WITHOUT_PROGRAM


def test_every_mistake_in_a_file_is_reported() -> None:
    source, _ = read_source(cases("errors")[0].with_name("several.steer"), "several.steer")
    assert source is not None
    program, diagnostics = parse(source)
    assert [d.primary.span.first.line for d in diagnostics if d.primary] == [4, 5, 5, 6, 7, 7, 8, 10]
    assert [definition.name.id for definition in program.definitions] == [
        "base", "manners", "polite", "kind", "replies", "politeness", "kinder", "page",
    ]


def test_every_syntax_error_says_how_to_mend_it() -> None:
    for case in cases("errors"):
        source, _ = read_source(case, case.name)
        assert source is not None
        for diagnostic in parse(source)[1]:
            label = diagnostic.primary.message if diagnostic.primary else ""
            assert diagnostic.help or label.startswith("expected"), (case.name, diagnostic.message)
