"""Images small enough to stand in a page: as data URIs, so that the page needs no other file."""

from __future__ import annotations

import base64
from functools import lru_cache
from io import BytesIO
from pathlib import Path

SIDE = 96
# Without the package that decodes images only small files that browsers show are taken, as they are.
_LARGEST = 48 << 10
_KINDS = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".gif": "gif", ".webp": "webp"}


@lru_cache(maxsize=4096)
def thumbnail(path: Path) -> str:
    """An image as a data URI of at most `SIDE` pixels a side; empty where it cannot be read."""
    try:
        from PIL import Image, ImageOps
    except ImportError:
        return _whole(path)
    try:
        with Image.open(path) as opened:
            image = ImageOps.exif_transpose(opened).convert("RGB")
        image.thumbnail((SIDE, SIDE))
        return _smaller(image)
    except Exception:  # a page is made also where an image went missing since, or is damaged
        return ""


def _smaller(image: object) -> str:
    """Drawings are smaller as PNG, photographs as JPEG."""
    found = []
    for kind, options in (("png", {"optimize": True}), ("jpeg", {"quality": 85})):
        buffer = BytesIO()
        image.save(buffer, kind, **options)  # type: ignore[attr-defined]
        found.append((len(buffer.getvalue()), kind, buffer.getvalue()))
    _, kind, data = min(found)
    return _uri(kind, data)


def _whole(path: Path) -> str:
    kind = _KINDS.get(path.suffix.lower())
    try:
        data = path.read_bytes() if kind is not None and path.stat().st_size <= _LARGEST else b""
    except OSError:
        data = b""
    return _uri(kind, data) if kind is not None and data else ""


def _uri(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"
