"""Image files as pictures that a processor takes: decoded, turned upright, in the channels a model reads."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from steerlang.data.images import FORMATS
from steerlang.models.errors import BadImage, MissingPackage

# The number of pixels that Pillow refuses to decode: an archive of a few bytes can announce any.
MAX_PIXELS = 178_956_970
_SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N")
_UNKNOWN_RANGE = ("I", "F")
_ORIENTATION = 0x0112  # of EXIF; these values turn an image by a quarter
_SIDEWAYS = frozenset({5, 6, 7, 8})


def picture(path: str | Path, channels: int = 3) -> Any:
    """The image as a Pillow image, RGB or, for models of one channel, grey.

    Turned as its EXIF data says. Transparency is dropped, as the preprocessing of CLIP does. 16-bit grey is divided by
    257. Of an animation the first frame is taken. Raises BadImage, MissingPackage.
    """
    pillow = _pillow()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of sizes, which are checked here
            with pillow.Image.open(path, formats=FORMATS) as opened:
                _check(opened, path)
                turned = pillow.ImageOps.exif_transpose(opened)
                return _in_eight_bits(turned, pillow).convert("L" if channels == 1 else "RGB")
    except BadImage:
        raise
    except Exception as problem:  # Pillow's decoders raise whatever the damage leads them to
        raise BadImage(str(path), _reason(problem)) from problem


def size_of(path: str | Path, place: str = "") -> tuple[int, int]:
    """Width and height of an image as `picture` gives it, from its header alone. Raises BadImage, MissingPackage."""
    pillow = _pillow()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with pillow.Image.open(path, formats=FORMATS) as opened:
                _check(opened, path)
                width, height = opened.size
                turned = opened.getexif().get(_ORIENTATION) in _SIDEWAYS
                return (height, width) if turned else (width, height)
    except BadImage as broken:
        raise BadImage(broken.path, broken.reason, place) from broken
    except Exception as problem:
        raise BadImage(str(path), _reason(problem), place) from problem


def _check(opened: Any, path: str | Path) -> None:
    width, height = opened.size
    if width * height > MAX_PIXELS:
        raise BadImage(str(path), f"it has {width} x {height} pixels, more than {MAX_PIXELS:,}")
    if opened.mode in _UNKNOWN_RANGE:
        raise BadImage(str(path), f"its pixels (mode {opened.mode}) have no known range: convert it to 8 bits")


def _in_eight_bits(image: Any, pillow: Any) -> Any:
    if image.mode not in _SIXTEEN_BITS:
        return image
    values = np.asarray(image).astype(np.uint32)
    return pillow.Image.fromarray(((values + 128) // 257).astype(np.uint8))


def _pillow() -> Any:
    try:
        import PIL.Image
        import PIL.ImageOps
    except ImportError as absent:
        help = "install it with `pip install 'steerlang[vision]'`"
        raise MissingPackage("reading images needs the package Pillow, which is not installed", help) from absent
    return PIL


def _reason(problem: Exception) -> str:
    if type(problem).__name__ == "UnidentifiedImageError":
        return f"it is none of {', '.join(FORMATS)}"
    if isinstance(problem, OSError) and problem.strerror:
        return problem.strerror.lower()
    lines = str(problem).strip().splitlines()
    return lines[0] if lines else type(problem).__name__
