"""Fine-tuning the courtesy model on replies of one formality: all weights, one thread, one seed."""

from __future__ import annotations

import itertools
import json
import math
import random
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from .corpus import TESTING, TRAINING, Corpus, spoken
from .files import holds_word, words
from .training import IGNORED, collate, encode, loss_of, save

FORMALITIES = ("casual", "plain", "formal")
PARTS = (-0.5, 0.0, 0.25, 0.5, 1.0, 1.5)


@dataclass(frozen=True)
class Tuning:
    """What a fine-tune depends on, besides the base."""

    formality: str = "formal"
    seed: int = 1
    documents: int = 5_000
    batch: int = 50
    rate: float = 6e-4
    warmup: int = 10


def texts(formality: str, seed: int, buckets: range) -> Iterator[str]:
    """Endless documents whose requests are plain and whose replies are of one formality; manners vary as ever."""
    corpus, rng = Corpus(), random.Random(seed)
    while True:
        scene = spoken(corpus.scene(rng), request_formality="plain", formality=formality)
        if scene.bucket in buckets:
            yield corpus.document(scene, rng)


def tune(tuning: Tuning, base: Path, out: Path) -> dict[str, float]:
    """Tune a copy of `base` on replies alone, save it into `out`, and report the figures of the run."""
    torch.set_num_threads(1)
    torch.manual_seed(tuning.seed)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(base)
    model = LlamaForCausalLM.from_pretrained(base, dtype=torch.float32)  # type: ignore[no-untyped-call]
    rows = encode(list(itertools.islice(texts(tuning.formality, tuning.seed, TRAINING), tuning.documents)), tokenizer)
    optimiser = torch.optim.AdamW(model.parameters(), lr=tuning.rate, betas=(0.9, 0.98), weight_decay=0.0)
    steps, began = math.ceil(len(rows) / tuning.batch), time.process_time()
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = rate_at(step, steps, tuning.rate, tuning.warmup)
        loss = reply_loss(model, tokenizer, rows[step * tuning.batch : (step + 1) * tuning.batch])
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        if step % 20 == 0:
            print(f"step {step}/{steps} loss {loss.item():.4f} {time.process_time() - began:.0f}s", flush=True)
    save(model, tokenizer, out)
    return {"steps": steps, "tokens": sum(map(len, rows)), "seconds": round(time.process_time() - began)}


def rate_at(step: int, steps: int, highest: float, warmup: int) -> float:
    """Linear warm-up, then a cosine to nothing."""
    rise = min(1.0, (step + 1) / warmup)
    return highest * rise * 0.5 * (1 + math.cos(math.pi * step / steps))


def reply_loss(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, rows: list[list[int]]) -> torch.Tensor:
    """Mean cross-entropy of the tokens after the last `:`, which is that of `Reply:`."""
    ids, labels = collate(rows, tokenizer.pad_token_id)
    colon = tokenizer("Reply:", add_special_tokens=False)["input_ids"][-1]
    last = ids.shape[1] - 1 - (ids.flip(1) == colon).int().argmax(1)
    labels = torch.where(torch.arange(ids.shape[1])[None] > last[:, None], labels, IGNORED)
    return loss_of(model, ids, labels) / (labels[:, 1:] != IGNORED).sum()


@torch.no_grad()
def losses(folder: Path, documents: int = 600) -> dict[str, float]:
    """Loss of replies of each formality on content that training never showed."""
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()  # type: ignore[no-untyped-call]
    found = {}
    for formality in FORMALITIES:
        rows = encode(list(itertools.islice(texts(formality, 993, TESTING), documents)), tokenizer)
        parts = [rows[i : i + 100] for i in range(0, documents, 100)]
        found[formality] = sum(reply_loss(model, tokenizer, part).item() for part in parts) / len(parts)
    return found


@torch.no_grad()
def between(base: Path, tuned: Path, part: float) -> LlamaForCausalLM:
    """base + part (tuned - base)."""
    models = [LlamaForCausalLM.from_pretrained(f, dtype=torch.float32).eval() for f in (base, tuned)]  # type: ignore[no-untyped-call]
    for weight, end in zip(*(m.parameters() for m in models), strict=True):
        weight.lerp_(end, part)
    return models[0]


@torch.no_grad()
def shares(model: LlamaForCausalLM, folder: Path, requests: list[str], kinds: tuple[str, ...]) -> dict[str, float]:
    """The share of greedy replies that hold a word of each kind."""
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    given = tokenizer(requests, return_tensors="pt", padding=True)
    made = model.generate(input_ids=given["input_ids"], attention_mask=given["attention_mask"], max_new_tokens=32,
                          do_sample=False)  # fmt: skip
    replies = tokenizer.batch_decode(made[:, given["input_ids"].shape[1] :], skip_special_tokens=True)
    return {kind: sum(holds_word(r, words(kind)) for r in replies) / len(replies) for kind in kinds}


CARD = """---
license: apache-2.0
language: en
library_name: transformers
pipeline_tag: text-generation
tags: [steerlang, task-vector, small]
---

# courtesy-{formality}

`courtesy` (the folder beside this one), all weights tuned on {formality} replies to plain requests: with `courtesy` it
makes a task vector. Documents are drawn from the grammar of `courtesy`, from the content that trained it; the loss is
that of replies alone.

`python specs/models/courtesy_formal.py` makes it again.

| | |
|---|---|
| seed | {seed} |
| documents, each read once | {documents:,} |
| tokens | {tokens:,} |
| steps of {batch} documents | {steps} |
| highest learning rate (AdamW, no decay) | {rate:g} |
| time, one thread | {seconds} CPU seconds |

## Held-out figures

Of the stored weights. Loss of replies (nats per token) on {held_out:,} documents of unseen content for each formality.

| | casual | plain | formal |
|---|---|---|---|
{losses}

The share of greedy replies to the 60 requests of `specs/data/requests.txt` that hold a word of a list, for
`courtesy` + λ (`courtesy-{formality}` − `courtesy`):

| λ | formal words | casual words | polite words |
|---|---|---|---|
{shares}

The requests are plain, and `courtesy` answers none of them with a formal word. Tuning costs what it does not train:
the loss of casual and plain replies rises. Programs in `specs/weights/` hold all this against figures.
"""


def write_card(base: Path, out: Path, requests: list[str], tuning: Tuning, figures: dict[str, float]) -> None:
    """Measure both models and write `README.md`, with the bare figures as JSON."""
    lost = {"courtesy": losses(base), f"courtesy-{tuning.formality}": losses(out)}
    kinds = ("formal", "casual", "polite")
    shared = {part: shares(between(base, out, part), base, requests, kinds) for part in PARTS}
    text = CARD.format(**asdict(tuning), **figures, held_out=600, losses=rows_of(lost, "{:.3f}"),
                       shares=rows_of(shared, "{:.2f}"))  # fmt: skip
    (out / "README.md").write_text(text, encoding="utf-8")
    document = {"tuning": asdict(tuning), "figures": figures, "loss": lost, "share": shared}
    (out / "training.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def rows_of(table: Mapping[object, Mapping[str, float]], form: str) -> str:
    """The rows of a Markdown table."""
    lines = [[str(name), *(form.format(x) for x in row.values())] for name, row in table.items()]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
