"""Command lines in this process, and programs to run them on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from cli_support import BAD, GOOD, UGLY, Steer
from click.testing import CliRunner, Result

from steerlang.cli.main import cli


@pytest.fixture(autouse=True)
def _quiet_surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No settings of whoever runs the tests, and a store of its own for each test."""
    for name in ("NO_COLOR", "FORCE_COLOR", "STEERLANG_COLOR", "STEERLANG_OFFLINE", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("STEERLANG_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with `good.steer`, `bad.steer` and `ugly.steer`."""
    place = tmp_path / "work"
    place.mkdir()
    for name, text in (("good", GOOD), ("bad", BAD), ("ugly", UGLY)):
        (place / f"{name}.steer").write_text(text, encoding="utf-8")
    monkeypatch.chdir(place)
    return place


@pytest.fixture
def steer() -> Steer:
    """Runs one command line: `steer("run", "good.steer")`."""

    def run(*arguments: str, input: str | bytes | None = None, obj: Any = None) -> Result:
        before = os.getcwd()
        result = CliRunner().invoke(cli, list(arguments), input=input, obj=obj)
        assert os.getcwd() == before
        return result

    return run
