"""The record beside every stored result: what it is, where it came from, and the checksums of its files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from steerlang.graph.node import Json, Node

from .errors import Damaged
from .payload import FileInfo

RECORD = "record.json"
RECORD_VERSION = 1


@dataclass(frozen=True)
class Record:
    """What is known of one result. The fields from `files` on are filled in by the store when the result is put.

    inputs    keys of the node's inputs
    labels    the names it had in the program that made it
    program   absolute path of that program, or None
    versions  of steerlang, torch, transformers, as given by the caller
    seconds   how long it took
    content   digest of the result itself: equal results have equal ones, whatever made them
    time      when it was stored, seconds since 1970
    """

    key: str
    operation: str
    version: int
    options: Mapping[str, Json] = field(default_factory=dict)
    inputs: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    program: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    files: Mapping[str, FileInfo] = field(default_factory=dict)
    bytes: int = 0
    content: str = ""
    time: float = 0.0


def record_of(
    node: Node, *, labels: tuple[str, ...] = (), program: str | None = None,
    versions: Mapping[str, str] | None = None, seconds: float = 0.0,
) -> Record:
    """The record of a node's result before it is stored."""
    inputs = tuple(i.key for i in node.inputs)
    return Record(node.key, node.operation, node.version, dict(node.options), inputs, labels, program,
                  dict(versions or {}), round(seconds, 3))


def content_digest(files: Mapping[str, FileInfo]) -> str:
    """Digest of a result's files, from their checksums: the files are written the same way every time."""
    text = "\n".join(f"{name} {info.sha256}" for name, info in sorted(files.items()))
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def write_record(record: Record) -> bytes:
    document = {"record_version": RECORD_VERSION, **asdict(record)}
    return (json.dumps(document, sort_keys=True, indent=1, default=list) + "\n").encode("ascii")


def read_record(text: bytes, key: str) -> Record:
    """Parses a record and checks that it can be one. Raises Damaged."""
    try:
        d: dict[str, Any] = json.loads(text)
        if d["record_version"] != RECORD_VERSION:
            raise Damaged(f"the record is of the unknown version {d['record_version']}")
        files = {name: FileInfo(int(f["bytes"]), str(f["sha256"])) for name, f in d["files"].items()}
        record = Record(
            str(d["key"]), str(d["operation"]), int(d["version"]), d["options"], tuple(d["inputs"]),
            tuple(d["labels"]), d["program"], d["versions"], float(d["seconds"]), files, int(d["bytes"]),
            str(d["content"]), float(d["time"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as e:
        raise Damaged("the record cannot be read") from e
    if record.key != key:
        raise Damaged("the record is that of another key")
    if record.content != content_digest(files) or any("/" in name or name in {".", ".."} for name in files):
        raise Damaged("the record contradicts itself")
    return record
