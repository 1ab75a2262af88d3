"""What the result of a node is: a kind, JSON-like meta, tensors, rows; and how it becomes files."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from steerlang.graph.node import Json

from .errors import Damaged
from .tensors import CHUNK, TensorFile, write_tensors

if TYPE_CHECKING:
    from numpy.typing import NDArray

META, TENSORS, ROWS = "meta.json", "tensors.safetensors", "rows.jsonl"


@dataclass(frozen=True, eq=False)
class Payload:
    """The result of a node.

    kind     the node's `result`: `rows`, `states`, `vector`, `samples`, `metric`, …
    meta     JSON-like: provenance, units, numbers
    tensors  numpy arrays by name; memory maps and a `tensors.draft` are welcome and never held whole in memory
    rows     JSON-like records in order
    """

    kind: str
    meta: Mapping[str, Json] = field(default_factory=dict)
    tensors: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    rows: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class FileInfo:
    """Size and checksum of one file of an object."""

    bytes: int
    sha256: str


def dump(value: object) -> str:
    """JSON of one line, the same for equal values. ASCII, so that lone surrogates in user data survive."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def write_payload(payload: Payload, folder: Path, durable: bool, drafts: Path) -> dict[str, FileInfo]:
    """Writes a payload's files into `folder`; gives name → size and checksum. A draft below `drafts` is moved."""
    head = dump({"kind": payload.kind, "meta": payload.meta}) + "\n"
    files = {META: _write(folder / META, lambda write: write(head.encode("ascii")), durable)}
    tensors = payload.tensors
    if isinstance(tensors, TensorFile) and tensors.writable and drafts in tensors.path.parents:
        files[TENSORS] = _adopt(tensors.path, folder / TENSORS, durable)
    elif tensors:
        files[TENSORS] = _write(folder / TENSORS, lambda write: write_tensors(tensors, write), durable)
    if payload.rows:
        files[ROWS] = _write(folder / ROWS, lambda write: _rows(payload, write), durable)
    return files


def read_payload(folder: Path, files: Mapping[str, FileInfo]) -> Payload:
    """The payload of an object folder; tensors are mapped when they are asked for. Raises Damaged."""
    try:
        head = json.loads((folder / META).read_bytes())
        lines = (folder / ROWS).read_bytes().splitlines() if ROWS in files else []
        rows = tuple(json.loads(line) for line in lines)
        tensors = TensorFile(folder / TENSORS) if TENSORS in files else {}
        return Payload(head["kind"], head["meta"], tensors, rows)
    except (ValueError, KeyError, TypeError) as e:
        raise Damaged(f"a stored file cannot be read: {e}", folder) from e


def checksum(path: Path) -> FileInfo:
    """Size and SHA-256 of a file, read in pieces."""
    sha, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while piece := file.read(CHUNK):
            sha.update(piece)
            size += len(piece)
    return FileInfo(size, sha.hexdigest())


def _rows(payload: Payload, write: Callable[[bytes | memoryview], object]) -> None:
    for row in payload.rows:
        write((dump(row) + "\n").encode("ascii"))


def _write(path: Path, fill: Callable[[Callable[[bytes | memoryview], object]], object], durable: bool) -> FileInfo:
    sha, size = hashlib.sha256(), 0
    with path.open("xb") as file:

        def write(piece: bytes | memoryview) -> None:
            nonlocal size
            sha.update(piece)
            size += len(piece)
            file.write(piece)

        fill(write)
        file.flush()
        if durable:
            os.fsync(file.fileno())
    return FileInfo(size, sha.hexdigest())


def _adopt(source: Path, target: Path, durable: bool) -> FileInfo:
    """Takes a finished draft over. Dirty pages of its maps are visible to `read` at once on every Unix."""
    os.replace(source, target)
    if durable:
        with target.open("rb+") as file:
            os.fsync(file.fileno())
    return checksum(target)
