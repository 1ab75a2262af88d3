"""Annotations: escaping, GitHub's limits, the step's summary."""

from __future__ import annotations

import re

from steerlang.diagnostics.codes import FILE_NOT_FOUND, LARGE_SCALE, NOT_CHECKED, UNEXPECTED
from steerlang.diagnostics.github import command, render_github, step_summary
from steerlang.diagnostics.model import Diagnostic, Label, error
from steerlang.source import Source, Span

SOURCE = Source("specs/a, b:c.steer", "steerlang 1\nlet a = (1,\n  2)\n")


def many(count: int, code: object = UNEXPECTED) -> list[Diagnostic]:
    return [Diagnostic(code, f"message {i}", Label(Span(SOURCE, 12, 15))) for i in range(count)]  # type: ignore[arg-type]


def unescaped(text: str) -> str:
    """As the runner reads a command's data and properties."""
    for written, meant in (("%3A", ":"), ("%2C", ","), ("%0A", "\n"), ("%0D", "\r"), ("%25", "%")):
        text = text.replace(written, meant)
    return text


def test_a_command() -> None:
    found = error(UNEXPECTED, Span(SOURCE, 16, 17), "100 % wrong:\na, b", label="here", help="mend it")
    line = command(found)
    assert line == (
        "::error file=specs/a%2C b%3Ac.steer,line=2,endLine=2,col=5,endColumn=6,title=SL117 unexpected-token"
        "::100 %25 wrong:%0Aa, b%0Ahere%0Ahelp: mend it"
    )
    head, data = re.fullmatch(r"::error (.*?)::(.*)", line).groups()  # type: ignore[union-attr]
    properties = dict(part.split("=", 1) for part in head.split(","))
    assert unescaped(properties["file"]) == SOURCE.name
    assert unescaped(data) == "100 % wrong:\na, b\nhere\nhelp: mend it"


def test_places_of_several_lines_have_no_columns() -> None:
    line = command(error(UNEXPECTED, Span(SOURCE, 20, 27), "m"))
    assert "line=2,endLine=3,title=" in line
    assert "col=" not in line


def test_without_a_place_and_below_a_folder() -> None:
    without = command(error(FILE_NOT_FOUND, None, "m", place="--params x"))
    assert without == "::error title=SL501 file-not-found::--params x: m"
    assert "file=sub/x.steer," in command(error(UNEXPECTED, Span(Source("./x.steer", "a"), 0, 1), "m"), "sub")


def test_severities() -> None:
    found = [*many(1), *many(1, LARGE_SCALE), *many(1, NOT_CHECKED)]
    assert [line.split()[0] for line in render_github(found).splitlines()[:3]] == ["::error", "::warning", "::notice"]


def test_limits_and_the_true_total() -> None:
    found = [*many(3, NOT_CHECKED), *many(12, LARGE_SCALE), *many(25)]
    lines = render_github(found).splitlines()
    counts = {name: sum(line.startswith(f"::{name} ") for line in lines) for name in ("error", "warning", "notice")}
    assert counts == {"error": 10, "warning": 10, "notice": 3}
    assert "17 more, for which GitHub has no room as annotations:" in lines
    assert sum("[SL117]" in line for line in lines) == 15
    assert lines[-1] == "25 errors, 12 warnings, 3 notes"


def test_a_plain_line_is_never_a_command() -> None:
    odd = Source("::error file=x::y", "a")
    found = [error(UNEXPECTED, Span(odd, 0, 1), "m")] * 11
    commands = [line for line in render_github(found).splitlines() if line.startswith("::")]
    assert len(commands) == 10


def test_the_summary() -> None:
    odd = error(FILE_NOT_FOUND, None, "a | b <script> `<x>`\nc", place="p|q")
    text = step_summary([*many(2, LARGE_SCALE), odd], "steerlang validate")
    assert text.startswith("### steerlang validate: 1 error, 2 warnings\n\n| | code | where | what |\n")
    rows = [line for line in text.splitlines() if line.startswith(("| error", "| warning"))]
    assert rows[0] == "| error | SL501 file-not-found | p\\|q | a \\| b &lt;script&gt; `<x>` c |"
    assert len(rows) == 3
    assert step_summary([]) == "### steerlang: no problems found\n\n"
