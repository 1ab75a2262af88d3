"""The wheel as users get it: light, complete, and able to check programs without torch."""

from __future__ import annotations

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """steerlang 1
# The sum of two numbers.
let    sum   = 1 + 1
expect right = sum == 2
"""
# One process builds and installs for all tests.
pytestmark = pytest.mark.xdist_group("wheel")
HEAVY = ("torch", "transformers", "numpy", "scikit-learn", "safetensors")


def _run(*command: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    arguments = [str(c) for c in command]
    return subprocess.run(arguments, cwd=cwd, capture_output=True, text=True, timeout=600, check=False)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this checkout with the build backend that is installed."""
    out = tmp_path_factory.mktemp("dist")
    found = _run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, ROOT)
    assert found.returncode == 0, found.stdout + found.stderr
    return next(out.glob("*.whl"))


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a clean environment into which the wheel was installed."""
    folder = tmp_path_factory.mktemp("clean") / "venv"
    venv.create(folder, with_pip=True)
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    found = _run(python, "-m", "pip", "install", "--quiet", "-c", ROOT / "constraints.txt", wheel)
    if found.returncode != 0:
        pytest.skip(f"pip's index cannot be reached, so the wheel cannot be installed: {found.stderr.strip()[-400:]}")
    return python


def test_what_is_in_the_wheel(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for needed in ("_grammar/steerlang.lark", "_grammar/schemas/outputs.v1.json", "_errors/SL201.md", "py.typed"):
        assert f"steerlang/{needed}" in names
    strangers = [n for n in names if not n.startswith(("steerlang/", "steerlang-"))]
    assert not strangers
    assert any(n.endswith("licenses/LICENSE") for n in names)


def test_pygments_is_told_of_the_lexer(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith("entry_points.txt"))
        text = archive.read(name).decode("utf-8")
    assert "[pygments.lexers]\nsteerlang = steerlang.highlighting.pygments_lexer:SteerLexer" in text


def test_every_module_is_in_the_wheel(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    missing = [p for p in (ROOT / "steerlang").rglob("*.py") if p.relative_to(ROOT).as_posix() not in names]
    assert not missing


def test_the_wheel_is_light(python: Path) -> None:
    found = _run(python, "-m", "pip", "list", "--format", "freeze")
    installed = {line.split("==")[0].lower() for line in found.stdout.splitlines()}
    assert "steerlang" in installed
    assert not installed.intersection(HEAVY)


def test_programs_are_checked(python: Path, tmp_path: Path) -> None:
    (tmp_path / "good.steer").write_text(PROGRAM, encoding="utf-8")
    (tmp_path / "bad.steer").write_text(PROGRAM.replace("sum ==", "sun =="), encoding="utf-8")
    steer = python.with_name("steerlang")
    good = _run(steer, "validate", "good.steer", cwd=tmp_path)
    assert good.returncode == 0, good.stderr
    bad = _run(python, "-m", "steerlang", "validate", "bad.steer", cwd=tmp_path)
    assert bad.returncode == 1
    assert "did you mean `sum`" in bad.stdout
    assert _run(steer, "fmt", "--check", "good.steer", cwd=tmp_path).returncode == 0
    assert "## Mended" in _run(steer, "explain", "SL201", cwd=tmp_path).stdout
    assert _run(steer, "lock", "good.steer", cwd=tmp_path).returncode == 0
    assert _run(steer, "validate", "--locked", "good.steer", "--format", "sarif", cwd=tmp_path).returncode == 0


def test_the_doctor_says_what_running_needs(python: Path, tmp_path: Path) -> None:
    found = _run(python, "-m", "steerlang", "doctor", "--cache-dir", tmp_path / "cache", cwd=tmp_path)
    assert found.returncode == 0
    assert "steerlang[run]" in found.stdout


def test_running_without_torch_is_explained(python: Path, tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("one\n", encoding="utf-8")
    (tmp_path / "run.steer").write_text(PROGRAM, encoding="utf-8")
    found = _run(python, "-m", "steerlang", "run", "run.steer", "--cache-dir", tmp_path / "cache", cwd=tmp_path)
    assert "Traceback" not in found.stderr
    assert found.returncode in (0, 3), found.stderr
    if found.returncode:
        assert "SL512" in found.stderr
        assert "steerlang[run]" in found.stderr


def test_the_language_server_without_pygls_is_explained(python: Path, tmp_path: Path) -> None:
    found = _run(python, "-m", "steerlang", "lsp", cwd=tmp_path)
    assert found.returncode == 3
    assert "pip install 'steerlang[lsp]'" in found.stderr
    assert "Traceback" not in found.stderr
