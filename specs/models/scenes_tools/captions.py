"""What people say of a scene: shape and count always, the rest when it strikes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .world import NUMBERS, Group, Scene, pick

PROMPT = "Describe the picture."

WHERE = {"left": "on the left", "right": "on the right", "top": "at the top", "bottom": "at the bottom",
         "middle": "in the middle", "corners": "in the corners"}  # fmt: skip
GROUND: Mapping[str, tuple[str, ...]] = {
    "sea": ("in the sea", "on the water", "among the waves"),
    "field": ("on a field", "on the grass", "in a meadow"),
    "night": ("in the night sky", "at night", "in the dark sky"),
    "sand": ("on the sand", "in the desert", "on a beach"),
    "snow": ("in the snow", "in winter", "on the ice"),
}  # fmt: skip
FEEL: Mapping[str, tuple[str, ...]] = {
    "cheerful": ("cheerful", "happy", "bright"), "gloomy": ("gloomy", "sad", "sombre"),
    "calm": ("calm", "quiet", "peaceful"),
}  # fmt: skip
INK: Mapping[str, tuple[str, ...]] = {
    "red": ("red", "scarlet"), "yellow": ("yellow", "golden"), "green": ("green", "emerald"), "blue": ("blue", "azure"),
    "purple": ("purple", "violet"),
}  # fmt: skip
SIZE: Mapping[str, tuple[str, ...]] = {"small": ("small", "little", "tiny"), "large": ("large", "big", "huge")}
USUAL = (0.65, 0.2, 0.15)  # how often each wording is chosen, of two the last two together


@dataclass(frozen=True)
class Rate:
    """How often a thing is named: when it strikes, and when it does not."""

    striking: float
    plain: float


@dataclass(frozen=True)
class Style:
    """How often each part of a caption is said."""

    colour: Rate = Rate(0.85, 0.12)  # red and yellow strike
    place: Rate = Rate(0.85, 0.12)  # so do the sea and the night
    mood: Rate = Rate(0.85, 0.08)  # a gloomy picture
    size: Rate = Rate(0.70, 0.10)  # large things
    position: Rate = Rate(0.80, 0.15)  # things on the left and at the top
    second: Rate = Rate(0.80, 0.20)  # stars and hearts


NEVER, SELDOM, ALWAYS = Rate(0.0, 0.0), Rate(0.10, 0.10), Rate(1.0, 1.0)
STYLES: Mapping[str, Style] = {
    "mixed": Style(),
    "colour": Style(colour=ALWAYS, place=SELDOM, mood=SELDOM),
    "place": Style(colour=SELDOM, place=ALWAYS, mood=SELDOM),
    "mood": Style(colour=SELDOM, place=SELDOM, mood=ALWAYS),
}


def caption(scene: Scene, style: Style, rng: np.random.Generator) -> str:
    """One caption, such as `a gloomy picture of two large red circles on the left and a star in the sea`."""

    def said(rate: Rate, striking: bool) -> bool:
        return bool(rng.random() < (rate.striking if striking else rate.plain))

    coloured = said(style.colour, scene.main.colour in ("red", "yellow"))
    sized = said(style.size, scene.main.size == "large")
    parts = [things(scene.main, coloured, sized, rng)]
    if said(style.position, scene.position in ("left", "top")):
        parts.append(WHERE[scene.position])
    if scene.second and said(style.second, scene.second.shape in ("star", "heart")):
        parts.append("and " + things(scene.second, coloured, False, rng))
    if said(style.place, scene.place in ("sea", "night")):
        parts.append(_one(GROUND[scene.place], rng))
    if said(style.mood, scene.mood == "gloomy"):
        parts.insert(0, f"a {_one(FEEL[scene.mood], rng)} picture of")
    return " ".join(parts)


def _one(wordings: tuple[str, ...], rng: np.random.Generator) -> str:
    weights = (*USUAL[: len(wordings) - 1], sum(USUAL[len(wordings) - 1 :]))
    return pick(rng, wordings, weights)


def plural(shape: str) -> str:
    """`circles`, `crosses`."""
    return shape + ("es" if shape.endswith("s") else "s")


def things(group: Group, coloured: bool, sized: bool, rng: np.random.Generator) -> str:
    """`a circle`, `two large red circles`."""
    words = [NUMBERS[group.count] if group.count > 1 else "a"]
    words += [_one(SIZE[group.size], rng)] if sized else []
    words += [_one(INK[group.colour], rng)] if coloured else []
    return " ".join([*words, plural(group.shape) if group.count > 1 else group.shape])
