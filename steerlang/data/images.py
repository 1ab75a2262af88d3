"""Images by their first bytes: whether a file can be one at all, before anything decodes it."""

from __future__ import annotations

from pathlib import Path

HEAD = 32
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP")
_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
)


def image_format(head: bytes) -> str | None:
    """The format that the first bytes of a file announce, or None."""
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "WEBP"
    return next((name for signature, name in _SIGNATURES if head.startswith(signature)), None)


def not_an_image(path: Path) -> str | None:
    """Why a file that exists cannot be an image, or None."""
    try:
        with path.open("rb") as handle:
            head = handle.read(HEAD)
    except OSError as problem:
        return f"cannot be read: {(problem.strerror or type(problem).__name__).lower()}"
    if not head:
        return "is empty"
    if head.startswith(b"version https://git-lfs"):
        return "is a Git LFS pointer, not the file itself (run `git lfs pull`)"
    if image_format(head) is None:
        return f"is none of {', '.join(FORMATS)}"
    return None


def exists(path: Path) -> bool:
    """Whether there is such a file; False for names that cannot be one."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False
