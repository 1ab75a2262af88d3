"""Locks between processes: advisory locks on files, which the system drops when their holder dies, however it dies.

A step locks all its keys at once. Few keys take one lock file each; many take whole stripes of the key space, because
a process may open only some hundreds of files. The two kinds exclude each other: whoever locks single keys holds their
stripes shared, whoever locks stripes holds them alone. Everyone takes stripes first and then keys, each in sorted
order, and takes nothing while holding, so that no two can wait for each other.

Without `fcntl`, or on a file system that cannot lock, nothing is locked: work may then be done twice, never wrongly,
since objects appear by one atomic rename.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import ModuleType

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:
    fcntl = None

STRIPES = 64
FEW = 48
UNABLE = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS})

OnWait = Callable[[str], None]


def can_lock() -> bool:
    return fcntl is not None


@contextmanager
def lock_keys(folder: Path, keys: Iterable[str], on_wait: OnWait | None = None) -> Iterator[None]:
    """Holds the locks of all `keys`. `on_wait` is called once, with a key, if another process holds one of them."""
    wanted = sorted(set(keys))
    few = len(wanted) <= FEW
    announced = False

    def announce(key: str) -> None:
        nonlocal announced
        if on_wait is not None and not announced:
            announced = True
            on_wait(key)

    with ExitStack() as held:
        stripes: dict[int, str] = {}
        for key in wanted:
            stripes.setdefault(int(key[:4], 16) % STRIPES, key)
        for stripe, key in sorted(stripes.items()):
            held.enter_context(lock_file(folder / f"stripe-{stripe:02}", key, announce, shared=few))
        if few:
            for key in wanted:
                held.enter_context(lock_file(folder / key, key, announce, transient=True))
        yield


@contextmanager
def lock_file(
    path: Path, key: str = "", on_wait: OnWait | None = None, *, shared: bool = False, transient: bool = False
) -> Iterator[None]:
    """Holds the lock on one file, made if missing; a transient one is removed again. Waits as long as it takes."""
    if fcntl is None:
        yield
        return
    descriptor = _acquire(path, key, on_wait, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
    try:
        yield
    finally:
        if transient:
            # Removed while held: whoever waits on the removed file notices and opens the new one.
            with suppress(OSError):
                path.unlink()
        # Said aloud, because a forked child may still hold a copy of the descriptor.
        _unlock(descriptor)


def try_alone(path: Path) -> int | None:
    """The descriptor of an exclusive lock, or None when others hold it or nothing can be locked."""
    if fcntl is None:
        return None
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def release(descriptor: int) -> None:
    """Gives a lock of `try_alone` back."""
    _unlock(descriptor)


def _acquire(path: Path, key: str, on_wait: OnWait | None, mode: int) -> int:
    assert fcntl is not None
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            try:
                fcntl.flock(descriptor, mode | fcntl.LOCK_NB)
            except BlockingIOError:
                if on_wait is not None:
                    on_wait(key)
                fcntl.flock(descriptor, mode)
            if _is_current(descriptor, path):
                return descriptor
        except OSError as e:
            if e.errno in UNABLE:
                return descriptor
            os.close(descriptor)
            raise
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _is_current(descriptor: int, path: Path) -> bool:
    """Whether the locked file is still the one under its name (its last holder may have removed it)."""
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    mine = os.fstat(descriptor)
    return (there.st_dev, there.st_ino) == (mine.st_dev, mine.st_ino)


def _unlock(descriptor: int) -> None:
    if fcntl is not None:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_UN)
    os.close(descriptor)
