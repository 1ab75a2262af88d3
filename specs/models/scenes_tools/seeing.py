"""The image encoder learns to see before it learns to speak: each cell's token names what stands in the cell."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from transformers import LlavaForConditionalGeneration

from .drawing import draw
from .model import TOKENS, pixels
from .world import COLOURS, MOODS, PLACES, SHAPES, SIZES, Scene, draw_scene

NAMES = (tuple(SHAPES), COLOURS, SIZES, PLACES, MOODS)
Rate = Callable[[int, int, float, int], float]
NOTHING = -100  # an empty cell has no colour and no size


@dataclass(frozen=True)
class Seeing:
    """What this part of a run depends on."""

    steps: int = 700
    batch: int = 64
    rate: float = 2e-3
    warmup: int = 50


def labels_of(scene: Scene) -> list[list[int]]:
    """For each cell: shape (the last class is none), colour, size, place, mood."""
    ground = [PLACES.index(scene.place), MOODS.index(scene.mood)]
    cells = [[len(SHAPES), NOTHING, NOTHING, *ground] for _ in range(TOKENS)]
    for group in scene.groups:
        for cell in group.cells:
            cells[cell][:3] = [tuple(SHAPES).index(group.shape), COLOURS.index(group.colour), SIZES.index(group.size)]
    return cells


def look(model: LlavaForConditionalGeneration, how: Seeing, rate: Rate, seed: list[int]) -> dict[str, float]:
    """Train the image encoder with linear heads that are thrown away, and report the figures of the run."""
    rng, began = np.random.default_rng(seed), time.process_time()
    tower, width = model.model.vision_tower, model.config.vision_config.hidden_size
    heads = nn.ModuleList([nn.Linear(width, len(names) + (i == 0)) for i, names in enumerate(NAMES)])
    optimiser = torch.optim.AdamW([*tower.parameters(), *heads.parameters()], lr=how.rate, betas=(0.9, 0.98))
    right = 0.0
    for step in range(how.steps):
        for group in optimiser.param_groups:
            group["lr"] = rate(step, how.steps, how.rate, how.warmup)
        scenes = [draw_scene(rng) for _ in range(how.batch)]
        seen = pixels(torch.from_numpy(np.stack([draw(scene, rng) for scene in scenes])))
        labels = torch.tensor([labels_of(scene) for scene in scenes])
        logits = _logits(tower, heads, seen)
        loss = sum(nn.functional.cross_entropy(found.flatten(0, 1), labels[..., i].flatten())
                   for i, found in enumerate(logits))  # fmt: skip
        loss.backward()  # type: ignore[union-attr]
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        right = (logits[0].argmax(-1) == labels[..., 0]).float().mean().item()
        if step % 50 == 49:
            print(f"seeing {step + 1}/{how.steps} loss {loss:.3f} {time.process_time() - began:.0f}s", flush=True)
    return {"images": how.steps * how.batch, "cells_right": round(right, 3),
            "minutes": round((time.process_time() - began) / 60, 1)}  # fmt: skip


def _logits(tower: nn.Module, heads: nn.ModuleList, seen: Tensor) -> list[Tensor]:
    states = tower(seen, output_hidden_states=True).hidden_states[-1][:, 1:]
    return [head(states) for head in heads]
