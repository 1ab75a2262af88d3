"""SHA-256 of files, remembered by size and time so that large weights are hashed once."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

# Small files are hashed in less time than a cache entry takes to find.
_REMEMBERED_FROM = 1 << 20
# A file written this short a time ago could be written again within the same tick of the file system's clock.
_SETTLED_NS = 2_000_000_000
_CACHE_FILE = "digests.json"
_CACHE_VERSION = 1
_CHUNK = 1 << 20

Stamp = list[int]


class FileDigests:
    """Digests of file contents. `cache_folder` may be None, missing, read-only or hold a damaged cache: digests are
    then computed anew, never wrong."""

    def __init__(self, cache_folder: Path | None) -> None:
        self._cache = cache_folder / _CACHE_FILE if cache_folder is not None else None
        self._known: dict[str, tuple[Stamp, str]] | None = None

    def of(self, path: Path) -> str:
        """SHA-256 (hexadecimal) of the file's bytes. Raises `OSError`."""
        real = path.resolve()
        stamp, size, settled = _stamp(real)
        if size < _REMEMBERED_FROM:
            return _hash(real)
        known = self._load()
        entry = known.get(str(real))
        if entry is not None and entry[0] == stamp:
            return entry[1]
        found = _hash(real)
        if settled and _stamp(real)[0] == stamp:
            known[str(real)] = (stamp, found)
            self._save(known)
        return found

    def of_many(self, owner: Path, files: Mapping[str, Path]) -> str:
        """One digest of the contents of many files by name, remembered as a whole under the file that names them.

        Nothing is read again while every file has the size, time and place it had. Raises `OSError`.
        """
        key = f"{owner.resolve()}#files"
        stamps = {name: _stamp(path) for name, path in files.items()}
        size = sum(stamp[1] for stamp in stamps.values())
        if size < _REMEMBERED_FROM:
            return self.together((name, _hash(path)) for name, path in files.items())
        stamp = _stamp_of_many({name: stamp[0] for name, stamp in stamps.items()})
        known = self._load()
        entry = known.get(key)
        if entry is not None and entry[0] == stamp:
            return entry[1]
        found = self.together((name, _hash(path)) for name, path in files.items())
        after = {name: _stamp(path)[0] for name, path in files.items()}
        if all(stamp[2] for stamp in stamps.values()) and _stamp_of_many(after) == stamp:
            known[key] = (stamp, found)
            self._save(known)
        return found

    def together(self, files: Iterable[tuple[str, str]]) -> str:
        """One digest of named contents: (name, digest) pairs, in any order."""
        text = json.dumps(sorted(files), separators=(",", ":"))
        return hashlib.sha256(text.encode("ascii")).hexdigest()

    def _load(self) -> dict[str, tuple[Stamp, str]]:
        if self._known is None:
            self._known = _read_cache(self._cache) if self._cache is not None else {}
        return self._known

    def _save(self, known: dict[str, tuple[Stamp, str]]) -> None:
        """Write the cache whole, by rename, so that a reader never sees half of it; it may be lost, not broken."""
        if self._cache is None:
            return
        merged = {**_read_cache(self._cache), **known}
        content = {"version": _CACHE_VERSION, "files": merged}
        with contextlib.suppress(OSError):
            self._cache.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=self._cache.parent, prefix=_CACHE_FILE)
            try:
                with os.fdopen(handle, "w", encoding="ascii") as out:
                    json.dump(content, out)
                os.replace(temporary, self._cache)
            except OSError:
                os.unlink(temporary)
                raise


def _stamp(path: Path) -> tuple[Stamp, int, bool]:
    status = path.stat()
    settled = time.time_ns() - status.st_mtime_ns > _SETTLED_NS
    return [status.st_size, status.st_mtime_ns, status.st_ino], status.st_size, settled


def _stamp_of_many(stamps: Mapping[str, Stamp]) -> Stamp:
    """One stamp of many files, as four numbers."""
    text = json.dumps(sorted(stamps.items()), separators=(",", ":"))
    whole = hashlib.sha256(text.encode("ascii")).digest()
    return [int.from_bytes(whole[i : i + 8], "big") for i in range(0, 32, 8)]


def _hash(path: Path) -> str:
    total = hashlib.sha256()
    with path.open("rb", buffering=0) as handle:
        while chunk := handle.read(_CHUNK):
            total.update(chunk)
    return total.hexdigest()


def _read_cache(path: Path) -> dict[str, tuple[Stamp, str]]:
    try:
        content = json.loads(path.read_text(encoding="ascii"))
        if content["version"] != _CACHE_VERSION:
            return {}
        return {str(k): ([int(n) for n in stamp], str(found)) for k, (stamp, found) in content["files"].items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}
