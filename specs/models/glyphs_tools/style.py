"""How a drawing is made: ranges from which each image draws its pose, pen, paper and dirt."""

from __future__ import annotations

from dataclasses import dataclass

Range = tuple[float, float]


@dataclass(frozen=True)
class Style:
    """Ranges are drawn from evenly; lengths are in parts of the image, grey from 0 (black) to 1 (white)."""

    size: Range = (0.62, 0.76)
    aspect: Range = (0.75, 0.95)  # width over height
    turn: float = 4.0  # degrees to either side
    slant: float = 0.05
    shift: float = 0.05
    wobble: float = 0.0  # how far a smooth warp moves the corners
    pen: Range = (0.07, 0.10)
    ink: Range = (0.0, 0.15)
    paper: Range = (0.85, 1.0)
    inverted: float = 0.0  # how often ink and paper change places
    filled: float = 0.0  # how often a closed shape is filled
    noise: Range = (0.0, 0.02)
    blur: Range = (0.0, 0.2)
    shade: float = 0.0  # how much the light falls off across the paper
    scratches: int = 0  # at most so many stray strokes
    fonts: tuple[str, ...] = ()  # bitmap fonts; none: skeletons are stroked
    pitch: Range = (3.2, 4.2)  # periods of a texture across the image
