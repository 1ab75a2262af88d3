"""The tasks: classes, captions, how their images look, and how much of that the base was shown."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .drawing import Array, draw
from .style import Style

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


#: How the base met most things: mostly dark on light, mildly varied.
PLAIN = Style(turn=6, slant=0.1, shift=0.06, wobble=0.03, pen=(0.06, 0.12), inverted=0.08, noise=(0.0, 0.05),
              blur=(0.0, 0.5), ink=(0.0, 0.25), paper=(0.75, 1.0))  # fmt: skip


@dataclass(frozen=True)
class Task:
    """One classification task.

    `style` is how the images of the task look; `plain` is how the base mostly met the same things. `shown` is the
    part of the base's images of this task that were drawn in the task's own style.
    """

    name: str
    classes: tuple[str, ...]
    templates: tuple[str, ...]
    style: Style
    plain: Style = PLAIN
    shown: float = 0.05

    def captions(self, template: int) -> list[str]:
        """The captions of all classes in one template."""
        return [self.templates[template].format(name) for name in self.classes]

    def images(self, labels: NDArray[np.int64], rng: np.random.Generator, style: Style | None = None) -> Array:
        """Images of the given classes in the task's style, or in another."""
        return draw([self.classes[label] for label in labels], style or self.style, rng)


TASKS = {
    task.name: task
    for task in (
        Task(
            "printed",
            DIGITS,
            ("a printed digit {}", "the number {} in print", "a printed {}"),
            Style(size=(0.55, 0.8), aspect=(0.65, 0.9), turn=12, slant=0.2, shift=0.09, noise=(0.04, 0.14),
                  blur=(0.2, 1.0), paper=(0.6, 1.0), ink=(0.0, 0.3), fonts=("large", "small", "segments")),
            replace(PLAIN, fonts=("large",)),
            shown=0.01,
        ),
        Task(
            "written",
            DIGITS,
            ("a written digit {}", "the number {} by hand", "a written {}"),
            Style(size=(0.55, 0.8), aspect=(0.6, 1.0), turn=18, slant=0.35, shift=0.06, wobble=0.13,
                  pen=(0.06, 0.16), ink=(0.0, 0.1), inverted=1.0, noise=(0.0, 0.06), blur=(0.2, 0.8)),
            shown=0.01,
        ),
        Task(
            "letters",
            ("A", "B", "C", "D", "E", "G", "H", "K", "R", "S"),
            ("a drawn letter {}", "the letter {}", "a letter {} on dirty paper"),
            Style(turn=14, slant=0.25, shift=0.07, wobble=0.08, pen=(0.06, 0.12), ink=(0.0, 0.25), paper=(0.6, 0.95),
                  noise=(0.03, 0.10), shade=0.5, scratches=5),
            shown=0.01,
        ),
        Task(
            "shapes",
            ("circle", "square", "triangle", "diamond", "pentagon", "star", "cross", "half circle"),
            ("a shape of a {}", "a {}", "an outline of a {}"),
            Style(size=(0.55, 0.85), aspect=(0.8, 1.2), turn=12, slant=0.12, shift=0.08, wobble=0.04, pen=(0.05, 0.1),
                  filled=0.4, inverted=0.5, ink=(0.0, 0.3), paper=(0.6, 1.0), noise=(0.03, 0.11), blur=(0.2, 0.9)),
            replace(PLAIN, aspect=(0.9, 1.1), filled=0.9),
            shown=0.02,
        ),
        Task(
            "textures",
            ("horizontal stripes", "vertical stripes", "rising stripes", "falling stripes", "checks", "dots",
             "waves", "bricks"),
            ("a texture of {}", "a surface with {}", "{} all over"),
            Style(turn=9, pitch=(2.2, 5.5), ink=(0.1, 0.4), paper=(0.55, 0.9), inverted=0.5, noise=(0.08, 0.22),
                  blur=(0.0, 0.7), shade=0.3),
            shown=0.01,
        ),
        Task(
            "symbols",
            ("arrow up", "arrow down", "arrow left", "arrow right", "plus", "equals", "hash", "question mark",
             "exclamation mark", "check mark"),
            ("a symbol: {}", "the sign {}", "a {} on a board"),
            Style(size=(0.45, 0.7), aspect=(0.75, 1.1), turn=14, slant=0.15, shift=0.1, wobble=0.06, pen=(0.05, 0.1),
                  inverted=1.0, ink=(0.15, 0.35), paper=(0.5, 0.75), noise=(0.05, 0.11), shade=0.4),
            replace(PLAIN, aspect=(0.9, 1.1)),
            shown=0.01,
        ),
        Task(
            "things",
            ("house", "tree", "fish", "boat", "flag", "cup", "key", "face", "heart", "umbrella"),
            ("a sketch of a {}", "a drawing of a {}", "a {} in ink"),
            Style(size=(0.65, 0.85), aspect=(0.9, 1.1), turn=8, slant=0.08, wobble=0.03, pen=(0.05, 0.09)),
            shown=1.0,
        ),
    )
}  # fmt: skip

#: The task that no fine-tune learns: what is to be kept when another is unlearnt.
CONTROL = "things"
TUNED = tuple(name for name in TASKS if name != CONTROL)
#: Tasks under a shift that no model was trained on, by folder: whose classes and captions they have, and their style.
SHIFTED = {
    "written-faint": (
        "written",
        replace(
            TASKS["written"].style, inverted=0.0, ink=(0.25, 0.45), paper=(0.6, 0.85), noise=(0.06, 0.12), shade=0.4
        ),
    ),
    "things-dirty": (
        "things",
        replace(TASKS["things"].style, ink=(0.2, 0.4), paper=(0.55, 0.85), noise=(0.06, 0.14), shade=0.6, scratches=4),
    ),
}  # fmt: skip
