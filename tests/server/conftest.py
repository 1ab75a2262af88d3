"""One server for a whole file of tests; each test opens programs of its own."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("pygls")

from .editor import SPECS, Editor


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the programs, data and small models of `specs/`."""
    folder = tmp_path_factory.mktemp("project").resolve()
    for name in ("common.steer", "two_vectors.steer", "quickstart.steer"):
        shutil.copy(SPECS / name, folder / name)
    shutil.copytree(SPECS / "data", folder / "data", ignore=shutil.ignore_patterns("glyphs", "vectors"))
    (folder / "models").mkdir()
    for name in ("courtesy", "courtesy-formal"):
        shutil.copytree(SPECS / "models" / name, folder / "models" / name)
    (folder / "pyproject.toml").write_text("", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def editor(project: Path) -> Iterator[Editor]:
    made = Editor(project)
    yield made
    assert made.logged == [], "the server met errors"
    assert made.close() == 0


Open = Callable[[str], str]


@pytest.fixture
def fresh(editor: Editor) -> Iterator[Callable[[str], str]]:
    """Opens a text as a new file; gives its address."""
    uris: list[str] = []

    def opened(text: str) -> str:
        uris.append(editor.open(f"fresh_{len(uris)}.steer", text))
        return uris[-1]

    yield opened
    for uri in uris:
        editor.shut(uri)
