"""A folder that is written beside its target and renamed when it is whole; after a kill, taken up where it stood."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from steerlang.diagnostics import codes

from .errors import WeightsError, listed

JOURNAL = ".journal.jsonl"


# The folder that is part of a model; any other inside a target was made by something else.
TEMPLATES = "additional_chat_templates"


def check_target(target: Path, overwrite: bool, inputs: Mapping[str, Path] | None = None) -> None:
    """Raises WeightsError where a result may not be written: something is there, it is one of the inputs, or an input
    lies in it. Only files are ever replaced, never folders in the target."""
    real = _real(target)
    for name, folder in (inputs or {}).items():
        given = _real(folder)
        if real == given or real in given.parents:
            how = "its own input" if real == given else "the folder of its own input"
            raise WeightsError(f"the output would replace {how} `{name}`", "name another folder", codes.OUTPUT_EXISTS)
        if given in real.parents:
            message = f"the output would lie inside its own input `{name}`"
            raise WeightsError(message, "name a folder beside it", codes.OUTPUT_EXISTS)
    if target.is_dir() and not target.is_symlink():
        if any(target.iterdir()) and not overwrite:
            help = "name another folder, empty this one, or say `overwrite = true`"
            raise WeightsError(f"`{target}` is not empty", help, codes.OUTPUT_EXISTS, place=str(target))
        folders = sorted(path.name for path in target.iterdir() if path.is_dir() and path.name != TEMPLATES)
        if folders:
            message = f"`{target}` holds folders that would be lost: {listed(folders)}"
            raise WeightsError(message, "name another folder, or empty this one", codes.OUTPUT_EXISTS)
    elif target.is_symlink() or target.exists():
        raise WeightsError(f"`{target}` exists and is no folder", "name another folder", codes.OUTPUT_EXISTS)


def _real(path: Path) -> Path:
    """The path without symbolic links; unlike `Path.resolve` also where they lead in a circle."""
    return Path(os.path.realpath(path))


class Staging:
    """The folder beside the target. What was finished in it stands in its journal, one JSON line a tensor."""

    def __init__(self, target: Path, identity: str) -> None:
        self.target = target
        self.folder = target.parent / f".{target.name}.partial"
        self.identity = identity
        self.done: dict[str, dict[str, Any]] = {}
        self._journal: BinaryIO | None = None

    @contextmanager
    def opened(self) -> Iterator[Staging]:
        """Holds the folder, alone. What an earlier run with the same identity finished is in `done`; anything else is
        removed. After a WeightsError the folder is removed; after a kill it stays, to be taken up."""
        self.target.parent.mkdir(parents=True, exist_ok=True)
        self.folder.mkdir(exist_ok=True)
        self._journal = (self.folder / JOURNAL).open("a+b")
        try:
            self._lock()
            self._take_up()
            yield self
        except (WeightsError, OSError):
            shutil.rmtree(self.folder, ignore_errors=True)
            raise
        finally:
            self._journal.close()

    def note(self, entry: Mapping[str, Any]) -> None:
        """Writes down that a tensor is finished."""
        assert self._journal is not None
        self._journal.write(json.dumps(entry, separators=(",", ":")).encode() + b"\n")
        self._journal.flush()

    def write(self, name: str, data: bytes) -> None:
        """Writes a small file."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())

    def discard(self) -> None:
        """Leaves nothing behind: what is there is not what it should be."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def publish(self) -> None:
        """Makes the folder the target, at once. What was there before is removed afterwards."""
        (self.folder / JOURNAL).unlink()
        sync_folder(self.folder)
        old = self.target.parent / f".{self.target.name}.old"
        if self.target.is_dir() and any(self.target.iterdir()):
            shutil.rmtree(old, ignore_errors=True)
            self.target.rename(old)
        try:
            self.folder.rename(self.target)
        except OSError:
            if old.is_dir() and not self.target.exists():
                old.rename(self.target)
            raise
        sync_folder(self.target.parent)
        shutil.rmtree(old, ignore_errors=True)

    def _lock(self) -> None:
        assert self._journal is not None
        try:
            fcntl.flock(self._journal, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as problem:
            # Not a WeightsError: that would remove the folder of the run that holds it.
            raise _BusyError(self.target) from problem

    def _take_up(self) -> None:
        assert self._journal is not None
        self._journal.seek(0)
        entries = list(_entries(self._journal))
        if entries and entries[0].get("identity") == self.identity:
            self.done = {entry["name"]: entry for entry in entries[1:] if "name" in entry}
            return
        for path in self.folder.iterdir():
            if path.name != JOURNAL:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        self._journal.truncate(0)
        self.note({"identity": self.identity})


class _BusyError(BaseException):
    """Another process writes this target; turned into a WeightsError outside of `opened`."""

    def __init__(self, target: Path) -> None:
        super().__init__(str(target))
        self.target = target


@contextmanager
def busy_errors() -> Iterator[None]:
    """Turns a target that another process is writing into a WeightsError."""
    try:
        yield
    except _BusyError as busy:
        message = f"another process is writing `{busy.target}`"
        raise WeightsError(message, "wait for it, or name another folder", codes.OUTPUT_EXISTS) from busy


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder last through a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def digest_range(path: Path, start: int, size: int) -> str:
    """SHA-256 of a range of a file."""
    total = hashlib.sha256()
    with path.open("rb") as file:
        file.seek(start)
        while size > 0 and (data := file.read(min(size, 1 << 20))):
            total.update(data)
            size -= len(data)
    return total.hexdigest()


def _entries(journal: BinaryIO) -> Iterator[dict[str, Any]]:
    for line in journal:
        try:
            entry = json.loads(line)
        except ValueError:
            # The last line of a run that was killed while it wrote.
            return
        if not isinstance(entry, dict) or not ("name" in entry or "identity" in entry):
            return  # nothing that a run wrote
        yield entry
