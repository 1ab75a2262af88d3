"""Folders of models and a Hugging Face cache to look at."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from model_files import write

from steerlang.graph.facts import DiskFacts, ModelReference


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "pyproject.toml").touch()
    return folder


@pytest.fixture
def folder(project: Path) -> Callable[..., Path]:
    """A whole model folder; each file can be replaced (text, bytes or JSON) or left out (None)."""

    def make(name: str = "models/tiny", **files: object) -> Path:
        path = project / name
        path.mkdir(parents=True, exist_ok=True)
        write(path, files)
        return path

    return make


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"HF_HOME": str(tmp_path / "hf"), "HOME": str(tmp_path)}


@pytest.fixture
def facts(environment: dict[str, str]) -> DiskFacts:
    return DiskFacts(environment=environment)


@pytest.fixture
def ask(project: Path, environment: dict[str, str]) -> Callable[..., object]:
    """What a fresh look finds of a model."""

    def ask(id: str = "models/tiny", **options: object) -> object:
        reference = ModelReference(id, base_folder=str(project), **options)
        return DiskFacts(environment=environment).model(reference)

    return ask


@pytest.fixture
def cached(environment: dict[str, str]) -> Callable[..., Path]:
    """A snapshot in the Hugging Face cache, with files as links to blobs."""

    def make(id: str = "org/tiny", commit: str = "a" * 40, refs: tuple[str, ...] = ("main",), **files: object) -> Path:
        repository = Path(environment["HF_HOME"]) / "hub" / ("models--" + id.replace("/", "--"))
        snapshot, blobs = repository / "snapshots" / commit, repository / "blobs"
        for one in (snapshot, blobs, repository / "refs"):
            one.mkdir(parents=True, exist_ok=True)
        for ref in refs:
            (repository / "refs" / ref).parent.mkdir(parents=True, exist_ok=True)
            (repository / "refs" / ref).write_text(commit)
        write(snapshot, files)
        for file in sorted(snapshot.iterdir()):
            content = file.read_bytes()
            large = file.suffix == ".safetensors"
            blob = blobs / (hashlib.sha256 if large else hashlib.sha1)(content).hexdigest()
            blob.write_bytes(content)
            file.unlink()
            file.symlink_to(Path("../../blobs") / blob.name)
        return snapshot

    return make
