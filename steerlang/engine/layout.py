"""Where things lie in a store, and how files come into being there.

    STORE/CACHEDIR.TAG          tells backup programs that all of this can be made again
    STORE/objects/ab/<key>/     one result: record.json, meta.json, tensors.safetensors, rows.jsonl
    STORE/programs/<digest>.json   what the last run of one program was made of
    STORE/locks/                lock files
    STORE/tmp/                  what is being written; whatever lies there while nobody runs is a leftover
    STORE/unfinished/<key>/     the state of a long step, to go on from after a kill; gone once its result is stored
    STORE/quarantine/           damaged objects, kept until the next `gc`
"""

from __future__ import annotations

import os
import re
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

KEY = re.compile(r"[0-9a-f]{64}")
DAY = 86400.0
TAG = "Signature: 8a477f597d28d172789f06886806bc55\n# This folder is a cache of steerlang. See https://bford.info/cachedir/\n"


def default_root(environment: Mapping[str, str] = os.environ) -> Path:
    """STEERLANG_CACHE_DIR, else steerlang below XDG_CACHE_HOME, else ~/.cache/steerlang."""
    if own := environment.get("STEERLANG_CACHE_DIR"):
        return Path(own).expanduser()
    base = environment.get("XDG_CACHE_HOME")
    # The XDG specification says that relative paths are to be ignored.
    folder = Path(base) if base and os.path.isabs(base) else Path.home() / ".cache"
    return folder / "steerlang"


@dataclass(frozen=True)
class Layout:
    """The folders of the store at `root`."""

    root: Path

    @property
    def objects(self) -> Path:
        return self.root / "objects"

    @property
    def programs(self) -> Path:
        return self.root / "programs"

    @property
    def locks(self) -> Path:
        return self.root / "locks"

    @property
    def temp(self) -> Path:
        return self.root / "tmp"

    @property
    def unfinished(self) -> Path:
        return self.root / "unfinished"

    @property
    def quarantine(self) -> Path:
        return self.root / "quarantine"

    def object(self, key: str) -> Path:
        if not KEY.fullmatch(key):
            raise ValueError(f"`{key}` is not the key of a node")
        return self.objects / key[:2] / key

    def stored(self) -> Iterator[str]:
        """The keys of all objects, sorted."""
        for shelf in children(self.objects):
            for folder in children(shelf):
                if KEY.fullmatch(folder.name):
                    yield folder.name

    def make(self) -> None:
        """Makes the folders that writing needs, unless they are there."""
        if self.temp.is_dir() and self.locks.is_dir():
            return
        for folder in (self.objects, self.locks, self.temp):
            folder.mkdir(parents=True, exist_ok=True)
        (self.root / "CACHEDIR.TAG").write_text(TAG, encoding="ascii")

    def new_temp(self) -> Path:
        """A fresh folder below `tmp/`, on the same file system as the objects."""
        self.make()
        path = self.temp / f"{os.getpid()}-{uuid.uuid4().hex}"
        path.mkdir()
        return path


def children(folder: Path) -> list[Path]:
    """What lies in a folder, sorted by name; nothing when there is no such folder."""
    try:
        return sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def sync_folder(path: Path) -> None:
    """Makes renames in a folder survive a power cut. Not every platform can open folders."""
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_atomically(path: Path, text: bytes, temp: Path, durable: bool = True) -> None:
    """Replaces a file as a whole: readers see the old one or the new one."""
    draft = temp / f"{os.getpid()}-{uuid.uuid4().hex}"
    try:
        with draft.open("xb") as file:
            file.write(text)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        os.replace(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def remove(path: Path) -> None:
    """Removes a file or folder as far as that is possible."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files below a folder."""
    if not path.is_dir():
        with suppress(OSError):
            return path.lstat().st_size
        return 0
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            with suppress(OSError):
                total += os.lstat(os.path.join(folder, name)).st_size
    return total
