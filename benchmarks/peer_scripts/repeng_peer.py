"""repeng: its own extraction and its own control model."""

from __future__ import annotations

from typing import Any

import numpy as np
import repeng.extract
import torch
from common import generation, load, main, passes, report
from repeng import ControlModel, ControlVector, DatasetEntry


def extraction(given: dict[str, Any]) -> None:
    repeng.extract.tqdm.tqdm = lambda rows, *_, **__: rows  # no progress bar
    model, tokenizer = load(given["model"])
    entries = [DatasetEntry(positive=after, negative=before) for before, after in given["pairs"]]
    bare = passes(model, tokenizer, given["pairs"])

    def train() -> object:
        with torch.inference_mode():
            return ControlVector.train(model, tokenizer, entries, batch_size=32)

    report("repeng", {"floor": bare, "extraction": train}, "floor", given["rounds"])


def steering(given: dict[str, Any]) -> None:
    plain, _ = load(given["model"])
    wrapped, _ = load(given["model"])
    ids, depth, width = torch.tensor(given["ids"]), plain.config.num_hidden_layers, plain.config.hidden_size
    vector = ControlVector("llama", {i: np.full(width, 0.01, dtype=np.float32) for i in range(depth)})
    control = ControlModel(wrapped, list(range(depth)))
    control.set_control(vector, 1.0)
    variants = {
        "unsteered": generation(plain, ids, given["steps"]),
        "steered": generation(control, ids, given["steps"]),
    }
    report("repeng", variants, "unsteered", given["rounds"])


if __name__ == "__main__":
    main(extraction, steering)
