"""nnsight: the last token's state of every layer saved in traces; a vector added in every layer of every step."""

from __future__ import annotations

from typing import Any

import torch
from common import generation, load, main, passes, report
from nnsight import LanguageModel, save

BATCH = 32


def extraction(given: dict[str, Any]) -> None:
    torch.set_grad_enabled(False)
    model, tokenizer = load(given["model"])
    traced = LanguageModel(model, tokenizer=tokenizer)
    before, after = ([pair[side] for pair in given["pairs"]] for side in (0, 1))

    def states(texts: list[str]) -> torch.Tensor:
        found = []
        for start in range(0, len(texts), BATCH):
            with traced.trace(texts[start : start + BATCH]) as tracer:
                saved = save([layer.output[:, -1].clone() for layer in traced.model.layers])
                tracer.stop()
            found.append(torch.stack(saved, 1))
        return torch.cat(found)

    variants = {
        "floor": passes(model, tokenizer, given["pairs"]),
        "extraction": lambda: states(after).mean(0) - states(before).mean(0),
    }
    report("nnsight", variants, "floor", given["rounds"])


def steering(given: dict[str, Any]) -> None:
    torch.set_grad_enabled(False)
    model, tokenizer = load(given["model"])
    traced = LanguageModel(model, tokenizer=tokenizer)
    ids, steps, width = torch.tensor(given["ids"]), given["steps"], model.config.hidden_size
    deltas = [torch.full((width,), 0.01) for _ in traced.model.layers]
    asked = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    options = {"max_new_tokens": steps, "min_new_tokens": steps, "do_sample": False, "pad_token_id": 0}

    def steered() -> object:
        # Two blocks: the tracer reads the source of each by itself.
        with traced.generate(asked, **options) as tracer:  # noqa: SIM117
            with tracer.iter[:]:
                for layer, delta in zip(traced.model.layers, deltas, strict=True):
                    layer.output = layer.output + delta
        return None

    report("nnsight", {"unsteered": generation(model, ids, steps), "steered": steered}, "unsteered", given["rounds"])


if __name__ == "__main__":
    main(extraction, steering)
