"""Shorthand for the two commonest troubles."""

from __future__ import annotations

from pathlib import Path

from steerlang.diagnostics import codes

from .promise import Trouble


def bad_model(path: Path, message: str, *help: str, notes: tuple[str, ...] = ()) -> Trouble:
    """A file or folder of a model that cannot be used."""
    return Trouble(codes.UNREADABLE_MODEL, message, help, notes, str(path))


def bad_file(path: Path, message: str, *help: str, line: int | None = None) -> Trouble:
    """A file that cannot be read as what it should be."""
    return Trouble(codes.UNREADABLE_FILE, message, help, place=str(path) if line is None else f"{path}:{line}")


def unreadable(name: str, path: Path, problem: OSError) -> Trouble:
    """A file the operating system does not let us read."""
    reason = (problem.strerror or type(problem).__name__).lower()
    help = ("give yourself the right to read it",) if isinstance(problem, PermissionError) else ()
    return bad_file(path, f"`{name}` cannot be read: {reason}", *help)
