"""From a path to a `Source`, with everything that can be wrong with a file."""

from __future__ import annotations

import glob
import os
from pathlib import Path

from steerlang.diagnostics.codes import FILE_NOT_FOUND, FILE_TOO_LARGE, NOT_TEXT, UNREADABLE_FILE
from steerlang.diagnostics.model import Diagnostic, error
from steerlang.source import Source

from .parsing import MAX_CHARACTERS

_MAX_BYTES = 4 * MAX_CHARACTERS  # no character takes more in UTF-8
_BOM = b"\xef\xbb\xbf"


def read_source(path: str | Path, name: str | None = None) -> tuple[Source | None, list[Diagnostic]]:
    """The program text at `path`, shown under `name` (or the path as given), or None and why it cannot be read.

    A byte order mark is dropped; line breaks stay as they are.
    """
    shown = name if name is not None else str(path).replace(os.sep, "/")
    try:
        data = _read_at_most(Path(path), _MAX_BYTES + len(_BOM))
    except FileNotFoundError:
        help = _meant(Path(path))
        return None, [error(FILE_NOT_FOUND, None, f"`{shown}` does not exist", place=shown, help=help)]
    except IsADirectoryError:
        return None, [error(
            UNREADABLE_FILE, None, f"`{shown}` is a folder, not a program", place=shown,
            help="name a file in it, for instance one that ends in `.steer`",
        )]
    except (OSError, ValueError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) and problem.strerror else str(problem)
        return None, [error(UNREADABLE_FILE, None, f"`{shown}` cannot be read: {reason}", place=shown)]
    return source_from_bytes(data, shown, os.path.abspath(path))


def _meant(path: Path) -> tuple[str, ...]:
    """The help line where a file of that name lies in a folder beside."""
    if path.is_absolute():
        return ()
    found = sorted(p for p in Path().glob(f"*/{glob.escape(str(path))}") if p.is_file())
    return (f"did you mean `{found[0].as_posix()}`?",) if found else ()


def source_from_bytes(
    data: bytes, name: str, path: str | None = None,
) -> tuple[Source | None, list[Diagnostic]]:
    """The same for bytes that are already there, such as standard input."""
    data = data.removeprefix(_BOM)
    if len(data) <= _MAX_BYTES:
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as problem:
            return None, [_not_text(data, name, problem.start)]
        if "\0" in text:
            return None, [_not_text(data, name, data.index(b"\0"))]
        if len(text) <= MAX_CHARACTERS:
            return Source(name, text, path), []
    return None, [error(
        FILE_TOO_LARGE, None, f"`{name}` is larger than 1 MiB", place=name,
        help="split the program and join the parts with `import`; keep rows of data in files of their own",
    )]


def _read_at_most(path: Path, count: int) -> bytes:
    with path.open("rb") as file:
        return file.read(count + 1)


def _not_text(data: bytes, name: str, offset: int) -> Diagnostic:
    line = data.count(b"\n", 0, offset) + 1
    what = "is not text: it holds a zero byte" if data[offset] == 0 else "is not UTF-8 text"
    return error(
        NOT_TEXT, None, f"`{name}` {what} (line {line}, byte {offset})", place=name,
        help="save the file as UTF-8 text",
    )
