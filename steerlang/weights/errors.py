"""The one error of this room: what is wrong with weights, said so that it can be mended."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from steerlang.diagnostics import codes
from steerlang.diagnostics.codes import Code
from steerlang.diagnostics.suggest import nearest

_FULL = frozenset({errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)})
_LISTED = 3


class WeightsError(Exception):
    """Weights that cannot be used as asked. The fields are those of a diagnostic without its place in a program.

    message  one sentence that names the tensor, checkpoint, block or file
    help     what to do about it, one line each
    code     which diagnostic this is
    notes    further facts
    place    the file or folder at fault
    """

    def __init__(
        self,
        message: str,
        help: str | tuple[str, ...] = (),
        code: Code = codes.UNREADABLE_MODEL,
        *,
        notes: tuple[str, ...] = (),
        place: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.help = (help,) if isinstance(help, str) else help
        self.code = code
        self.notes = notes
        self.place = place


def near(name: str, candidates: Iterable[str]) -> tuple[str, ...]:
    """The help line with the names that may have been meant; empty where none is near.

    Names of tensors are long and alike, so what counts is the distance of the segments that differ.
    """
    found = nearest(name, [c for c in candidates if abs(len(c) - len(name)) <= 6 and c[:4] == name[:4]], _LISTED)
    return ("the nearest names are " + ", ".join(f"`{n}`" for n in found),) if found else ()


def listed(names: Iterable[str], most: int = _LISTED) -> str:
    """Some names as a phrase: the first ones, and how many more there are."""
    every = list(names)
    shown = ", ".join(f"`{name}`" for name in every[:most])
    return shown + (f" and {len(every) - most:,} more" if len(every) > most else "")


@contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Turns a full disk, or one that cannot be written, into a WeightsError that names the folder."""
    try:
        yield
    except OSError as problem:
        if problem.errno in _FULL:
            message = f"the disk is full: `{folder}` could not be written"
            raise WeightsError(
                message, "free some space and run again", codes.DISK_FULL, place=str(folder)
            ) from problem
        reason = (problem.strerror or type(problem).__name__).lower()
        message = f"`{folder}` could not be written: {reason}"
        raise WeightsError(message, (), codes.UNREADABLE_FILE, place=str(folder)) from problem
