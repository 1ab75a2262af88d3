"""Fine-tuning the decoder on captions of one style; the image encoder and the projector stay as they are."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from .model import load, save
from .training import EVENLY, Mixture, Packer, Phase, fit

STYLES = ("colour", "place", "mood")


@dataclass(frozen=True)
class Tuning:
    """What a fine-tune depends on, besides the base and the style."""

    seed: int = 1
    phase: Phase = field(default_factory=lambda: Phase(250, 5e-4, Mixture(4, EVENLY), warmup=20, decay=0.0))


def tune(tuning: Tuning, style: str, base: Path, out: Path) -> dict[str, float]:
    """Tune a copy of `base`, save it into `out`, and report the figures of the run."""
    torch.set_num_threads(1)
    model, processor = load(base)
    phase = replace(tuning.phase, mixture=replace(tuning.phase.mixture, style=style))
    model.train()
    model.model.vision_tower.requires_grad_(False)
    model.model.multi_modal_projector.requires_grad_(False)
    figures = fit(model, Packer(processor.tokenizer, phase.mixture, [tuning.seed, STYLES.index(style)]), phase)
    save(model, processor.tokenizer, out)
    return figures
