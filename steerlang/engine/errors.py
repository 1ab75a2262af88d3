"""Typed errors of the engine. What the user can mend becomes a diagnostic in `outcome`."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from steerlang.diagnostics import Diagnostic


class OperationError(Exception):
    """An operation met something the user must be told about. Carries the whole diagnostic."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


class StoreError(Exception):
    """The store cannot do what was asked of it. `path` is where."""

    def __init__(self, message: str, path: Path | str | None = None) -> None:
        super().__init__(message)
        self.path = str(path) if path is not None else None


class StoreFull(StoreError):  # noqa: N818
    """The disk of the store (or the user's share of it) is full."""


class StoreReadOnly(StoreError):  # noqa: N818
    """The store, or the folder it should be made in, cannot be written."""


class StoreBusy(StoreError):  # noqa: N818
    """Something that needs the store alone was asked for while others use it."""


class Damaged(StoreError):  # noqa: N818
    """A stored file is not what its record says."""


FULL = frozenset({errno.ENOSPC, errno.EDQUOT} if hasattr(errno, "EDQUOT") else {errno.ENOSPC})
# What a machine may refuse at any time, whatever is asked of it: limits of files and of their number, failing disks.
OF_THE_MACHINE = frozenset({
    errno.EFBIG, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOLCK, errno.ESTALE, errno.EROFS,
})  # fmt: skip
READ_ONLY = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})


@contextmanager
def store_errors(root: Path) -> Iterator[None]:
    """Turns the operating system's words for a full or read-only disk into typed errors."""
    try:
        yield
    except OSError as e:
        if e.errno in FULL:
            raise StoreFull(f"the disk of `{root}` is full", root) from e
        # A folder that cannot even be made: below a file, or where the system allows none.
        if e.errno in READ_ONLY or (e.errno in {errno.ENOTDIR, errno.EEXIST, errno.ENOENT} and not root.is_dir()):
            raise StoreReadOnly(f"`{root}` cannot be written", root) from e
        raise
