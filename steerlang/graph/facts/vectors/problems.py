"""What is wrong with a vector file, as the readers of the formats say it."""

from __future__ import annotations

from steerlang.diagnostics import codes
from steerlang.diagnostics.codes import Code

COPY = "copy or download the file again"


class VectorFileError(Exception):
    """What is wrong with a file, after its name (`is truncated: …`), and how to mend it."""

    def __init__(self, message: str, *help: str, code: Code = codes.NOT_A_VECTOR) -> None:
        super().__init__(message)
        self.help = help
        self.code = code


def one_width(widths: dict[int, int]) -> int:
    """The width that all layers share."""
    if not widths:
        raise VectorFileError("holds no directions", "give a file of a steering vector")
    (first, width), *rest = sorted(widths.items())
    for layer, other in rest:
        if other != width:
            raise VectorFileError(
                f"is no vector: its direction at layer {first} is {width} wide, that at layer {layer} {other}", COPY
            )
    if width == 0:
        raise VectorFileError(f"is no vector: its direction at layer {first} is empty", COPY)
    return width
