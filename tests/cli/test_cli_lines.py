"""`--format jsonl` and `--format gitlab`: of the published schemas, whatever happens, and saying what `json` says."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from cli_support import FakeApi, FakeRun, Steer
from test_cli_formats import COMMANDS

from steerlang.engine.events import DiagnosticEvent, PlanMade

SCHEMAS = Path(__file__).parents[2] / "grammar" / "schemas"
EVENTS, GITLAB = (
    jsonschema.Draft202012Validator(json.loads((SCHEMAS / f"{name}.v1.json").read_text(encoding="utf-8")))
    for name in ("events", "gitlab")
)
each = pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)


def lines(text: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in text.splitlines()]
    for line in found:
        EVENTS.validate(line)
    return found


def told(line: dict[str, Any]) -> tuple[str, str, str]:
    diagnostic = line.get("diagnostic", line)
    return diagnostic["code"], diagnostic["message"], diagnostic["file"]


@pytest.mark.usefixtures("folder")
@each
def test_lines_say_what_the_document_says(arguments: tuple[str, ...], steer: Steer) -> None:
    result = steer(*arguments, "--format", "jsonl")
    found = lines(result.stdout)
    end = found[-1]
    assert [line["type"] for line in found].count("end") == 1
    assert (end["type"], end["exit_code"]) == ("end", result.exit_code)
    document = json.loads(steer(*arguments, "--format", "json").stdout)
    diagnostics = [told(line) for line in found if line["type"] == "diagnostic"]
    if "--check" not in arguments:  # files that are not in the layout are no diagnostics of the document
        assert diagnostics == [told(d) for d in document["diagnostics"]]
        assert (end["errors"], end["warnings"]) == (document["error_count"], document["warning_count"])
    assert bool(end["errors"]) == (result.exit_code != 0)


@pytest.mark.usefixtures("folder")
@each
def test_a_report_for_gitlab_is_one_array(arguments: tuple[str, ...], steer: Steer) -> None:
    result = steer(*arguments, "--format", "gitlab")
    found = json.loads(result.stdout)
    GITLAB.validate(found)
    assert bool(found) == (result.exit_code != 0)
    assert len({issue["fingerprint"] for issue in found}) == len(found)


@pytest.mark.usefixtures("folder")
def test_a_run_tells_its_events_once(steer: Steer) -> None:
    found = lines(steer("run", "good.steer", "--set", "limit=1", "--format", "jsonl").stdout)
    kinds = [line["type"] for line in found]
    assert kinds[0] == "version"
    assert kinds[-2:] == ["summary", "end"]
    assert kinds.count("diagnostic") == kinds.count("expectation") == 1
    several = lines(steer("test", ".", "--format", "jsonl").stdout)
    assert [line["type"] for line in several].count("version") == 2  # bad.steer is not run


@pytest.mark.usefixtures("folder")
def test_lines_are_written_when_they_happen(steer: Steer) -> None:
    seen: list[str] = []

    def run(program: Any, targets: Any, force: Any, sink: Any, keep_going: bool) -> FakeRun:
        sink.emit(PlanMade(run=1, cached=0, steps=1))
        seen.append(sys.stdout.getvalue() if isinstance(sys.stdout, io.StringIO) else written())
        return FakeRun(program)

    def written() -> str:
        sys.stdout.flush()
        return sys.stdout.buffer.getvalue().decode()  # type: ignore[attr-defined]

    steer("run", "good.steer", "--format", "jsonl", obj=FakeApi(run))
    assert json.loads(seen[0].splitlines()[-1])["type"] == "plan"


@pytest.mark.usefixtures("folder")
def test_lines_in_a_file_and_text_on_the_terminal(steer: Steer) -> None:
    result = steer("run", "good.steer", "--format", "jsonl", "--output-file", "lines.jsonl")
    assert "expectations" in result.stdout
    assert lines(Path("lines.jsonl").read_text(encoding="utf-8"))[-1]["type"] == "end"


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("form", ["json", "jsonl", "gitlab", "sarif", "junit"])
def test_events_do_not_mix_with_documents(form: str, steer: Steer) -> None:
    result = steer("run", "good.steer", "--format", form, "--events", "-")
    assert result.exit_code == 2
    assert f"--format {form}" in result.stdout
    steer("run", "good.steer", "--format", form, "--output-file", "found", "--events", "-")
    assert Path("found").read_text(encoding="utf-8")


@pytest.mark.usefixtures("folder")
def test_a_bug_shows_its_traceback_on_request(steer: Steer) -> None:
    def run(*_: Any, **__: Any) -> FakeRun:
        raise ZeroDivisionError("oh")

    found = lines(steer("run", "good.steer", "--format", "jsonl", "-vv", obj=FakeApi(run)).stdout)
    assert found[-1]["exit_code"] == 70
    assert "ZeroDivisionError" in found[-1]["traceback"]


def test_paths_start_at_the_repository(steer: Steer, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def path(*arguments: str) -> str:
        issue = json.loads(steer("validate", *arguments, "--format", "gitlab").stdout)[0]
        assert issue["location"]["lines"]["begin"] == 2
        return str(issue["location"]["path"])

    assert path("./bad.steer") == path(str(folder / "bad.steer")) == "bad.steer"
    monkeypatch.setenv("CI_PROJECT_DIR", str(folder.parent))
    assert path("bad.steer") == path(str(folder / "bad.steer")) == f"{folder.name}/bad.steer"


@pytest.mark.usefixtures("folder")
def test_fingerprints_stay_when_lines_move(steer: Steer) -> None:
    def marks() -> list[str]:
        found = json.loads(steer("validate", "two.steer", "--format", "gitlab").stdout)
        return sorted(issue["fingerprint"] for issue in found)

    text = "steerlang 1\nexpect small = 2 < limt\nexpect large = 2 < lmit\n"
    Path("two.steer").write_text(text, encoding="utf-8")
    before = marks()
    Path("two.steer").write_text(text.replace("steerlang 1\n", "steerlang 1\n\n# words\nlet a = 1\n"), encoding="utf-8")
    assert len(set(before)) == 2
    assert marks() == before


def test_severities_and_categories(steer: Steer, folder: Path) -> None:
    (folder / "w.steer").write_text("steerlang 1\nlet a = 1\nlet b = 2\nexpect fine = a < 2\n", encoding="utf-8")
    found = json.loads(steer("validate", "w.steer", "bad.steer", "--format", "gitlab").stdout)
    assert {i["check_name"]: i["severity"] for i in found} == {"SL209": "minor", "SL201": "critical"}
    layout = json.loads(steer("fmt", "--check", "ugly.steer", "--format", "gitlab").stdout)
    assert [i["categories"] for i in layout] == [["Style"]]


def test_nothing_is_buffered_to_the_end(folder: Path) -> None:
    """A reader of the pipe sees the first line while the program still waits for its input."""
    command = [sys.executable, "-c", "from steerlang.cli.main import entry; entry()",
               "run", "good.steer", "--format", "jsonl"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        assert first["type"] == "version"
        assert first["ts"].startswith(time.strftime("%Y", time.gmtime()))
        process.communicate()
    assert process.returncode == 0


def test_diagnostics_of_a_run_are_told_by_its_own_event(steer: Steer, folder: Path) -> None:
    """What the sink was given is not told again at the end."""
    program = folder / "good.steer"

    def run(loaded: Any, targets: Any, force: Any, sink: Any, keep_going: bool) -> FakeRun:
        warning = next(d for d in _warnings(loaded))
        sink.emit(DiagnosticEvent(diagnostic=warning))
        return FakeRun(loaded, diagnostics=(warning,))

    program.write_text("steerlang 1\nlet a = 1\nlet b = 2\nexpect fine = a < 2\n", encoding="utf-8")
    found = lines(steer("run", "good.steer", "--format", "jsonl", obj=FakeApi(run)).stdout)
    assert [line["type"] for line in found] == ["diagnostic", "end"]


def _warnings(loaded: Any) -> list[Any]:
    return [d for d in loaded.compiled.diagnostics if d.code.id == "SL209"]


# ---- standard input --------------------------------------------------------------------------------------------------

YAML = "# words\n---\nsteerlang: 1\ndefinitions:\n  fine: {expect: 1 < 2}\n"
JSON = '{"steerlang": 1, "definitions": {"fine": {"expect": "1 < b"}}}'


@pytest.mark.usefixtures("folder")
def test_standard_input_in_any_form(steer: Steer) -> None:
    assert steer("validate", "-", input=YAML).exit_code == 0
    assert steer("validate", "-", "--from", "yaml", input=YAML).exit_code == 0
    assert steer("validate", "-", "--from", "steer", input=YAML).exit_code == 1
    wrong = steer("validate", "-", "--format", "concise", input=JSON)
    assert wrong.stdout.startswith("<stdin>:1:58: error[SL201]"), wrong.stdout
    assert steer("convert", "-", "--to", "steer", input=YAML).stdout == "steerlang 1\nexpect fine = 1 < 2\n"
    assert steer("migrate", "-", input=JSON).exit_code == 0


@pytest.mark.parametrize(("text", "form"), [
    ("", "steer"), ("steerlang 1\n", "steer"), ("# a: b\nsteerlang 1\n", "steer"), ("let a = 1\n", "steer"),
    ("steerlang: 1\n", "yaml"), ("---\nsteerlang: 1\n", "yaml"), ("%YAML 1.2\n---\nsteerlang : 1", "yaml"),
    ('"steerlang": 1\n', "yaml"), ("\n\n  {\n", "json"), ("definitions:\n  a: 1\n", "yaml"), ("a:b", "steer"),
])  # fmt: skip
def test_the_form_of_a_text(text: str, form: str) -> None:
    from steerlang.syntax.endings import form_in

    assert form_in(text) == form
