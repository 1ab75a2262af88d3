"""The page on the YAML and JSON form: its program is valid, the message comes as shown, the Python writes a program."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from steerlang import api
from steerlang.diagnostics.text import render

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "yaml.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    return found.group(1)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with the models and data that the page names."""
    for name in ("models", "data"):
        (tmp_path / name).symlink_to(ROOT / "specs" / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def errors(path: str) -> list[str]:
    found = api.check(path, settings=api.Settings(offline=True)).diagnostics
    return [d.code.id for d in found if d.is_error and d.code.id != "SL502"]  # links lead out of the project here


def test_the_program_is_valid(place: Path) -> None:
    (place / "kind.steer.yaml").write_text(block("yaml"), encoding="utf-8")
    assert errors("kind.steer.yaml") == []


def test_the_message_is_as_shown(place: Path) -> None:
    text = block("yaml").replace("rotate: [polite]", "rotate: [polit]")
    (place / "kind.steer.yaml").write_text(text, encoding="utf-8")
    found = [d for d in api.check("kind.steer.yaml").diagnostics if d.code.id == "SL201"]
    command, shown = block("console").split("\n", 1)
    assert command == "$ steerlang validate kind.steer.yaml"
    assert render(found, width=100) == shown


def test_the_python_writes_a_program(place: Path) -> None:
    exec(compile(block("python"), "yaml.md", "exec"), {})
    assert set(json.loads((place / "vectors.steer.json").read_text(encoding="utf-8"))["definitions"]) > {"at_3"}
    assert errors("vectors.steer.json") == []
