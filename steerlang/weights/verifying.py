"""Checking a folder against its receipt: every tensor, header and file is what was written, and nothing was added."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .checkpoint import Checkpoint, read_json
from .errors import WeightsError
from .staging import digest_range
from .writer import FORMAT

RECEIPT = "receipt.json"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as the receipt says: the file, the tensor where one is at fault, and what is wrong."""

    file: str
    tensor: str | None
    message: str


def verify(folder: str | Path) -> tuple[Finding, ...]:
    """All that differs from the receipt in `folder`; nothing where it is whole. Raises WeightsError without one."""
    place = Path(folder)
    found = read_json(place / RECEIPT, f"{folder}/{RECEIPT}")
    if found.get("format") != FORMAT:
        message = f"`{folder}` has no receipt of steerlang"
        raise WeightsError(message, f"verify a folder that an export wrote: it has `{RECEIPT}`", place=str(place))
    try:
        return (*_files(place, found), *_shards(place, found), *_added(place, found))
    except (KeyError, TypeError, AttributeError, ValueError) as problem:
        message = f"the receipt in `{folder}` is damaged: it is not as an export writes it"
        raise WeightsError(message, "export the model again", place=str(place / RECEIPT)) from problem


def _files(folder: Path, found: Mapping[str, Any]) -> Iterator[Finding]:
    for name, digest in found.get("files", {}).items():
        path = folder / name
        if not path.is_file():
            yield Finding(name, None, f"`{name}` is missing")
        elif hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            yield Finding(name, None, f"`{name}` was changed")


def _shards(folder: Path, found: Mapping[str, Any]) -> Iterator[Finding]:
    for name, said in found["shards"].items():
        path = folder / name
        if not path.is_file():
            yield Finding(name, None, f"`{name}` is missing")
            continue
        size = path.stat().st_size
        if size != said["size"]:
            yield Finding(name, None, f"`{name}` has {size:,} bytes, not {said['size']:,}")
            continue
        with path.open("rb") as file:
            header = 8 + int.from_bytes(file.read(8), "little")
        if digest_range(path, 0, min(header, size)) != said["header"]:
            yield Finding(name, None, f"the header of `{name}` was changed")
            continue
        yield from _tensors(path, name, found["tensors"])


def _tensors(path: Path, file: str, tensors: Mapping[str, Any]) -> Iterator[Finding]:
    stored = Checkpoint.of_file(path, file)
    for name, said in tensors.items():
        if said["file"] == file:
            if name not in stored:
                yield Finding(file, name, f"`{name}` is not in `{file}`")
                continue
            info = stored.info(name)
            if digest_range(path, info.start, info.stop - info.start) != said["sha256"]:
                yield Finding(file, name, f"the numbers of `{name}` in `{file}` were changed")


def _added(folder: Path, found: Mapping[str, Any]) -> Iterator[Finding]:
    """Files that the receipt does not know: a loader might take their weights instead, or run their code.

    Hidden ones are no loader's business: version control and caches keep their own there.
    """
    known = {RECEIPT, *found["shards"], *found.get("files", {})}
    names = (path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_file())
    for name in names:
        if name.as_posix() not in known and not any(part.startswith(".") for part in name.parts):
            yield Finding(name.as_posix(), None, f"`{name.as_posix()}` was added: it is not in the receipt")
