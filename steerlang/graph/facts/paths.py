"""Where a path written in a program leads, and what to say when it leads nowhere."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path

from steerlang.diagnostics import codes
from steerlang.diagnostics.suggest import nearest

from .promise import Trouble

_PROJECT_MARKS = ("pyproject.toml", ".git")
# More names help nobody, and a folder may hold a million.
_NAMES_LISTED = 1000
_NAMES_SHOWN = 6


def project_folder(folder: Path) -> Path:
    """The nearest folder, from `folder` upwards, that holds a project; `folder` itself where none does."""
    start = folder.resolve()
    for candidate in (start, *start.parents):
        if any((candidate / mark).exists() for mark in _PROJECT_MARKS):
            return candidate
    return start


def resolve_path(text: str, base_folder: str | Path) -> Path | Trouble:
    """The absolute path that `text` means in a program in `base_folder`; it need not exist.

    An absolute path (or one from `~`) may lead anywhere. A relative one must stay in the project, also through
    symbolic links: a program taken from elsewhere then reads nothing it does not name in full.
    """
    if not text.strip() or "\0" in text:
        wrong = "is empty" if not text.strip() else "holds a NUL character"
        return Trouble(codes.FILE_NOT_FOUND, f"the path {wrong}", ("name a file",))
    if "://" in text:
        return Trouble(codes.FILE_NOT_FOUND, f"`{text}` is an address, not a path", ("download it and name the file",))
    if os.path.isabs(text) or text.startswith("~"):
        return Path(os.path.abspath(os.path.expanduser(text)))
    base = Path(base_folder)
    written = Path(os.path.abspath(base / text))
    root = project_folder(base)
    # Not `Path.resolve`: it raises where symbolic links lead in a circle.
    if not Path(os.path.realpath(base / text)).is_relative_to(root):
        through_link = written.is_relative_to(root) or written.is_relative_to(os.path.abspath(root))
        how = "through a symbolic link" if through_link else "by `..`"
        return Trouble(
            codes.OUTSIDE_PROJECT,
            f"`{text}` leaves the folder of the project {how}",
            (
                "write the absolute path, copy what is needed into the project, "
                "or put an empty `pyproject.toml` where the project begins",
            ),
            (f"the folder of the project is {root}",),
        )
    return written


def missing(text: str, path: Path, what: str) -> Trouble:
    """A file or folder that does not exist, with the nearest name beside it."""
    help = did_you_mean_path(text, path)
    return Trouble(codes.FILE_NOT_FOUND, f"{what} `{text}` does not exist", help, (f"looked for {path}",), str(path))


def did_you_mean_path(text: str, path: Path) -> tuple[str, ...]:
    """A help line for a path of which some part does not exist: near names, else what there is."""
    close = near_paths(text, path)
    if close:
        return ("did you mean " + " or ".join(f"`{one}`" for one in close) + "?",)
    folder = _gap(path).parent
    names = names_in(folder)
    if not names:
        return (f"the folder {folder} is empty",)
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return (f"the folder {folder} holds " + ", ".join(f"`{name}`" for name in names[:_NAMES_SHOWN]) + more,)


def near_paths(text: str, path: Path) -> tuple[str, ...]:
    """`text` with the first part that does not exist replaced by near names beside it."""
    gap = _gap(path)
    below = path.relative_to(gap).parts
    written = Path(text).parts
    above = written[: max(0, len(written) - len(below) - 1)]
    return tuple(Path(*above, name, *below).as_posix() for name in nearest(gap.name, names_in(gap.parent)))


def _gap(path: Path) -> Path:
    """The first part of `path`, from the top, that does not exist."""
    gap = path
    while not gap.parent.is_dir() and gap.parent != gap:
        gap = gap.parent
    return gap


def names_in(folder: Path) -> list[str]:
    """Names in a folder, sorted, hidden ones left out; none where it cannot be looked into."""
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in islice(entries, _NAMES_LISTED)]
    except OSError:
        return []
    return sorted(name for name in names if not name.startswith("."))
