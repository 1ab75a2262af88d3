"""Real editors, where they are installed: what `docs/editors.md` says how to repeat."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from .editor import ROOT

EDITORS = {
    "nvim": ["nvim", "--headless", "-u", "NONE", "-c", "luafile editors/neovim/try.lua"],
    "emacs": ["emacs", "--batch", "-l", "editors/emacs/try.el"],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", EDITORS)
def test_in_a_real_editor(name: str) -> None:
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    environment = {**os.environ, "STEERLANG": f"{sys.executable} -m steerlang", "PYTHONPATH": str(ROOT)}
    found = subprocess.run(
        EDITORS[name], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip
    if "Cannot open load file" in found.stderr:
        pytest.skip("Eglot is not installed")
    assert found.returncode == 0, found.stdout + found.stderr
    assert "FAIL" not in found.stdout
    assert found.stdout.count("ok ") >= 5
