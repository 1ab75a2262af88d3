"""The action's steps run as a runner runs them; hooks and matcher fit what the command line does."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from steerlang.cli.main import cli

ROOT = Path(__file__).parents[2]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
HOOKS = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
GOOD = "steerlang 1\n\nexpect fine = 1 < 2\n"
BAD = "steerlang 1\n\nexpect fine = 1 < b\n"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A checkout with programs, and commands as the runner has them on its path."""
    place = tmp_path / "repository"
    (place / "specs").mkdir(parents=True)
    (place / "specs" / "good.steer").write_text(GOOD, encoding="utf-8")
    (place / "specs" / "bad.steer").write_text(BAD, encoding="utf-8")
    commands = tmp_path / "bin"
    commands.mkdir()
    for name, body in (
        ("steerlang", f'exec "{sys.executable}" -m steerlang "$@"'),
        ("python", 'printf "%s\\n" "$@" >"$RECORD"'),
    ):
        (commands / name).write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
        (commands / name).chmod(0o755)
    return place


def step(index: int, repository: Path, inputs: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """One step of the action with these inputs, in the environment that GitHub gives it."""
    given = {name: str(i.get("default", "")) for name, i in ACTION["inputs"].items()} | inputs
    found = ACTION["runs"]["steps"][index]
    context = {f"inputs.{k}": v for k, v in given.items()} | {"github.action_path": str(ROOT)}

    def filled(text: str) -> str:
        return re.sub(r"\$\{\{ ([\w.-]+) \}\}", lambda m: context[m.group(1)], text)

    files = repository.parent
    surroundings = {
        **os.environ, "PYTHONPATH": str(ROOT), "PATH": f"{files / 'bin'}:/usr/bin:/bin",
        "RECORD": str(files / "record"),
        "GITHUB_STEP_SUMMARY": str(files / "summary.md"), "GITHUB_OUTPUT": str(files / "output"),
        "GITHUB_WORKSPACE": str(repository), "STEERLANG_CACHE_DIR": str(files / "cache"),
        **{k: filled(v) for k, v in found["env"].items()},
    }  # fmt: skip
    folder = repository / filled(found.get("working-directory", "."))
    assert "${{" not in found["run"]  # inputs reach scripts as variables, never as text of the script
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", found["run"]],
        cwd=folder, env=surroundings, capture_output=True, text=True, check=False,
    )  # fmt: skip


def output(repository: Path) -> str:
    return (repository.parent / "output").read_text(encoding="utf-8")


def test_the_action_is_composite_and_documented() -> None:
    assert ACTION["runs"]["using"] == "composite"
    assert all(s["shell"] == "bash" for s in ACTION["runs"]["steps"])
    page = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
    assert all(f"| `{name}` |" in page for name in ACTION["inputs"])


def test_a_check_that_finds_errors(repository: Path) -> None:
    done = step(1, repository, {"working-directory": "specs"})
    assert done.returncode == 1
    assert "::error file=specs/bad.steer,line=3,endLine=3,col=19,endColumn=20,title=SL201 unknown-name::" in done.stdout
    assert output(repository) == "exit-code=1\n"
    summary = (repository.parent / "summary.md").read_text(encoding="utf-8")
    assert "SL201 unknown-name | bad.steer:3:19" in summary


def test_a_check_that_finds_nothing(repository: Path) -> None:
    done = step(1, repository, {"paths": "specs/good.steer", "command": "test --offline"})
    assert done.returncode == 0, done.stdout + done.stderr
    assert output(repository) == "exit-code=0\n"


def test_reports_in_files(repository: Path) -> None:
    done = step(1, repository, {"paths": "specs", "sarif-file": "found.sarif", "junit-file": "found.xml"})
    assert done.returncode == 1
    run = json.loads((repository / "found.sarif").read_text(encoding="utf-8"))["runs"][0]
    assert [r["ruleId"] for r in run["results"]] == ["SL201"]
    assert "<failure" in (repository / "found.xml").read_text(encoding="utf-8")


@pytest.mark.parametrize("paths", ["specs/good.steer; touch hacked", "$(touch hacked)", "`touch hacked`", "*.steer"])
def test_inputs_are_no_shell(paths: str, repository: Path) -> None:
    done = step(1, repository, {"paths": paths})
    assert done.returncode != 0
    assert not (repository / "hacked").exists()


@pytest.mark.parametrize(("inputs", "expected"), [
    ({}, str(ROOT)), ({"extras": "run"}, f"{ROOT}[run]"), ({"version": "1.2.0"}, "steerlang==1.2.0"),
    ({"version": ">=1,<2", "extras": "run"}, "steerlang[run]>=1,<2"),
])  # fmt: skip
def test_what_is_installed(inputs: dict[str, str], expected: str, repository: Path) -> None:
    assert step(0, repository, inputs).returncode == 0
    assert (repository.parent / "record").read_text(encoding="utf-8").splitlines()[-1] == expected


@pytest.mark.parametrize("hook", HOOKS, ids=lambda h: h["id"])
def test_hooks_are_commands(hook: dict[str, Any], repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository)
    name, *arguments = hook["entry"].split()
    assert name == "steerlang"
    assert hook["language"] == "python"
    files = ["specs/good.steer"] if hook.get("pass_filenames", True) else []
    assert CliRunner().invoke(cli, [*arguments, *files]).exit_code == 0
    if files:
        assert re.search(hook["files"], files[0])
        assert not re.search(hook["files"], "specs/good.steer.lock")


def test_hooks_get_programs_that_they_take(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository)
    CliRunner().invoke(cli, ["convert", "specs/good.steer", "--to", "yaml", "-o", "specs/other.steer.yaml"])
    for hook in (h for h in HOOKS if h.get("pass_filenames", True)):
        if re.search(hook["files"], "specs/other.steer.yaml"):
            assert CliRunner().invoke(cli, [*hook["entry"].split()[1:], "specs/other.steer.yaml"]).exit_code == 0
    assert [h["id"] for h in HOOKS if re.search(h.get("files", ""), "specs/other.steer.yaml")] == [
        "steerlang-validate", "steerlang-lock-check",
    ]


def test_the_matcher_reads_concise_lines(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository)
    matcher = json.loads((ROOT / ".github" / "problem-matcher.json").read_text(encoding="utf-8"))
    pattern = matcher["problemMatcher"][0]["pattern"][0]
    lines = CliRunner().invoke(cli, ["validate", "specs", "--format", "concise"]).stdout.splitlines()
    found = [m for line in lines if (m := re.search(pattern["regexp"], line))]
    assert len(found) == 1
    parts = {name: found[0].group(index) for name, index in pattern.items() if name != "regexp"}
    assert parts == {"file": "specs/bad.steer", "line": "3", "column": "19", "severity": "error", "code": "SL201",
                     "message": "nothing is defined under the name `b`"}


def test_the_workflow_on_the_page_fits_the_action() -> None:
    page = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
    blocks = [yaml.safe_load(b) for b in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)]
    configuration, workflow, gitlab = blocks
    assert {h["id"] for h in configuration["repos"][0]["hooks"]} == {h["id"] for h in HOOKS}
    steps = workflow["jobs"]["steer"]["steps"]
    assert set(steps[-1]["with"]) <= set(ACTION["inputs"])
    report = gitlab["steer"]["artifacts"]["reports"]["codequality"]
    assert any(line.endswith(f"--format gitlab --output-file {report}") for line in gitlab["steer"]["script"])
