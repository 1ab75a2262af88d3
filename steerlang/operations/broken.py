"""Rows of images that can be read, where a program says that the others are left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from steerlang.data.images import exists
from steerlang.diagnostics import codes

from .base import fail

Row = dict[str, Any]


def whole_images(rows: list[Row], table: Path) -> tuple[list[Row], list[Row]]:
    """The rows whose images can be decoded, and of each of the others its line, its image and why not.

    Each image is decoded once, here: what reads the rows later meets none that it cannot read.
    """
    seen: dict[str, str | None] = {}
    whole: list[Row] = []
    broken: list[Row] = []
    for row in rows:
        image = str(row["image"])
        if image not in seen:
            seen[image] = _damage(table.parent / image)
        why = seen[image]
        if why is None:
            whole.append(row)
        else:
            broken.append({"line": row["line"], "image": image, "why": why})
    if not whole:
        first = broken[0]
        message = f"none of {len(broken)} images of `{table.name}` can be read: `{first['image']}` {first['why']}"
        raise fail(codes.BAD_IMAGE, message, "save them again as PNG or JPEG")
    return whole, broken


def _damage(path: Path) -> str | None:
    if not exists(path):
        return "does not exist"
    from steerlang.models.errors import BadImage
    from steerlang.models.pictures import picture

    try:
        picture(path)
    except BadImage as broken:
        return f"cannot be read: {broken.reason}"
    return None
