"""Every exit code, each from a command line that gives it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pytest
from cli_support import FakeApi, FakeRun, Steer

from steerlang.api import SteerlangError
from steerlang.cli.exit_codes import ExitCode, gravest
from steerlang.cli.main import cli
from steerlang.diagnostics import codes, error
from steerlang.engine.errors import StoreFull

TABLE = [
    (("--help",), 0), (("--version",), 0), (("run", "--help"), 0),
    (("validate", "good.steer"), 0), (("check", "good.steer"), 0), (("validate", "good.steer", "bad.steer"), 1),
    (("validate", "none.steer"), 1), (("validate",), 2), (("validate", "good.steer", "--set", "limit"), 2),
    (("validate", "good.steer", "--set", "limit=11"), 1), (("validate", "good.steer", "--set", "limt=1"), 1),
    (("run", "good.steer"), 0), (("run", "good.steer", "--set", "limit=1"), 4), (("run", "bad.steer"), 1),
    (("run", "good.steer", "--device", "gpu"), 2), (("run", "good.steer", "--device", "cpu"), 0),
    (("run", "good.steer", "--target", "none"), 1), (("run", "good.steer", "--threads", "0"), 2),
    (("test", "good.steer"), 0), (("test", "good.steer", "bad.steer"), 1), (("test", "."), 1),
    (("test", "good.steer", "--set", "limit=1"), 4),
    (("plan", "good.steer"), 0), (("plan", "good.steer", "--detailed-exitcode"), 0), (("plan", "bad.steer"), 1),
    (("plan", "bad.steer", "--detailed-exitcode"), 1),
    (("fmt", "--check", "good.steer"), 0), (("fmt", "--check", "ugly.steer"), 1), (("fmt", "ugly.steer"), 0),
    (("fmt", "--diff", "ugly.steer"), 0), (("fmt", "none.steer"), 1),
    (("verify", "none"), 3), (("verify",), 2), (("diff", "none", "none"), 3), (("diff", "none"), 2),
    (("cache", "where"), 0), (("cache", "ls"), 0), (("cache", "verify"), 0), (("cache", "gc"), 0),
    (("cache", "gc", "--keep-days", "x"), 2), (("cache", "lss"), 2), (("cache",), 2),
    ((), 2), (("rnu",), 2), (("good.steer",), 2), (("run",), 2), (("run", "good.steer", "--frmat", "json"), 2),
    (("run", "-C", "none", "good.steer"), 2), (("-C", ".", "run", "good.steer"), 2),
    (("run", "good.steer", "--params", "none.yaml"), 2),
]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(("arguments", "code"), TABLE, ids=[" ".join(a) or "nothing" for a, _ in TABLE])
def test_exit_code(arguments: tuple[str, ...], code: int, steer: Steer) -> None:
    result = steer(*arguments)
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output


def _failing(found: Any, outcome: str) -> FakeApi:
    said = (error(found, None, "it went wrong"),)
    return FakeApi(lambda program, *a, **k: FakeRun(program, outcome, diagnostics=said))


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("verb", ["run", "test"])
@pytest.mark.parametrize(("found", "outcome", "code"), [
    (codes.OUT_OF_MEMORY, "failed", 3), (codes.NON_FINITE, "failed", 3), (codes.INTERNAL, "failed", 70),
    (codes.INTERRUPTED, "interrupted", 130),
])
def test_run_that_ends_badly(verb: str, found: Any, outcome: str, code: int, steer: Steer) -> None:
    for arguments in ((verb, "good.steer"), (verb, "good.steer", "--format", "json")):
        result = steer(*arguments, obj=_failing(found, outcome))
        assert result.exit_code == code
    assert json.loads(result.stdout)["exit_code"] == code


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(("raised", "code", "shown"), [
    (ValueError("what is this"), 70, "SL900"), (KeyboardInterrupt(), 130, "SL804"), (click.Abort(), 130, "SL804"),
    (OSError(28, "No space left on device"), 3, "SL511"), (PermissionError(13, "Permission denied", "x"), 3, "SL806"),
    (SteerlangError((error(codes.MISSING_EXTRA, None, "no torch"),)), 3, "SL512"), (StoreFull("full"), 3, "SL510"),
    (SteerlangError((error(codes.UNKNOWN_NAME, None, "no name"),)), 1, "SL201"), (OSError("odd"), 70, "SL900"),
    (RecursionError("maximum depth"), 70, "SL900"),
])
def test_exceptions(raised: BaseException, code: int, shown: str, steer: Steer) -> None:
    def run(*_: Any, **__: Any) -> Any:
        raise raised

    result = steer("run", "good.steer", obj=FakeApi(run))
    assert result.exit_code == code
    assert shown in result.stderr
    assert "Traceback" not in result.output
    loud = steer("run", "good.steer", "-vv", obj=FakeApi(run))
    assert "Traceback" in loud.stderr
    document = json.loads(steer("run", "good.steer", "--format", "json", obj=FakeApi(run)).stdout)
    assert document["exit_code"] == code
    assert document["diagnostics"][0]["code"] == shown
    assert "traceback" not in document


def test_tracebacks_of_failed_steps_only_when_asked(folder: Path, steer: Steer) -> None:
    fake = FakeApi(lambda program, *a, **k: FakeRun(program, "failed", traceback="Traceback: here\n"))
    assert "Traceback" not in steer("run", "good.steer", obj=fake).output
    assert "Traceback: here" in steer("run", "good.steer", "-vv", obj=fake).stderr


def test_work_to_do(folder: Path, steer: Steer) -> None:
    (folder / "words.txt").write_text("one\ntwo\n", encoding="utf-8")
    (folder / "data.steer").write_text('steerlang 1\ndata words = lines("words.txt")\n', encoding="utf-8")
    assert steer("plan", "data.steer").exit_code == 0
    assert steer("plan", "data.steer", "--detailed-exitcode").exit_code == 5
    assert steer("run", "data.steer").exit_code == 0
    assert steer("plan", "data.steer", "--detailed-exitcode").exit_code == 0
    assert steer("plan", "data.steer", "--force", "words", "--detailed-exitcode").exit_code == 5


def test_every_code_is_in_the_help(steer: Steer) -> None:
    text = " ".join(steer("--help").stdout.split())
    for code in ExitCode:
        assert f"{int(code)} {code.meaning}" in text
    assert {int(code) for code in ExitCode} == {0, 1, 2, 3, 4, 5, 70, 130}


def test_gravest() -> None:
    assert gravest([]) is ExitCode.OK
    assert gravest([ExitCode.OK, ExitCode.EXPECTATION_FAILED, ExitCode.RUN_FAILED]) is ExitCode.RUN_FAILED
    assert gravest([ExitCode.INVALID, ExitCode.INTERRUPTED]) is ExitCode.INTERRUPTED
    assert all(gravest([code]) is code for code in ExitCode)


def test_main_gives_its_code_without_exiting(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["validate", "bad.steer"], standalone_mode=False) == 1
    assert "SL201" in capsys.readouterr().out
