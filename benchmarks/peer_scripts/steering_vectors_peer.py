"""steering-vectors: its own training and `vector.apply`."""

from __future__ import annotations

from typing import Any

import torch
from common import generation, load, main, passes, report
from steering_vectors import SteeringVector, train_steering_vector


def extraction(given: dict[str, Any]) -> None:
    model, tokenizer = load(given["model"])
    samples = [(after, before) for before, after in given["pairs"]]
    variants = {
        "floor": passes(model, tokenizer, given["pairs"]),
        "extraction": lambda: train_steering_vector(model, tokenizer, samples, batch_size=32),
    }
    report("steering-vectors", variants, "floor", given["rounds"])


def steering(given: dict[str, Any]) -> None:
    model, _ = load(given["model"])
    ids, depth, width = torch.tensor(given["ids"]), model.config.num_hidden_layers, model.config.hidden_size
    vector = SteeringVector({i: torch.full((width,), 0.01) for i in range(depth)}, "decoder_block")
    unsteered = generation(model, ids, given["steps"])

    def steered() -> object:
        with vector.apply(model, multiplier=1.0):
            return unsteered()

    report("steering-vectors", {"unsteered": unsteered, "steered": steered}, "unsteered", given["rounds"])


if __name__ == "__main__":
    main(extraction, steering)
