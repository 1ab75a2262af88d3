"""Files of steering vectors: what their headers say, read without numpy and without running anything in them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from steerlang.graph.facts.digests import FileDigests
from steerlang.graph.facts.promise import Trouble, VectorFacts
from steerlang.graph.facts.troubles import unreadable

from . import gguf, own, svec, torch_file
from .problems import VectorFileError

__all__ = ["read_vector"]

# By what a file begins with, not by its name: a wrong ending is common, wrong bytes are not.
_BEGINNINGS = ((b"GGUF", gguf.read), (b"PK\x03\x04", torch_file.read), (b"{", svec.read))
_REFUSED = (
    (b"version https://git-lfs", "is a Git LFS pointer, not the file itself", "run `git lfs pull`"),
    (b"\x80", "is a bare pickle, which is never loaded", torch_file.CONVERT),
    (b"\x93NUMPY", "is a NumPy array, which says neither layer nor model", torch_file.CONVERT),
)


def read_vector(path: Path, name: str, digests: FileDigests) -> VectorFacts | Trouble:
    """The facts of a vector file, or what is wrong with it. `name` is what messages call it."""
    try:
        found = _read(path, name)
    except VectorFileError as problem:
        return Trouble(problem.code, f"`{name}` {problem}", problem.help, place=str(path))
    except OSError as problem:
        return unreadable(name, path, problem)
    return found if isinstance(found, Trouble) else replace(found, identity=lambda: digests.of(path))


def _read(path: Path, name: str) -> VectorFacts | Trouble:
    with path.open("rb") as file:
        start = file.read(64)
    if not start:
        raise VectorFileError("is empty (0 bytes)", "give a file of a steering vector")
    if start[8:9] == b"{":  # eight bytes of length, then the header: safetensors
        return own.read(path, name)
    for beginning, message, help in _REFUSED:
        if start.startswith(beginning):
            raise VectorFileError(message, help)
    for beginning, reader in _BEGINNINGS:
        if start.lstrip().startswith(beginning):
            return reader(path, name)
    raise VectorFileError("is a file of no known format", own.FOREIGN)
