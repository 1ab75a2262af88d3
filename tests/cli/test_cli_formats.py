"""The formats that CI reads, of every verb that has them, also when the command line itself is wrong."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from cli_support import Steer

COMMANDS = [
    ("validate", "."), ("validate", "good.steer"), ("validate", "none.steer"), ("validate",), ("plan", "good.steer"),
    ("plan", "bad.steer"), ("run", "good.steer"), ("run", "good.steer", "--set", "limit=1"), ("run", "bad.steer"),
    ("test", "."), ("fmt", "--check", "."), ("lock", "--check", "good.steer"), ("run", "--nope"), ("rnu",),
]
each = pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)


@pytest.mark.usefixtures("folder")
@each
def test_sarif_is_one_document(arguments: tuple[str, ...], steer: Steer) -> None:
    result = steer(*arguments, "--format", "sarif")
    run = json.loads(result.stdout)["runs"][0]
    assert run["invocations"][0]["exitCode"] == result.exit_code
    assert bool(run["results"]) == (result.exit_code != 0)


@pytest.mark.usefixtures("folder")
@each
def test_junit_is_one_document(arguments: tuple[str, ...], steer: Steer) -> None:
    result = steer(*arguments, "--format", "junit")
    root = ElementTree.fromstring(result.stdout)
    wrong = int(root.attrib["failures"]) + int(root.attrib["errors"])
    assert bool(wrong) == (result.exit_code != 0)
    assert int(root.attrib["tests"]) == len(root.findall("testsuite/testcase"))


@pytest.mark.usefixtures("folder")
@each
def test_github_annotates_every_error(arguments: tuple[str, ...], steer: Steer) -> None:
    result = steer(*arguments, "--format", "github")
    commands = [line for line in result.stdout.splitlines() if line.startswith("::error ")]
    assert bool(commands) == (result.exit_code != 0)


@pytest.mark.usefixtures("folder")
@each
def test_concise_lines(arguments: tuple[str, ...], steer: Steer) -> None:
    result = steer(*arguments, "--format", "concise")
    lines = [line for line in result.output.splitlines() if re.match(r"\S+.*: (error|warning|note)\[SL\d{3}\]: ", line)]
    told_otherwise = result.exit_code == 4 or arguments[0] == "fmt"  # among the results
    assert bool(lines) == (result.exit_code != 0 and not told_otherwise) or arguments[0] in ("test", "fmt")


@pytest.mark.usefixtures("folder")
def test_each_expectation_is_a_test(steer: Steer) -> None:
    root = ElementTree.fromstring(steer("run", "good.steer", "--set", "limit=1", "--format", "junit").stdout)
    names = {c.attrib["name"]: c.find("failure") for c in root.findall("testsuite/testcase")}
    assert list(names) == ["run", "small"]
    assert names["run"] is None
    assert names["small"] is not None
    assert names["small"].attrib["type"] == "SL803"


@pytest.mark.usefixtures("folder")
def test_the_step_summary_and_the_repository(
    steer: Steer, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    monkeypatch.setenv("GITHUB_WORKSPACE", str(folder.parent))
    result = steer("validate", "bad.steer", "--format", "github")
    assert f"file={folder.name}/bad.steer," in result.stdout
    steer("fmt", "--check", ".", "--format", "github")
    summary = (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert "### steerlang validate: 1 error" in summary
    assert "### steerlang fmt: " in summary
    assert "SL546 not-formatted" in summary


@pytest.mark.usefixtures("folder")
def test_what_a_run_prints_is_not_read_as_commands(steer: Steer, folder: Path) -> None:
    text = 'steerlang 1\nlet a = 1\nexpect fine = a < 2\n'
    (folder / "odd.steer").write_text(text, encoding="utf-8")
    lines = steer("run", "odd.steer", "--format", "github").stdout.splitlines()
    stop = next(i for i, line in enumerate(lines) if line.startswith("::stop-commands::"))
    token = lines[stop].removeprefix("::stop-commands::")
    assert len(token) >= 32
    assert f"::{token}::" in lines[stop + 2 :]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("form", ["json", "gitlab", "sarif", "junit"])
@pytest.mark.parametrize("program", ["bad.steer", "good.steer", "none.steer"])
@pytest.mark.parametrize("verb", ["validate", "run"])
def test_a_document_in_a_file_and_text_on_the_terminal(form: str, program: str, verb: str, steer: Steer) -> None:
    expected = steer(verb, program, "--format", form)
    result = steer(verb, program, "--format", form, "--output-file", "found")
    assert result.exit_code == expected.exit_code
    shown = steer(verb, program)
    assert _without_seconds(result.stdout) == _without_seconds(shown.stdout)
    assert _without_seconds(Path("found").read_text(encoding="utf-8")) == _without_seconds(expected.stdout)


def _without_seconds(text: str) -> str:
    return re.sub(r"\d+\.\d+ s|\"seconds\": [\d.e-]+|time=\"[\d.]+\"", "", text)


@pytest.mark.usefixtures("folder")
def test_a_file_that_cannot_be_written(steer: Steer) -> None:
    result = steer("validate", "good.steer", "--format", "sarif", "--output-file", "none/found.sarif")
    assert result.exit_code == 3
    assert "no such file or directory" in result.stderr


@pytest.mark.usefixtures("folder")
def test_the_file_of_a_usage_error(steer: Steer) -> None:
    assert steer("run", "--nope", "--format", "json", "--output-file", "found").exit_code == 2
    assert json.loads(Path("found").read_text(encoding="utf-8"))["diagnostics"][0]["code"] == "SL631"


@pytest.mark.parametrize("form", ["github", "gitlab", "sarif", "junit", "concise", "jsonl"])
def test_nothing_heavy_is_loaded(form: str, folder: Path) -> None:
    code = (
        "import sys\nfrom steerlang.cli.main import cli\n"
        f"cli.main(['validate', '.', '--format', '{form}'], standalone_mode=False)\n"
        "print(sorted({'torch', 'numpy', 'transformers'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=folder, check=False)
    assert done.stderr.strip() == "[]"
