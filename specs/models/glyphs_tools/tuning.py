"""Fine-tuning the image encoder on one task against the head that the frozen text encoder makes."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from .model import head, load, pixels, save, see
from .tasks import TASKS
from .training import rate_at


@dataclass(frozen=True)
class Tuning:
    """What a fine-tune depends on, besides the base and the task."""

    seed: int = 1
    steps: int = 250
    batch: int = 64
    rate: float = 3e-4
    warmup: int = 20


def tune(tuning: Tuning, name: str, base: Path, out: Path) -> dict[str, float]:
    """Tune a copy of `base` on images drawn anew, save it into `out`, and report the figures of the run."""
    torch.set_num_threads(1)
    model, tokenizer = load(base)
    task = TASKS[name]
    rows = head(model, tokenizer, task)
    trained = [*model.vision_model.parameters(), *model.visual_projection.parameters()]
    optimiser = torch.optim.AdamW(trained, lr=tuning.rate, betas=(0.9, 0.98), weight_decay=0.0)
    rng, began = np.random.default_rng([tuning.seed, list(TASKS).index(name)]), time.process_time()
    for step in range(tuning.steps):
        for group in optimiser.param_groups:
            group["lr"] = rate_at(step, tuning.steps, tuning.rate, tuning.warmup)
        labels = rng.integers(len(task.classes), size=tuning.batch)
        logits = see(model, pixels(task.images(labels, rng))) @ rows.T
        loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(labels))
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        if step % 50 == 0:
            print(f"{name} step {step}/{tuning.steps} loss {loss.item():.3f}", flush=True)
    save(model, tokenizer, out)
    return {"images": tuning.steps * tuning.batch, "seconds": round(time.process_time() - began)}
