"""The glyphs models and their data files are what their scripts and cards say."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
SPECS = Path(__file__).parents[2] / "specs"
sys.path.insert(0, str(SPECS / "models"))

from glyphs_tools import files, png  # noqa: E402
from glyphs_tools.claims import Bench, bench, zero  # noqa: E402
from glyphs_tools.tasks import CONTROL, SHIFTED, TASKS, TUNED  # noqa: E402

DATA = SPECS / "data" / "glyphs"


@pytest.fixture(scope="module")
def measured() -> Bench:
    return bench(SPECS / "models", DATA)


@pytest.mark.parametrize("place", [2, 13, 27])
def test_the_script_draws_the_stored_images(place: int) -> None:
    split = list(files.splits())[place]
    images, labels = split.draw(np.random.default_rng([files.SEED, place]))
    rows = (DATA / split.folder / f"{split.name}.csv").read_text(encoding="utf-8").splitlines()[1:]
    assert len(rows) == len(images)
    for row, image, label in zip(rows, images, labels, strict=True):
        file, *named = row.split(",")
        assert np.abs(png.read(DATA / split.folder / file) - image).max() <= 1.01 / 63
        assert named in ([], [split.task.classes[label]])


def test_unlabelled_rows_hold_no_class_and_labelled_ones_are_balanced() -> None:
    for split in files.splits():
        head, *rows = (DATA / split.folder / f"{split.name}.csv").read_text(encoding="utf-8").splitlines()
        assert head == ("file" if split.name == "unlabelled" else "file,class")
        assert len(rows) == split.each * len(split.task.classes)
        if split.name != "unlabelled":
            named = [row.split(",")[1] for row in rows]
            assert {named.count(name) for name in split.task.classes} == {split.each}


def test_fine_tunes_leave_the_text_encoder_alone(measured: Bench) -> None:
    assert set(measured.pool.vectors) == set(TUNED)
    assert all(name.startswith(("vision_model.", "visual_projection.")) for name in measured.pool.blocks)


def test_cards_tell_the_accuracies(measured: Bench) -> None:
    stored = json.loads((SPECS / "models/glyphs/training.json").read_text(encoding="utf-8"))["accuracy"]
    for name in (*TASKS, *SHIFTED):
        assert measured.accuracy(zero(measured.pool), name, "test") == pytest.approx(stored["glyphs"][name], abs=0.01)
    card = (SPECS / "models/glyphs/README.md").read_text(encoding="utf-8")
    row = next(line for line in card.splitlines() if line.startswith("| glyphs |"))
    cells = [float(cell) for cell in re.findall(r"[01]\.\d{3}", row)]
    assert cells == [round(value, 3) for value in stored["glyphs"].values()]


def test_each_fine_tune_gains_on_its_own_task(measured: Bench) -> None:
    for name in TUNED:
        pool = measured.pool.only(name)
        before, after = (measured.accuracy(zero(pool) + scale, name, "test", pool) for scale in (0.0, 1.0))
        assert after >= before + 0.08, name
    assert measured.accuracy(zero(measured.pool), CONTROL, "test") >= 0.95
