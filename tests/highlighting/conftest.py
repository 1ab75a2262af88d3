"""The tree-sitter parser, built with the machine's C compiler."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
GRAMMAR = ROOT / "editors" / "tree-sitter-steer"


@pytest.fixture(scope="session")
def language(tmp_path_factory: pytest.TempPathFactory) -> Any:
    tree_sitter = pytest.importorskip("tree_sitter", reason="needs the package tree-sitter")
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("needs a C compiler")
    library = tmp_path_factory.mktemp("parser") / "steer.so"
    sources = [GRAMMAR / "src" / "parser.c", GRAMMAR / "src" / "scanner.c"]
    command = [compiler, "-shared", "-fPIC", "-O1", f"-I{GRAMMAR / 'src'}", *sources, "-o", library]
    subprocess.run([str(c) for c in command], check=True, timeout=300)
    function = ctypes.CDLL(str(library)).tree_sitter_steer
    function.restype = ctypes.c_void_p
    capsule = ctypes.pythonapi.PyCapsule_New
    capsule.restype = ctypes.py_object
    capsule.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
    return tree_sitter.Language(capsule(function(), b"tree_sitter.Language", None))
