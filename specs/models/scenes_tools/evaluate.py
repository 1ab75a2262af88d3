"""Measures a model on the data files: captions and answers, by plain `generate` of the library.

In specs/models: `python -m scenes_tools.evaluate scenes-colour`.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch
from PIL import Image

from .captions import FEEL, INK, PROMPT
from .files import CLASSES
from .model import load
from .world import NUMBERS

Row = Mapping[str, str]
BATCH = 50


def rows_of(path: Path, split: str) -> list[Row]:
    """The rows of a split."""
    with path.open(encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if row["split"] == split]


@torch.no_grad()
def replies(folder: Path, data: Path, asked: Sequence[tuple[str, str]], longest: int = 28) -> Iterator[str]:
    """Greedy replies to pairs of picture file and prompt."""
    model, processor = load(folder)
    for start in range(0, len(asked), BATCH):
        part = asked[start : start + BATCH]
        chats = [[{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": prompt}]}]
                 for _, prompt in part]  # fmt: skip
        prompts = processor.apply_chat_template(chats, add_generation_prompt=True)
        images = [Image.open(data / file) for file, _ in part]
        inputs = processor(text=prompts, images=images, padding=True, return_tensors="pt")
        found = model.generate(**inputs, max_new_tokens=longest, do_sample=False)
        new = found[:, inputs["input_ids"].shape[1] :]
        yield from (text.strip() for text in processor.batch_decode(new, skip_special_tokens=True))


def first(text: str, classes: Mapping[str, Sequence[str]]) -> str | None:
    """The class of the first word of the text that belongs to one."""
    of = {word: name for name, words in classes.items() for word in words}
    return next((of[word] for word in text.split() if word in of), None)


COUNTS = {str(i): [NUMBERS[i]] if i > 1 else ["a"] for i in range(1, 5)}


def counted(text: str) -> str | None:
    """The main group's count: the last of `a`, `two`, … before the first shape."""
    shapes = {word for words in CLASSES["shapes"].values() for word in words}
    words = text.split()
    before = words[: next((i for i, word in enumerate(words) if word in shapes), 0)]
    return first(" ".join(reversed(before)), COUNTS)


def captions(folder: Path, data: Path, split: str) -> dict[str, float]:
    """Shares of captions with the right shape and count, and of named colours, places and moods that are right."""
    rows = rows_of(data / "captions.csv", split)
    said = list(replies(folder, data, [(row["file"], PROMPT) for row in rows]))
    shapes = [first(text, CLASSES["shapes"]) == row["shape"] for text, row in zip(said, rows, strict=True)]
    counts = [counted(text) == row["count"] for text, row in zip(said, rows, strict=True)]
    share = {"shape": _share(shapes), "count": _share(counts)}
    for key, classes in (("colour", INK), ("place", CLASSES["places"]), ("mood", FEEL)):
        found = [first(text, classes) for text in said]
        share[f"names_{key}"] = _share([name is not None for name in found])
        if any(found):
            named = zip(found, rows, strict=True)
            share[f"{key}_right_when_named"] = _share([name == row[key] for name, row in named if name is not None])
    share["different_captions"] = len(set(said))
    return share


def questions(folder: Path, data: Path, split: str) -> dict[str, float]:
    """Shares of answers equal to the reference, by type and over all."""
    rows = rows_of(data / "questions.csv", split)
    said = replies(folder, data, [(row["file"], row["question"]) for row in rows], longest=3)
    right = [(row["answer_type"], text == row["answer"]) for text, row in zip(said, rows, strict=True)]
    kinds = dict.fromkeys(kind for kind, _ in right)
    return {kind: _share([ok for one, ok in right if one == kind]) for kind in kinds} | {
        "all": _share([ok for _, ok in right])
    }


def _share(found: Sequence[bool]) -> float:
    return round(sum(found) / len(found), 3)


def evaluate(folder: Path, data: Path) -> dict[str, object]:
    """All figures, on the test scenes."""
    return {"captions": captions(folder, data, "test"), "answers": questions(folder, data, "test")}


if __name__ == "__main__":
    models = Path(__file__).parents[1]
    for name in sys.argv[1:] or ["scenes"]:
        print(name, evaluate(models / name, models.parent / "data" / "scenes"))
