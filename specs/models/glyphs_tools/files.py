"""The data files: a folder a task, a CSV and a folder of images a split, class names and templates as text."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from . import png
from .drawing import Array
from .model import pixels
from .style import Style
from .tasks import CONTROL, SHIFTED, TASKS, Task

SEED = 11
#: Images a class. Training draws its own, from other generators.
SPLITS = {"few": 8, "validation": 10, "test": 25, "unlabelled": 12}
KEPT = {CONTROL: ("validation", "test")}
SHIFTED_SPLITS = {"unlabelled": 20, "test": 25}


@dataclass(frozen=True)
class Split:
    """What one folder of images holds."""

    folder: str
    name: str
    task: Task
    style: Style
    each: int

    def draw(self, rng: np.random.Generator) -> tuple[Array, NDArray[np.int64]]:
        """Images and labels, as many of each class, in random order."""
        labels = rng.permutation(np.repeat(np.arange(len(self.task.classes)), self.each))
        return self.task.images(labels, rng, self.style), labels


def splits() -> Iterator[Split]:
    """All splits of all tasks, then those of the shifted ones."""
    for task in TASKS.values():
        for name, each in SPLITS.items():
            if name in KEPT.get(task.name, SPLITS):
                yield Split(task.name, name, task, task.style, each)
    for folder, (task_name, style) in SHIFTED.items():
        for name, each in SHIFTED_SPLITS.items():
            yield Split(folder, name, TASKS[task_name], style, each)


def write_files(data: Path) -> None:
    """Write every data file anew; the same seed gives the same bytes."""
    for place, split in enumerate(splits()):
        folder = data / split.folder / split.name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        images, labels = split.draw(np.random.default_rng([SEED, place]))
        rows = [["file"]] if split.name == "unlabelled" else [["file", "class"]]
        for i, (image, label) in enumerate(zip(images, labels, strict=True)):
            png.write(folder / f"{i:03}.png", image)
            rows.append([f"{split.name}/{i:03}.png", split.task.classes[label]][: len(rows[0])])
        with (folder.parent / f"{split.name}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(rows)
        for kind, lines in (("classes", split.task.classes), ("templates", split.task.templates)):
            (folder.parent / f"{kind}.txt").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def load(data: Path, folder: str, split: str) -> tuple[Tensor, Tensor]:
    """Pixel values of a stored split and labels; the labels of an unlabelled one are empty."""
    classes = (data / folder / "classes.txt").read_text(encoding="utf-8").splitlines()
    with (data / folder / f"{split}.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    images = np.stack([png.read(data / folder / row["file"]) for row in rows])
    return pixels(images), torch.tensor([classes.index(row["class"]) for row in rows if "class" in row])
