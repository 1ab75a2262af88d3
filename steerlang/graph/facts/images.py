"""Images that a table names: whether each is there and can be one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from steerlang.data import Demonstration, Rows
from steerlang.data.images import exists, not_an_image
from steerlang.diagnostics import codes

from .promise import Trouble

_NOTES = 10


def bad_images(path: Path, name: str, rows: Rows) -> Trouble | None:
    """What is wrong with the images of a table, by its rows: files that are not there first."""
    lost = [row for row in rows if not exists(path.parent / str(row["image"]))]
    if lost:
        message = f"{len(lost)} of {len(rows)} images named in `{name}` do not exist"
        help = f"image paths start from the folder of the file that names them, {path.parent}"
        notes = _listed([(row, "") for row in lost])
        return Trouble(codes.FILE_NOT_FOUND, message, (help,), notes, _place(path, lost[0]))
    seen: dict[str, str | None] = {}
    for row in rows:
        image = str(row["image"])
        if image not in seen:
            seen[image] = not_an_image(path.parent / image)
    broken = [(row, f" {why}") for row in rows if (why := seen[str(row["image"])]) is not None]
    if not broken:
        return None
    some = f"{len(broken)} of {len(rows)} images named in `{name}` cannot be read"
    help = "save them again as PNG or JPEG, or take their rows out"
    return Trouble(codes.BAD_IMAGE, some, (help,), _listed(broken), _place(path, broken[0][0]))


def _listed(rows: Sequence[tuple[Demonstration, str]]) -> tuple[str, ...]:
    notes = [f"line {row['line']}: `{row['image']}`{why}" for row, why in rows[:_NOTES]]
    more = len(rows) - len(notes)
    return (*notes, f"and {more} more") if more else tuple(notes)


def _place(path: Path, row: Demonstration) -> str:
    return f"{path}:{row['line']}"
