"""The images that a page shows: small ones as they are, large ones made small, and no more than a page holds."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from steerlang.data.images import image_format
from steerlang.reports.findings import Findings

MOST = 300  # images on a page
MOST_BYTES = 2_000_000  # of all of them together
MOST_OF_TABLE = 40  # prompts of one definition
AS_IT_IS = 16_000  # bytes of an image that is not made smaller
SIDE = 160  # pixels of one that is
# What browsers show.
_TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "GIF": "image/gif", "WEBP": "image/webp"}


def pictures_of(findings: Findings) -> dict[str, str]:
    """By path, what stands in `src`. What is not there, or no image that a browser shows, is left out."""
    found: dict[str, str] = {}
    room = MOST_BYTES
    for path in dict.fromkeys(_shown(findings)):
        source = _source(Path(path)) if len(found) < MOST else None
        if source is None or len(source) > room:
            continue
        found[path] = source
        room -= len(source)
    return found


def _shown(findings: Findings) -> Iterator[str]:
    """The images that stand beside prompts, in the order they are shown."""
    for samples in findings.samples:
        yield from samples.images[:MOST_OF_TABLE]


def _source(path: Path) -> str | None:
    try:
        content = path.read_bytes()
    except (OSError, ValueError):
        return None
    format = image_format(content[:32])
    if format in _TYPES and len(content) <= AS_IT_IS:
        return _data(_TYPES[format], content)
    return _smaller(content) if format is not None and find_spec("PIL") is not None else None


def _smaller(content: bytes) -> str | None:
    from PIL import Image

    target = io.BytesIO()
    try:
        with Image.open(io.BytesIO(content)) as picture:
            picture.thumbnail((SIDE, SIDE))
            picture.convert("RGB").save(target, "JPEG", quality=80)
    except Exception:  # pillow has many ways to say that a file is broken
        return None
    return _data("image/jpeg", target.getvalue())


def _data(type: str, content: bytes) -> str:
    return f"data:{type};base64,{base64.b64encode(content).decode('ascii')}"
