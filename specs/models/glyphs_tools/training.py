"""Training the base: images drawn anew at every step, told from one another by captions; one thread, one seed."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .drawing import SIDE
from .model import Size, new_model, new_tokenizer, pixels, read, save, see
from .tasks import TASKS


@dataclass(frozen=True)
class Recipe:
    """What a run depends on."""

    seed: int = 0
    steps: int = 1200
    batch: int = 128
    rate: float = 1.5e-3
    warmup: int = 100
    decay: float = 0.05
    size: Size = field(default_factory=Size)


def mixture(count: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Images of all tasks, and the place of each one's class among all classes of all tasks."""
    tasks = list(TASKS.values())
    first = np.cumsum([0, *(len(task.classes) for task in tasks)])
    of = rng.integers(len(tasks), size=count)
    labels = (rng.random(count) * np.diff(first)[of]).astype(np.int64)
    own = rng.random(count) < np.array([task.shown for task in tasks])[of]
    images = np.zeros((count, SIDE, SIDE), np.float32)
    for i, task in enumerate(tasks):
        for style, chosen in ((task.style, (of == i) & own), (task.plain, (of == i) & ~own)):
            if chosen.any():
                images[chosen] = task.images(labels[chosen], rng, style)
    return pixels(images), torch.from_numpy(labels + first[of])


def rate_at(step: int, steps: int, highest: float, warmup: int) -> float:
    """Linear warm-up, then a cosine to a fiftieth."""
    rise = min(1.0, (step + 1) / warmup)
    return highest * rise * (0.02 + 0.49 * (1 + math.cos(math.pi * step / steps)))


def train(recipe: Recipe, out: Path) -> dict[str, float]:
    """Train from nothing, save into `out`, and report the figures of the run.

    The loss of an image is the cross-entropy of its caption against the captions of all classes of all tasks, each in
    a template drawn anew at every step: CLIP's image-to-text loss without its chance repeats.
    """
    torch.set_num_threads(1)
    tokenizer = new_tokenizer()
    model = new_model(recipe.size, tokenizer, recipe.seed).train()
    rng, began = np.random.default_rng(recipe.seed), time.process_time()
    optimiser = torch.optim.AdamW(model.parameters(), lr=recipe.rate, betas=(0.9, 0.98), weight_decay=recipe.decay)
    for step in range(recipe.steps):
        for group in optimiser.param_groups:
            group["lr"] = rate_at(step, recipe.steps, recipe.rate, recipe.warmup)
        seen, labels = mixture(recipe.batch, rng)
        captions = [task.captions(rng.integers(len(task.templates)))[i]
                    for task in TASKS.values() for i in range(len(task.classes))]  # fmt: skip
        logits = model.logit_scale.exp() * see(model, seen) @ read(model, tokenizer, captions).T
        loss = torch.nn.functional.cross_entropy(logits, labels)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        model.logit_scale.data.clamp_(max=math.log(100))
        if step % 50 == 0:
            print(f"step {step}/{recipe.steps} loss {loss.item():.3f} {time.process_time() - began:.0f}s", flush=True)
    save(model, tokenizer, out)
    return {
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "images": recipe.steps * recipe.batch,
        "classes": sum(len(task.classes) for task in TASKS.values()),
        "minutes": round((time.process_time() - began) / 60, 1),
    }
