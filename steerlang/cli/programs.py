"""From the paths on a command line to programs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from steerlang.diagnostics import codes, error
from steerlang.source import Source
from steerlang.syntax.endings import PROGRAM_ENDINGS

from .exit_codes import ExitCode
from .failures import Failed


def collect(paths: Sequence[str]) -> list[str]:
    """Files as they are named, folders as the programs in them, in order and without repeats. `-` is standard input.

    Raises Failed for a folder without programs; a file that does not exist is left to whoever reads it.
    """
    found: dict[str, None] = {}
    for path in paths:
        if path != "-" and Path(path).is_dir():
            inside = inside_of(path)
            if not inside:
                raise Failed([error(codes.FILE_NOT_FOUND, None, f"`{path}` holds no programs", place=path,
                                    help="programs end in `.steer`, `.steer.yaml` or `.steer.json`")], ExitCode.INVALID)
            found.update(dict.fromkeys(inside))
        else:
            found[path] = None
    return list(found)


def inside_of(path: str) -> list[str]:
    """The programs below a folder, leaving hidden folders out."""
    folder = Path(path)
    files = (p for p in folder.rglob("*.steer*") if p.name.endswith(PROGRAM_ENDINGS) and p.is_file())
    return sorted(p.as_posix() for p in files if not any(part.startswith(".") for part in p.relative_to(folder).parts))


def standard_input() -> Source:
    """The program on standard input. Raises Failed when it is no text."""
    from steerlang.syntax import source_from_bytes

    content = sys.stdin.buffer.read() if sys.stdin is not None else b""
    source, problems = source_from_bytes(content, "<stdin>")
    if source is None:
        raise Failed(problems, ExitCode.INVALID)
    return source
