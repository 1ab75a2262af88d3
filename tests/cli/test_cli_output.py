"""What goes where: exactly one JSON document on stdout, results apart from commentary, colours only when wanted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cli_support import FakeApi, Steer

COMMANDS = [
    ("validate", "good.steer"), ("validate", "bad.steer"), ("validate", "none.steer"), ("validate",),
    ("plan", "good.steer"), ("plan", "bad.steer"), ("run", "good.steer"), ("run", "bad.steer"), ("run", "none.steer"),
    ("run", "good.steer", "--set", "limit=1"), ("run", "good.steer", "--frmat", "x"),
    ("run", "good.steer", "--set", "x"),
    ("run", "good.steer", "--threads", "none"), ("run", "good.steer", "--events", "-"),
    ("test", "good.steer"), ("test", "."), ("fmt", "--check", "ugly.steer"), ("fmt", "--diff", "ugly.steer"),
    ("fmt", "bad.steer"), ("cache", "ls"), ("cache", "verify"), ("cache", "gc"), ("cache", "where"), ("cache", "lss"),
    ("cache",), ("doctor",), ("rnu",),
]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_json_is_one_document(arguments: tuple[str, ...], steer: Steer) -> None:
    result = steer(*arguments, "--format", "json")
    document = json.loads(result.stdout)
    assert document["format"].startswith("steerlang.")
    assert document["format_version"] == "1.0"
    assert document["tool"]["name"] == "steerlang"
    assert document["exit_code"] == result.exit_code
    assert document["error_count"] == sum(d["severity"] == "error" for d in document["diagnostics"])
    assert (result.exit_code in (1, 2)) <= (not document["valid"] or document["format"] == "steerlang.fmt")


@pytest.mark.parametrize("spelling", [("--format", "json"), ("--format=json",)])
def test_usage_errors_are_json_wherever_the_option_stands(spelling: tuple[str, ...], steer: Steer) -> None:
    for arguments in ((*spelling, "run", "x.steer"), ("run", "--nope", *spelling), ("nope", *spelling)):
        result = steer(*arguments)
        assert result.exit_code == 2
        assert json.loads(result.stdout)["diagnostics"][0]["code"] == "SL631"


@pytest.mark.usefixtures("folder")
def test_no_numbers_that_json_lacks(steer: Steer) -> None:
    from steerlang.cli.views.json import finite

    assert finite({"a": [float("nan"), (float("inf"), 1.5)]}) == {"a": ["nan", ["inf", 1.5]]}


@pytest.mark.usefixtures("folder")
def test_diagnostics_of_validate_are_the_result(steer: Steer) -> None:
    result = steer("validate", "bad.steer")
    assert "SL201" in result.stdout
    assert result.stderr == ""


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("verb", ["run", "plan", "fmt", "test"])
def test_diagnostics_of_other_verbs_are_commentary(verb: str, steer: Steer, folder: Path) -> None:
    (folder / "broken.steer").write_text("steerlang 1\nlet a = \n", encoding="utf-8")
    result = steer(verb, "broken.steer")
    assert "SL103" in result.stderr
    assert "SL103" not in result.stdout


@pytest.mark.usefixtures("folder")
def test_results_on_stdout_progress_on_stderr(steer: Steer) -> None:
    result = steer("run", "good.steer")
    assert "small" in result.stdout
    assert "nothing to do" in result.stderr
    assert "nothing to do" not in result.stdout
    assert steer("run", "good.steer", "-q").stderr == ""


@pytest.mark.usefixtures("folder")
def test_color(steer: Steer, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b[" not in steer("validate", "bad.steer").stdout
    assert "\x1b[" in steer("validate", "bad.steer", "--color", "always").stdout
    assert "\x1b[" in steer("rnu", "--color", "always").stderr
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[" in steer("validate", "bad.steer").stdout
    assert "\x1b[" not in steer("validate", "bad.steer", "--color", "never").stdout
    assert "\x1b[" not in steer("validate", "bad.steer", "--format", "json").stdout


def test_when_color_is_wanted() -> None:
    from steerlang.cli.streams import wants_color

    class Terminal:
        def isatty(self) -> bool:
            return True

    terminal: Any = Terminal()
    assert wants_color("auto", terminal, {})
    assert not wants_color("auto", terminal, {"NO_COLOR": "1"})
    assert wants_color("auto", terminal, {"NO_COLOR": ""})
    assert not wants_color("auto", terminal, {"TERM": "dumb"})
    assert wants_color("auto", terminal, {"FORCE_COLOR": "1", "NO_COLOR": "1"})
    assert not wants_color("never", terminal, {"FORCE_COLOR": "1"})
    assert wants_color("always", None, {"NO_COLOR": "1"})
    assert not wants_color("auto", None, {})


@pytest.mark.usefixtures("folder")
def test_suggestions(steer: Steer) -> None:
    assert "did you mean `run`" in steer("rnu").stderr
    assert "did you mean `validate`" in steer("vaildate").stderr
    assert "did you mean `--format`" in steer("run", "--frmat").stderr
    assert "did you mean `ls`" in steer("cache", "lss").stderr
    assert "steerlang run good.steer" in steer("good.steer").stderr
    assert "after the verb" in steer("--format", "json", "run").stdout
    assert "no option `--detail`" in steer("plan", "good.steer", "--detail").stderr  # options are never abbreviated


@pytest.mark.usefixtures("folder")
def test_events(steer: Steer, folder: Path) -> None:
    result = steer("run", "good.steer", "--events", "-")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert lines[0]["type"] == "version"
    assert lines[-1]["type"] == "summary"
    assert "expectations" in result.stderr
    assert steer("run", "good.steer", "--events", "events.jsonl", "--format", "json").exit_code == 0
    written = (folder / "events.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["type"] for line in written] == [line["type"] for line in lines]
    assert steer("run", "good.steer", "--events", "none/events.jsonl").exit_code == 2


@pytest.mark.usefixtures("folder")
def test_only_the_command_line_allows_remote_code(steer: Steer) -> None:
    seen = []

    class Watching(FakeApi):
        def load(self, path: Any, parameters: Any = None, settings: Any = None) -> Any:
            seen.append(settings)
            return super().load(path, parameters, settings)

    api = Watching(lambda *a, **k: None)
    steer("plan", "good.steer", obj=api)
    options = ("--trust-remote-code", "--offline", "--locked", "--device", "cpu", "--threads", "3")
    steer("plan", "good.steer", *options, obj=api)
    assert [s.trust_remote_code for s in seen] == [False, True]
    assert (seen[1].offline, seen[1].locked, seen[1].device, seen[1].threads) == (True, True, "cpu", 3)
    assert (seen[0].offline, seen[0].locked, seen[0].device, seen[0].threads) == (False, False, "auto", None)
