"""Looking after a store: listing, checking, clearing. Needs neither numpy nor torch."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from . import locks
from .errors import Damaged, StoreBusy, store_errors
from .history import used_keys
from .layout import DAY, children, remove, size_of
from .record import RECORD, Record

if TYPE_CHECKING:
    from .store import Store


@dataclass(frozen=True)
class Stored:
    """One line of `ls`: a result, or what is wrong with it. `used` is when it was last read, to the day."""

    key: str
    record: Record | None
    damage: str | None
    bytes: int
    used: float


@dataclass(frozen=True)
class Problem:
    """A result that is not what its record says."""

    key: str
    message: str


@dataclass(frozen=True)
class Cleared:
    """What was (or with `dry_run` would be) removed: results by key, leftover and damaged folders, bytes in all."""

    keys: tuple[str, ...]
    leftovers: tuple[str, ...]
    bytes: int
    dry_run: bool


def ls(store: Store) -> Iterator[Stored]:
    """Every result of the store, in the order of keys."""
    for key in store.layout.stored():
        folder = store.layout.object(key)
        try:
            record, damage = store.record(key), None
        except Damaged as e:
            record, damage = None, str(e)
        yield Stored(key, record, damage, size_of(folder), _used(folder))


def verify(store: Store) -> Iterator[Problem]:
    """Reads everything and gives what is damaged. Changes nothing: damaged results are made again when needed."""
    for key in store.layout.stored():
        if (message := store.damage(key, deep=True)) is not None:
            yield Problem(key, message)


def gc(
    store: Store, *, keep_days: float | None = None, unused: bool = False, dry_run: bool = False
) -> Cleared:
    """Clears the store: leftovers and quarantined folders always; results when asked.

    keep_days  removes results that were not used for so many days
    unused     removes results that the last run of no program still on this machine was made of
    With both, a result must be old and unused to go. Raises StoreBusy while a run uses the store.
    """
    with _alone(store):
        old = _older_than(store, keep_days) if keep_days is not None else None
        idle = set(store.layout.stored()) - used_keys(store.layout) if unused else None
        going = sorted(old & idle if old is not None and idle is not None else old or idle or ())
        leftovers = [p for folder in _leftovers(store) for p in children(folder)]
        if not locks.can_lock():
            leftovers = [p for p in leftovers if p.lstat().st_mtime < time.time() - DAY]
        folders = [store.layout.object(key) for key in going]
        total = sum(size_of(path) for path in (*folders, *leftovers))
        if not dry_run:
            with store_errors(store.root):
                for path in (*folders, *leftovers):
                    _remove_whole(store, path)
                for shelf in children(store.layout.objects):
                    _drop_empty(shelf)
        return Cleared(tuple(going), tuple(p.name for p in leftovers), total, dry_run)


def _leftovers(store: Store) -> tuple[Path, ...]:
    """Folders of which nothing is a result."""
    return store.layout.temp, store.layout.unfinished, store.layout.quarantine


def _remove_whole(store: Store, path: Path) -> None:
    """Moves a folder out of sight first, so that a crash in between leaves no half-removed result."""
    if path.parent not in _leftovers(store):
        store.layout.temp.mkdir(exist_ok=True)
        hidden = store.layout.temp / f"gone-{path.name}"
        path.rename(hidden)
        path = hidden
    remove(path)


def _drop_empty(shelf: Path) -> None:
    try:
        shelf.rmdir()
    except OSError:
        return


def _older_than(store: Store, days: float) -> set[str]:
    limit = time.time() - days * DAY
    return {key for key in store.layout.stored() if _used(store.layout.object(key)) < limit}


def _used(folder: Path) -> float:
    for path in (folder / RECORD, folder):
        try:
            return path.stat().st_mtime
        except OSError:
            continue
    return 0.0


@contextmanager
def _alone(store: Store) -> Iterator[None]:
    """Holds the store so that no run can begin; refuses while one is under way."""
    if not store.layout.locks.is_dir() or not locks.can_lock():
        yield
        return
    with store_errors(store.root):
        held = locks.try_alone(store.layout.locks / "gate")
    if held is None:
        raise StoreBusy("a run is using the store", store.root)
    try:
        yield
    finally:
        locks.release(held)
