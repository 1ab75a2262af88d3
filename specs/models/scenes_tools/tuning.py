"""Fine-tuning the decoder on captions of one style; the image encoder and the projector stay as they are."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import torch

from .model import load, save
from .training import Mixture, Packer, Recipe, fit

STYLES = ("colour", "place", "mood")


@dataclass(frozen=True)
class Tuning:
    """What a fine-tune depends on, besides the base and the style."""

    seed: int = 1
    steps: int = 300
    batch: int = 24
    rate: float = 5e-4
    warmup: int = 20
    mixture: Mixture = field(default_factory=lambda: Mixture(captions=4, questions=3))


def tune(tuning: Tuning, style: str, base: Path, out: Path) -> dict[str, float]:
    """Tune a copy of `base`, save it into `out`, and report the figures of the run."""
    torch.set_num_threads(1)
    model, processor = load(base)
    mixture = Mixture(style, tuning.mixture.captions, tuning.mixture.questions)
    recipe = Recipe(tuning.seed, tuning.steps, tuning.batch, tuning.rate, tuning.warmup, 0.0, mixture)
    packer = Packer(processor.tokenizer, mixture, [tuning.seed, STYLES.index(style)])
    model.model.vision_tower.requires_grad_(False)
    model.model.multi_modal_projector.requires_grad_(False)
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    return fit(model, packer, recipe, trained, lambda: save(model, processor.tokenizer, out))
