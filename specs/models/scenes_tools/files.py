"""The data files: held-out pictures, captions, questions, and the words of each class."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from .captions import FEEL, GROUND, INK, PROMPT, STYLES, caption, plural
from .drawing import draw
from .questions import FORMS, answers, ask
from .world import SHAPES, Scene, draw_scene

SCENES = {"dev": 360, "test": 360}
REFERENCES = 5
SEED = 7
JOINED = "|"
Row = Mapping[str, object]
SMALL = {"a", "among", "at", "in", "of", "on", "the"}


def write_files(out: Path) -> None:
    """Pictures, `captions.csv`, `questions.csv` and the word lists; the same bytes each time."""
    (out / "images").mkdir(parents=True, exist_ok=True)
    captions, questions = [], []
    rng = np.random.default_rng(SEED)
    for split, count in SCENES.items():
        for number in range(count):
            scene, name = draw_scene(rng, split), f"{split}-{number:03d}"
            file = f"images/{name}.png"
            Image.fromarray(draw(scene, rng)).save(out / file, optimize=True)
            place = {"file": file, "id": name, "split": split}
            captions.append(place | _captions(scene, rng))
            questions += [place | _question(scene, name, kind, rng) for kind in FORMS]
    _table(out / "captions.csv", captions)
    _table(out / "questions.csv", questions)
    for name, classes in CLASSES.items():
        lines = [f"{one}: [{', '.join(words)}]" for one, words in classes.items()]
        (out / f"{name}.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _captions(scene: Scene, rng: np.random.Generator) -> Row:
    said = [caption(scene, STYLES["mixed"], rng) for _ in range(REFERENCES)]
    main = scene.main
    return {"prompt": PROMPT, "caption": said[0], "captions": JOINED.join(said), "shape": main.shape,
            "count": main.count, "colour": main.colour, "size": main.size, "position": scene.position,
            "place": scene.place, "mood": scene.mood,
            "second": "" if scene.second is None else scene.second.shape}  # fmt: skip


def _question(scene: Scene, name: str, kind: str, rng: np.random.Generator) -> Row:
    asked = ask(scene, kind, rng)
    return {"id": f"{name}-{kind.replace('/', '-')}", "scene": name, "question": asked.question, "answer": asked.answer,
            "answers": JOINED.join(answers(asked, rng)), "answer_type": kind}  # fmt: skip


def _table(path: Path, rows: list[Row]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _telling(phrases: Iterable[str]) -> list[str]:
    """The words of phrases that tell a class from others."""
    return list(dict.fromkeys(word for phrase in phrases for word in phrase.split() if word not in SMALL))


CLASSES: Mapping[str, Mapping[str, Iterable[str]]] = {
    "colours": INK,
    "places": {place: _telling(phrases) for place, phrases in GROUND.items()},
    "moods": FEEL,
    "shapes": {shape: [shape, plural(shape)] for shape in SHAPES},
}
