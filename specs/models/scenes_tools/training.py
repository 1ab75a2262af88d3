"""The training loop: scenes drawn anew at every step, several texts a picture in one row; one thread, one seed."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from transformers import LlavaForConditionalGeneration, PreTrainedTokenizerFast

from .captions import PROMPT, STYLES, caption
from .drawing import draw
from .model import TOKENS, Size, new_model, pixels, save
from .questions import ask
from .seeing import Seeing, look
from .words import IMAGE, train_tokenizer
from .world import Scene, draw_scene

IGNORED = -100


EVENLY = ("yes/no", "number", "other")


@dataclass(frozen=True)
class Mixture:
    """The texts of a picture: captions of a style, questions of these types."""

    captions: int = 3
    questions: tuple[str, ...] = EVENLY * 2
    style: str = "mixed"


@dataclass(frozen=True)
class Phase:
    """A part of a run with its own warm-up and decay of the learning rate."""

    steps: int
    rate: float
    mixture: Mixture
    warmup: int = 30
    batch: int = 24
    decay: float = 0.05
    image_share: float = 0.25  # of `rate`, for the image encoder, which has learned to see before

    @property
    def texts(self) -> int:
        """How many texts a picture has."""
        return self.mixture.captions + len(self.mixture.questions)


# Yes or no comes last: its loss does not move before counts, colours and places are known.
PHASES = (
    Phase(1200, 2e-3, Mixture(), warmup=100),
    Phase(600, 1.5e-3, Mixture(1, ("yes/no",) * 6 + ("number", "other"))),
    Phase(700, 1.2e-3, Mixture(2, ("yes/no",) * 4 + ("number", "other") * 2)),
)


@dataclass(frozen=True)
class Recipe:
    """What a run depends on."""

    seed: int = 0
    seeing: Seeing = field(default_factory=Seeing)
    phases: tuple[Phase, ...] = PHASES
    size: Size = field(default_factory=Size)


@dataclass(frozen=True)
class Batch:
    """Pictures, and for each one row: the prefix with the image, then texts that see the prefix and themselves."""

    images: Tensor  # [n, side, side, 3] bytes
    ids: Tensor  # [n, tokens]
    labels: Tensor  # [n, tokens]: the next token, or IGNORED
    positions: Tensor  # [n, tokens]: each text starts right after the prefix
    text: Tensor  # [n, tokens]: 0 for the prefix, 1, 2, … for texts, -1 for padding

    def mask(self) -> Tensor:
        """[n, 1, tokens, tokens]: true where a row token may look at a column token."""
        own = self.text[:, :, None] == self.text[:, None, :]
        seen = torch.ones_like(own[0]).tril() & (own | (self.text[:, None, :] == 0))
        return seen[:, None]


def texts_of(scene: Scene, mixture: Mixture, rng: np.random.Generator) -> Iterator[tuple[str, str]]:
    """Prompts and replies."""
    for _ in range(mixture.captions):
        yield PROMPT, caption(scene, STYLES[mixture.style], rng)
    for kind in mixture.questions:
        asked = ask(scene, kind, rng)
        yield asked.question, asked.answer


class Packer:
    """Makes batches with one tokenizer; words are looked up once."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, mixture: Mixture, seed: list[int]) -> None:
        self.tokenizer, self.mixture, self.rng = tokenizer, mixture, np.random.default_rng(seed)
        self.prefix = tokenizer(f"User:{IMAGE * TOKENS}")["input_ids"]
        self.known: dict[str, list[int]] = {}

    def encode(self, text: str) -> list[int]:
        """Ids without `<s>`."""
        if text not in self.known:
            self.known[text] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return self.known[text]

    def batch(self, count: int) -> Batch:
        """`count` new scenes."""
        scenes = [draw_scene(self.rng) for _ in range(count)]
        images = torch.from_numpy(np.stack([draw(scene, self.rng) for scene in scenes]))
        rows = [self.row(scene) for scene in scenes]
        width = max(len(row[0]) for row in rows)
        fills = (self.tokenizer.pad_token_id, IGNORED, 0, -1)
        columns = (torch.tensor([row[i] + [fill] * (width - len(row[i])) for row in rows])
                   for i, fill in enumerate(fills))  # fmt: skip
        return Batch(images, *columns)

    def row(self, scene: Scene) -> tuple[list[int], list[int], list[int], list[int]]:
        """Ids, labels, positions and texts of one picture."""
        start = len(self.prefix)
        ids, labels = list(self.prefix), [IGNORED] * start
        positions, text = list(range(start)), [0] * start
        for number, (prompt, reply) in enumerate(texts_of(scene, self.mixture, self.rng), 1):
            asked = self.encode(f" {prompt} Assistant:")
            said = [*self.encode(f" {reply}"), self.tokenizer.eos_token_id]
            ids += [*asked, *said[:-1]]
            labels += [IGNORED] * (len(asked) - 1) + said
            positions += range(start, start + len(asked) + len(said) - 1)
            text += [number] * (len(asked) + len(said) - 1)
        return ids, labels, positions, text


def loss_of(model: LlavaForConditionalGeneration, batch: Batch) -> Tensor:
    """Mean cross-entropy of the replies' tokens."""
    hidden = model.model(
        input_ids=batch.ids, pixel_values=pixels(batch.images), attention_mask=batch.mask(),
        position_ids=batch.positions, use_cache=False,
    ).last_hidden_state  # fmt: skip
    kept = batch.labels != IGNORED
    return torch.nn.functional.cross_entropy(model.lm_head(hidden[kept]), batch.labels[kept])


def rate_at(step: int, steps: int, highest: float, warmup: int) -> float:
    """Linear warm-up, then a cosine to a fiftieth."""
    rise = min(1.0, (step + 1) / warmup)
    return highest * rise * (0.02 + 0.49 * (1 + math.cos(math.pi * step / steps)))


def fit(model: LlavaForConditionalGeneration, packer: Packer, phase: Phase) -> dict[str, float]:
    """Train what wants a gradient, and report the figures of the phase."""
    image = [weight for weight in model.model.vision_tower.parameters() if weight.requires_grad]
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    seen = {id(weight) for weight in image}
    groups = [{"params": image, "share": phase.image_share},
              {"params": [weight for weight in trained if id(weight) not in seen], "share": 1.0}]  # fmt: skip
    optimiser = torch.optim.AdamW(groups, lr=phase.rate, betas=(0.9, 0.98), weight_decay=phase.decay)
    began, loss, tokens = time.process_time(), 0.0, 0
    for step in range(phase.steps):
        for group in optimiser.param_groups:
            group["lr"] = group["share"] * rate_at(step, phase.steps, phase.rate, phase.warmup)
        batch = packer.batch(phase.batch)
        now = loss_of(model, batch)
        now.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        loss, tokens = loss + (now.item() - loss) / min(step + 1, 25), tokens + int((batch.labels != IGNORED).sum())
        if step % 50 == 49:
            print(f"step {step + 1}/{phase.steps} loss {loss:.4f} {time.process_time() - began:.0f}s", flush=True)
    return {
        "images": phase.steps * phase.batch,
        "texts": phase.steps * phase.batch * phase.texts,
        "reply_tokens": tokens,
        "loss": round(loss, 4),
        "minutes": round((time.process_time() - began) / 60, 1),
    }


def train(recipe: Recipe, out: Path) -> dict[str, object]:
    """Train from nothing, save into `out` after each phase, and report the figures of the run."""
    torch.set_num_threads(1)
    tokenizer = train_tokenizer(recipe.size.vocabulary, recipe.seed)
    model = new_model(recipe.size, tokenizer, recipe.seed).train()
    seen = look(model, recipe.seeing, rate_at, [recipe.seed, 0])
    figures = []
    for number, phase in enumerate(recipe.phases, 1):
        figures.append(fit(model, Packer(tokenizer, phase.mixture, [recipe.seed, number]), phase))
        save(model, tokenizer, out)
    return {"parameters": sum(weight.numel() for weight in model.parameters()), "seeing": seen, "phases": figures}
