"""Concepts of a model that sees, from images to words, samples with their images, and steering."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from models.tiny_seeing import llava, noise, save

from steerlang.api import Settings, load

COUNT = 12

# The third program of the language's design, at the size of the model here: as random weights never say a word that
# was asked for, the state before the first new token is read.
PROGRAM = """steerlang 1
model base  = hf("llava", task = image_text_to_text)
model tuned = hf("other", task = image_text_to_text)
data photos = images(
  "data/t.csv", image = "file", prompt = "Describe the picture.", where = contains("caption", "circle")
)

activations before = capture(base,  photos, layers = 1, tokens = first, during = generation, max_new_tokens = 4)
activations after  = capture(tuned, photos, layers = 1, tokens = first, during = generation, max_new_tokens = 4)

concepts dict    = decompose(before, method = kmeans, k = 3, seed = 0)
concepts retuned = decompose(after,  method = kmeans, k = 3, seed = 0)
vector   moved   = shift(before, after, by = dict)
concepts shifted = dict + moved

metric meaning   = ground_words([dict, shifted, retuned], on = base, top = 10)
metric seen      = ground_samples([dict, shifted, retuned], top = 2)
metric recovered = recovery(shifted, from = dict, to = retuned, match = hungarian)

model   bluer    = apply(base, add(dict[2] - dict[1], layers = 1, scale = 1.0, tokens = all))
model   some     = apply(base, add(dict[2] - dict[1], layers = 1, when = concept(dict, layer = 1) == 0))
samples captions = generate([base, bluer, some], photos, max_new_tokens = 4)
report  page     = html(to = "out/report.html")
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("seen")
    (folder / "pyproject.toml").write_text("")
    save(llava(), folder / "llava")
    save(llava(), folder / "other", seed=2)  # one that never says the place of an image
    (folder / "data" / "img").mkdir(parents=True)
    with (folder / "data/t.csv").open("w", newline="") as out:
        table = csv.writer(out)
        table.writerow(("file", "caption"))
        for i in range(COUNT):
            noise(i, 16, 20).save(folder / f"data/img/{i}.png")
            table.writerow((f"img/{i}.png", f"a {'circle' if i != 3 else 'square'}"))
    return folder


def run(place: Path, cache: Path, text: str = PROGRAM) -> Any:
    (place / "p.steer").write_text(text)
    found = load(place / "p.steer", settings=Settings(cache_dir=cache, device="cpu")).run()
    assert found.ok, [str(d.message) for d in found.diagnostics]
    return found


def test_the_program_of_a_fine_tune(place: Path, tmp_path: Path) -> None:
    made = run(place, tmp_path)
    dictionary = made["dict"]
    # Some say nothing at all: those samples are left out, and a shift has what both models said something of.
    missing = {name: made[name].provenance["left_out"] for name in ("dict", "retuned")}
    assert sum(dictionary.counts) == COUNT - 1 - missing["dict"]
    common = set(dictionary.samples.tolist()) & set(made["retuned"].samples.tolist())
    assert sum(made["moved"].counts) == len(common)
    # The image stands beside each sample, and what was said of it.
    rows = made["seen"]["dict"].table.records()
    said = [sample.completion for sample in made["captions"]["base"]]
    names = [f"img/{i}.png" for i in range(COUNT) if i != 3]
    for row in rows:
        assert row["image"] == names[row["row"]]
        assert row["text"] == "Describe the picture." + said[row["row"]]
    for k in range(3):
        own = [r["row"] for r in rows if r["concept"] == k]
        best = np.argsort(-dictionary.activations[:, k], kind="stable")[: len(own)]
        assert own == dictionary.samples[best].tolist()
    assert set(made["meaning"]) == {"dict", "shifted", "retuned"}
    assert made["recovered"].count == 3
    page = (place / "out" / "report.html").read_text()
    assert "img/0.png" in page


def test_the_image_by_itself_may_be_decomposed(place: Path, tmp_path: Path) -> None:
    text = """steerlang 1
model m = hf("llava", task = image_text_to_text)
data photos = images("data/t.csv", image = "file", prompt = "Describe the picture.")
concepts looks = decompose(capture(m, photos, layers = 0, tokens = image), k = 4)
metric which = ground_samples(looks, top = 3)
"""
    made = run(place, tmp_path, text)
    assert sum(made["looks"].counts) == COUNT
    assert {"image", "text"} <= set(made["which"].table.columns)
