"""Questions about a scene with their answers, a third each of yes or no, number, and other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from .captions import FEEL, plural
from .world import COLOURS, MOODS, NUMBERS, PLACES, SHAPES, Group, Scene, pick

PLACE_NAMES = {"sea": "the sea", "field": "a field", "night": "the night sky", "sand": "sand", "snow": "snow"}
ALIKE: Mapping[str, str] = {  # what one of them may write instead
    "sea": "water", "field": "grass", "night": "sky", "sand": "desert", "snow": "winter", "cheerful": "happy",
    "gloomy": "sad", "calm": "quiet", "purple": "violet", "middle": "center", "corners": "around", "zero": "none",
}  # fmt: skip
PEOPLE = 5


@dataclass(frozen=True)
class Asked:
    """A question, its answer, and its type: `yes/no`, `number` or `other`."""

    question: str
    answer: str
    type: str


def ask(scene: Scene, kind: str, rng: np.random.Generator) -> Asked:
    """A question of a type."""
    forms = FORMS[kind]
    question, answer = forms[rng.integers(len(forms))](scene, rng)
    return Asked(question, answer, kind)


def answers(asked: Asked, rng: np.random.Generator) -> list[str]:
    """What five people answer: nearly all the same, now and then another word for it."""
    other = ALIKE.get(asked.answer, asked.answer)
    return [other if rng.random() < 0.15 else asked.answer for _ in range(PEOPLE)]


def _be(group: Group) -> str:
    return f"are the {plural(group.shape)}" if group.count > 1 else f"is the {group.shape}"


def _either(true: str, all_of: tuple[str, ...], rng: np.random.Generator) -> tuple[str, str]:
    """The true name and `yes`, or another and `no`, half and half."""
    if rng.random() < 0.5:
        return true, "yes"
    return pick(rng, tuple(name for name in all_of if name != true)), "no"


def _group(scene: Scene, rng: np.random.Generator) -> Group:
    return scene.groups[rng.integers(len(scene.groups))]


def _absent(scene: Scene, rng: np.random.Generator) -> str:
    return pick(rng, tuple(_left(SHAPES, {group.shape for group in scene.groups})))


def _left(names: Mapping[str, float], out: set[str]) -> list[str]:
    """The names in order, without some."""
    return [name for name in names if name not in out]


def _is_there(scene: Scene, rng: np.random.Generator) -> tuple[str, str]:
    there = rng.random() < 0.5
    return f"Is there a {_group(scene, rng).shape if there else _absent(scene, rng)}?", "yes" if there else "no"


def _is_there_coloured(scene: Scene, rng: np.random.Generator) -> tuple[str, str]:
    group = _group(scene, rng)
    if rng.random() < 0.5:
        return f"Is there a {group.colour} {group.shape}?", "yes"
    if rng.random() < 0.5:
        colour = pick(rng, tuple(name for name in COLOURS if name != group.colour))
        return f"Is there a {colour} {group.shape}?", "no"
    return f"Is there a {group.colour} {_absent(scene, rng)}?", "no"


def _has_colour(scene: Scene, rng: np.random.Generator) -> tuple[str, str]:
    group = _group(scene, rng)
    colour, answer = _either(group.colour, COLOURS, rng)
    return f"{_be(group).capitalize()} {colour}?", answer


def _is_place(scene: Scene, rng: np.random.Generator) -> tuple[str, str]:
    place, answer = _either(scene.place, PLACES, rng)
    return f"Is this {PLACE_NAMES[place]}?", answer


def _is_mood(scene: Scene, rng: np.random.Generator) -> tuple[str, str]:
    mood, answer = _either(scene.mood, MOODS, rng)
    return f"Does it look {FEEL[mood][0]}?", answer


def _how_many(scene: Scene, rng: np.random.Generator) -> tuple[str, str]:
    if rng.random() < 0.12:
        return f"How many {plural(_absent(scene, rng))} are there?", NUMBERS[0]
    group = scene.main if rng.random() < 0.7 else _group(scene, rng)
    return f"How many {plural(group.shape)} are there?", NUMBERS[group.count]


def _how_many_shapes(scene: Scene, rng: np.random.Generator) -> tuple[str, str]:
    return "How many shapes are there?", NUMBERS[sum(group.count for group in scene.groups)]


def _what_colour(scene: Scene, rng: np.random.Generator) -> tuple[str, str]:
    group = _group(scene, rng)
    return f"What colour {_be(group)}?", group.colour


def _where(scene: Scene, rng: np.random.Generator) -> tuple[str, str]:
    return f"Where {_be(scene.main)}?", scene.position


def _which_shape(scene: Scene, rng: np.random.Generator) -> tuple[str, str]:
    group = _group(scene, rng)
    return f"Which shape is {group.colour}?", group.shape


def _what_place(scene: Scene, rng: np.random.Generator) -> tuple[str, str]:
    return "What place is this?", scene.place


def _what_mood(scene: Scene, rng: np.random.Generator) -> tuple[str, str]:
    return "What is the mood?", scene.mood


Form = Callable[[Scene, np.random.Generator], tuple[str, str]]
FORMS: Mapping[str, tuple[Form, ...]] = {
    "yes/no": (_is_there, _is_there_coloured, _has_colour, _is_place, _is_mood),
    "number": (_how_many, _how_many, _how_many, _how_many_shapes),
    "other": (_what_colour, _what_colour, _where, _which_shape, _what_place, _what_mood),
}
