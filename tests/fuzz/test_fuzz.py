"""A short run of every fuzz target; `fuzz.py` runs them for longer."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from .mutating import form_of, mutated, seeds
from .targets import TARGETS, one_input

FUZZ = Path(__file__).with_name("fuzz.py")
# Inputs of each target: what takes a second or so.
RUNS = {"lex": 300, "parse": 150, "expression": 150, "format": 80, "yaml": 40, "json": 40, "check": 20}


def test_every_target_has_a_run() -> None:
    assert set(RUNS) == set(TARGETS)


@pytest.mark.parametrize("target", TARGETS)
def test_changed_programs(target: str) -> None:
    run, chance, texts = one_input(target), random.Random(target), seeds(form_of(target))
    for _ in range(RUNS[target]):
        run(mutated(chance.choice(texts), chance, texts).encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize("target", TARGETS)
def test_bytes_that_are_hardly_text(target: str) -> None:
    run, chance = one_input(target), random.Random(target)
    for data in (b"", b"\xff\xfe", b"\0", b"\xef\xbb\xbf", b"steerlang 1\n\xc3", b"{"):
        run(data)
    for data in (b"[" * 5000, b"-" * 3000, b"a: " * 900):
        run(data)
    for _ in range(40):
        run(bytes(chance.randrange(256) for _ in range(chance.randrange(60))))


def test_a_target_that_fails_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oracle is one: a lexer that loses a character is noticed."""
    from . import targets

    monkeypatch.setattr(targets, "tokenize", lambda source: [])
    with pytest.raises(AssertionError):
        one_input("lex")(b"steerlang 1\n")


def test_the_plain_fuzzer(tmp_path: Path) -> None:
    command = [sys.executable, str(FUZZ), "parse", "--plain", "1", "7"]
    found = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path)
    assert found.returncode == 0, found.stderr
    assert int(found.stdout.split()[1]) > 20
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_by_coverage(target: str, tmp_path: Path) -> None:
    pytest.importorskip("atheris", reason="needs the package atheris")
    command = [sys.executable, str(FUZZ), target, "-max_total_time=20", "-timeout=60", f"-artifact_prefix={tmp_path}/"]
    found = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False, cwd=tmp_path)
    assert found.returncode == 0, found.stderr[-3000:]
    assert list(tmp_path.iterdir()) == []
