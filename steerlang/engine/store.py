"""The store: results of nodes under their keys, atomic, checksummed, safe under several processes and kill -9.

Nothing in it is executable. Listing, checking and clearing need neither numpy nor torch.
"""

from __future__ import annotations

import errno
import os
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from steerlang.graph.reasons import Past

from . import history, locks, upkeep
from .errors import Damaged, StoreBusy, store_errors
from .layout import DAY, Layout, children, default_root, remove, sync_folder
from .payload import TENSORS, Payload, checksum, read_payload, write_payload
from .record import RECORD, Record, content_digest, read_record, write_record
from .tensors import read_header


class Store:
    """Results by key below `root` (default: `default_root()`).

    durable     whether writes wait for the disk; without it a power cut may cost results, which is then noticed
    hash_limit  files up to this many bytes are checked against their checksum when they are read; larger ones only for
                size and form, since reading them twice costs more than it finds (`verify` reads everything)
    """

    def __init__(self, root: Path | str | None = None, *, durable: bool = True, hash_limit: int = 256 * 2**20) -> None:
        self.layout = Layout(Path(root).expanduser().absolute() if root is not None else default_root())
        self.durable = durable
        self.hash_limit = hash_limit

    @property
    def root(self) -> Path:
        return self.layout.root

    # -- reading ------------------------------------------------------------------------------------------------------

    def record(self, key: str) -> Record | None:
        """The record of a result, or None when there is none. Raises Damaged."""
        try:
            text = (self.layout.object(key) / RECORD).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            if os.path.lexists(self.layout.object(key)):
                raise Damaged("the record is missing") from None
            return None
        except OSError as e:
            raise Damaged(f"the record cannot be read ({os.strerror(e.errno or 0)})") from e
        return read_record(text, key)

    def has(self, key: str) -> bool:
        """Whether a result is there with all its files at full length. Contents are not read."""
        try:
            return self._checked(key, limit=-1) is not None
        except Damaged:
            return False

    def damage(self, key: str, *, deep: bool = False) -> str | None:
        """What is wrong with a stored result, or None. `deep` compares the checksums of all files of any size."""
        try:
            self._checked(key, limit=None if deep else self.hash_limit)
        except Damaged as e:
            return str(e)
        return None

    def get(self, key: str, *, check: bool = True) -> Payload | None:
        """The result under `key`, or None when there is none or it is damaged; a damaged one is put aside.

        `check=False` leaves the checksums out, for who has just called `damage`.
        """
        try:
            record = self._checked(key, limit=self.hash_limit if check else 0)
            if record is None:
                return None
            payload = read_payload(self.layout.object(key), record.files)
        except Damaged:
            self.quarantine(key)
            return None
        except FileNotFoundError:
            return None
        self._mark_used(key)
        return payload

    def _checked(self, key: str, limit: int | None) -> Record | None:
        """The record, once its files were found whole; checksums are compared up to `limit` bytes a file."""
        record = self.record(key)
        if record is None:
            return None
        folder = self.layout.object(key)
        for name, info in record.files.items():
            path = folder / name
            try:
                if path.stat().st_size != info.bytes:
                    raise Damaged(f"`{name}` has {path.stat().st_size} bytes instead of {info.bytes}", path)
                if name == TENSORS and limit != -1:
                    read_header(path)
                if (limit is None or info.bytes <= limit) and checksum(path) != info:
                    raise Damaged(f"`{name}` does not have the checksum it was stored with", path)
            except OSError as e:
                raise Damaged(f"`{name}` cannot be read ({os.strerror(e.errno or 0)})", path) from e
        return record

    def _mark_used(self, key: str) -> None:
        """Notes, at most once a day, that a result was used: what clearing by age goes by."""
        path = self.layout.object(key) / RECORD
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > DAY:
                os.utime(path)

    # -- writing ------------------------------------------------------------------------------------------------------

    def put(self, key: str, payload: Payload, record: Record, *, over: bool = False) -> Record:
        """Stores a result and gives its completed record.

        If the key is there already and whole, the new result is dropped, unless `over` says to replace it. Raises
        StoreFull or StoreReadOnly; nothing half-written stays behind either way.
        """
        target = self.layout.object(key)
        with self.temp() as staged, store_errors(self.root):
            files = write_payload(payload, staged, self.durable, self.layout.temp)
            total = sum(f.bytes for f in files.values())
            record = replace(record, key=key, files=files, bytes=total, content=content_digest(files), time=time.time())
            with (staged / RECORD).open("xb") as file:
                file.write(write_record(record))
                file.flush()
                if self.durable:
                    os.fsync(file.fileno())
            if self.durable:
                sync_folder(staged)
            target.parent.mkdir(parents=True, exist_ok=True)
            kept = self._move_in(staged, target, key, over)
        return kept or record

    def _move_in(self, staged: Path, target: Path, key: str, over: bool) -> Record | None:
        """Renames a finished object into place; gives the record of the one that stays if another was there first."""
        # A rename over an existing folder fails, so at most one writer wins; the loop ends when that is settled.
        for _ in range(100):
            try:
                os.rename(staged, target)
            except OSError as e:
                if e.errno not in {errno.ENOTEMPTY, errno.EEXIST, errno.EACCES, errno.EPERM} or not target.is_dir():
                    raise
            else:
                if self.durable:
                    sync_folder(target.parent)
                return None
            if not over and self.damage(key) is None and (there := self.record(key)) is not None:
                return there
            self._discard(target)
        raise StoreBusy(f"`{key}` is being replaced again and again", target)

    def quarantine(self, key: str) -> None:
        """Puts a damaged result aside, so that it is made again. Does nothing in a read-only store."""
        with suppress(OSError):
            self.layout.quarantine.mkdir(parents=True, exist_ok=True)
            self._set_aside(self.layout.object(key), self.layout.quarantine / f"{key}-{uuid.uuid4().hex[:8]}")

    def _discard(self, folder: Path) -> None:
        """Makes a folder disappear in one instant, then removes it."""
        hidden = self.layout.temp / f"gone-{uuid.uuid4().hex}"
        self._set_aside(folder, hidden)
        remove(hidden)

    @staticmethod
    def _set_aside(folder: Path, where: Path) -> None:
        with suppress(FileNotFoundError):
            os.rename(folder, where)

    @contextmanager
    def temp(self) -> Iterator[Path]:
        """A scratch folder on the disk of the store, gone afterwards. Raises StoreFull or StoreReadOnly."""
        with store_errors(self.root):
            self.layout.make()
            gate = ExitStack()
            # Held, or a run that begins meanwhile and thinks itself alone would sweep the folder away.
            gate.enter_context(locks.lock_file(self.layout.locks / "gate", shared=True))
        with gate:
            with store_errors(self.root):
                folder = self.layout.new_temp()
            try:
                yield folder
            finally:
                remove(folder)

    # -- several processes --------------------------------------------------------------------------------------------

    def lock(self, *keys: str, on_wait: Callable[[str], None] | None = None) -> AbstractContextManager[None]:
        """Holds the locks of `keys`; `on_wait` is told once when another process has one of them."""
        return self._lock(keys, on_wait)

    @contextmanager
    def _lock(self, keys: Iterable[str], on_wait: Callable[[str], None] | None) -> Iterator[None]:
        with ExitStack() as held:
            with store_errors(self.root):
                self.layout.make()
                held.enter_context(locks.lock_keys(self.layout.locks, keys, on_wait))
            yield

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Says that a run uses the store, so that nothing is cleared meanwhile. Sweeps leftovers if it is alone."""
        gate = self.layout.locks / "gate"
        with ExitStack() as held:
            # A store that cannot be written cannot be cleared either; writing will say so if it comes to that.
            with suppress(OSError):
                self.layout.make()
                if (alone := locks.try_alone(gate)) is not None:
                    try:
                        for path in children(self.layout.temp):
                            remove(path)
                    finally:
                        locks.release(alone)
                held.enter_context(locks.lock_file(gate, shared=True))
            yield

    # -- upkeep -------------------------------------------------------------------------------------------------------

    def ls(self) -> Iterator[upkeep.Stored]:
        """Every result, in the order of keys."""
        return upkeep.ls(self)

    def verify(self) -> Iterator[upkeep.Problem]:
        """Reads everything and gives what is damaged."""
        return upkeep.verify(self)

    def gc(self, *, keep_days: float | None = None, unused: bool = False, dry_run: bool = False) -> upkeep.Cleared:
        """Clears the store, see `upkeep.gc`."""
        return upkeep.gc(self, keep_days=keep_days, unused=unused, dry_run=dry_run)

    # -- programs -----------------------------------------------------------------------------------------------------

    def view(self, program: str | None = None) -> ProgramView:
        """What planning needs to know of the store, for one program."""
        return ProgramView(self, program)

    def write_history(self, program: str, entries: Mapping[str, Past]) -> None:
        """Notes what the last run of a program was made of. Raises StoreFull or StoreReadOnly."""
        with store_errors(self.root):
            history.write_history(self.layout, program, entries, self.durable)


@dataclass(frozen=True)
class ProgramView:
    """The store as planning sees it (`steerlang.graph.plan.StoreView`)."""

    store: Store
    program: str | None = None

    def has(self, key: str) -> bool:
        return self.store.has(key)

    def history(self) -> Mapping[str, Past]:
        return history.read_history(self.store.layout, self.program) if self.program is not None else {}
