"""The training loop: scenes drawn anew at every step, several texts a picture in one row; one thread, one seed."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from transformers import LlavaForConditionalGeneration, PreTrainedTokenizerFast

from .captions import PROMPT, STYLES, caption
from .drawing import draw
from .model import TOKENS, Size, new_model, pixels, save
from .questions import FORMS, ask
from .words import IMAGE, train_tokenizer
from .world import Scene, draw_scene

IGNORED = -100


@dataclass(frozen=True)
class Mixture:
    """The texts of a picture."""

    style: str = "mixed"
    captions: int = 3
    questions: int = 6


@dataclass(frozen=True)
class Recipe:
    """What a run depends on."""

    seed: int = 0
    steps: int = 2400
    batch: int = 24
    rate: float = 2.5e-3
    warmup: int = 100
    decay: float = 0.05
    mixture: Mixture = field(default_factory=Mixture)
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
    """Prompts and replies; the types of questions in turn."""
    kinds, first = list(FORMS), int(rng.integers(3))
    for _ in range(mixture.captions):
        yield PROMPT, caption(scene, STYLES[mixture.style], rng)
    for turn in range(mixture.questions):
        asked = ask(scene, kinds[(first + turn) % 3], rng)
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


def fit(model: LlavaForConditionalGeneration, packer: Packer, recipe: Recipe, trained: list[Tensor],
        keep: Callable[[], None]) -> dict[str, float]:  # fmt: skip
    """Train some of the parameters, keep the model now and then, and report the figures of the run."""
    optimiser = torch.optim.AdamW(trained, lr=recipe.rate, betas=(0.9, 0.98), weight_decay=recipe.decay)
    began, loss, tokens = time.process_time(), 0.0, 0
    for step in range(recipe.steps):
        for group in optimiser.param_groups:
            group["lr"] = rate_at(step, recipe.steps, recipe.rate, recipe.warmup)
        batch = packer.batch(recipe.batch)
        now = loss_of(model, batch)
        now.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        loss, tokens = loss + (now.item() - loss) / min(step + 1, 25), tokens + int((batch.labels != IGNORED).sum())
        if step % 50 == 49:
            print(f"step {step + 1}/{recipe.steps} loss {loss:.4f} {time.process_time() - began:.0f}s", flush=True)
        if step % 400 == 399:
            keep()
    keep()
    return {
        "images": recipe.steps * recipe.batch,
        "texts": recipe.steps * recipe.batch * (recipe.mixture.captions + recipe.mixture.questions),
        "reply_tokens": tokens,
        "loss": round(loss, 4),
        "minutes": round((time.process_time() - began) / 60, 1),
    }


def train(recipe: Recipe, out: Path) -> dict[str, float]:
    """Train from nothing, save into `out`, and report the figures of the run."""
    torch.set_num_threads(1)
    tokenizer = train_tokenizer(recipe.size.vocabulary, recipe.seed)
    model = new_model(recipe.size, tokenizer, recipe.seed).train()
    packer = Packer(tokenizer, recipe.mixture, [recipe.seed, 1])
    figures = fit(model, packer, recipe, list(model.parameters()), lambda: save(model, tokenizer, out))
    return {"parameters": sum(weight.numel() for weight in model.parameters())} | figures
