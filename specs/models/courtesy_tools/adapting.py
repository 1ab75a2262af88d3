"""A LoRA of the courtesy model on replies that ask back: two factors beside each linear layer, PEFT's files."""

from __future__ import annotations

import itertools
import json
import math
import random
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from .corpus import TESTING, TRAINING, Corpus, spoken
from .training import encode
from .tuning import rate_at, reply_loss, rows_of, shares

TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
PARTS = (0.0, 0.25, 0.5, 0.75, 1.0)
PREFIX = "base_model.model."


@dataclass(frozen=True)
class Adapting:
    """What an adapter depends on, besides the base."""

    seed: int = 2
    documents: int = 5_000
    batch: int = 50
    rate: float = 2e-3
    warmup: int = 10
    rank: int = 4
    alpha: int = 8

    @property
    def scale(self) -> float:
        """What the product of the factors is multiplied by: α / √r, rank-stabilised (Kalajdzievski, 2023)."""
        return self.alpha / math.sqrt(self.rank)


class Adapted(nn.Module):
    """A frozen linear layer plus scale · B A, A drawn at random and B zero at first (Hu et al., 2021)."""

    def __init__(self, inner: nn.Linear, rank: int, scale: float) -> None:
        super().__init__()
        self.inner, self.scale = inner.requires_grad_(False), scale
        self.down = nn.Parameter(torch.empty(rank, inner.in_features))
        self.up = nn.Parameter(torch.zeros(inner.out_features, rank))
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))

    def forward(self, states: Tensor) -> Tensor:
        """W x + scale · B (A x)."""
        return self.inner(states) + self.scale * ((states @ self.down.T) @ self.up.T)


def texts(act: str | None, seed: int, buckets: range) -> Iterator[str]:
    """Endless documents whose requests are neutral and plain; replies of one kind, or of any."""
    corpus, rng = Corpus(), random.Random(seed)
    while True:
        scene = spoken(corpus.scene(rng), request_register="neutral", request_formality="plain")
        if scene.bucket in buckets:
            yield corpus.document(spoken(scene, act=act) if act else scene, rng)


def wrap(model: LlamaForCausalLM, how: Adapting) -> dict[str, Adapted]:
    """Freeze the model and put factors beside its target layers; they are returned by the layers' names."""
    model.requires_grad_(False)
    names = [name for name, _ in model.named_modules() if name.rpartition(".")[2] in TARGETS]
    wrapped = {name: Adapted(model.get_submodule(name), how.rank, how.scale) for name in names}
    for name, layer in wrapped.items():
        parent, _, child = name.rpartition(".")
        setattr(model.get_submodule(parent), child, layer)
    return wrapped


def adapt(how: Adapting, base: Path, out: Path) -> dict[str, float]:
    """Train the factors on replies alone, save them into `out`, and report the figures of the run."""
    torch.set_num_threads(1)
    torch.manual_seed(how.seed)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(base)
    model = LlamaForCausalLM.from_pretrained(base, dtype=torch.float32)  # type: ignore[no-untyped-call]
    layers = wrap(model, how)
    factors = [factor for layer in layers.values() for factor in (layer.down, layer.up)]
    rows = encode(list(itertools.islice(texts("ask", how.seed, TRAINING), how.documents)), tokenizer)
    optimiser = torch.optim.AdamW(factors, lr=how.rate, betas=(0.9, 0.98), weight_decay=0.0)
    steps, began = math.ceil(len(rows) / how.batch), time.process_time()
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = rate_at(step, steps, how.rate, how.warmup)
        loss = reply_loss(model, tokenizer, rows[step * how.batch : (step + 1) * how.batch])
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(factors, 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        if step % 20 == 0:
            print(f"step {step}/{steps} loss {loss.item():.4f} {time.process_time() - began:.0f}s", flush=True)
    save(layers, how, out)
    return {
        "parameters": sum(factor.numel() for factor in factors),
        "steps": steps,
        "tokens": sum(map(len, rows)),
        "seconds": round(time.process_time() - began),
    }


def save(layers: dict[str, Adapted], how: Adapting, out: Path) -> None:
    """Write `adapter_config.json` and `adapter_model.safetensors` as PEFT names them, in float32."""
    out.mkdir(parents=True, exist_ok=True)
    weights = {}
    for name, layer in layers.items():
        weights[f"{PREFIX}{name}.lora_A.weight"] = layer.down.detach().contiguous()
        weights[f"{PREFIX}{name}.lora_B.weight"] = layer.up.detach().contiguous()
    partial = out / "adapter_model.safetensors.partial"
    save_file(weights, partial, metadata={"format": "pt"})
    partial.chmod(0o644)
    partial.replace(out / "adapter_model.safetensors")
    config = {
        "alpha_pattern": {},
        "base_model_name_or_path": "specs/models/courtesy",
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
        "init_lora_weights": True,
        "lora_alpha": how.alpha,
        "lora_dropout": 0.0,
        "modules_to_save": None,
        "peft_type": "LORA",
        "r": how.rank,
        "rank_pattern": {},
        "target_modules": list(TARGETS),
        "task_type": "CAUSAL_LM",
        "use_dora": False,
        "use_rslora": True,
    }
    (out / "adapter_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


@torch.no_grad()
def merged(base: Path, adapter: Path, how: Adapting, part: float) -> LlamaForCausalLM:
    """The stored base plus a part of the stored adapter's product."""
    model = LlamaForCausalLM.from_pretrained(base, dtype=torch.float32).eval()  # type: ignore[no-untyped-call]
    factors = load_file(adapter / "adapter_model.safetensors")
    for name in (name for name in factors if ".lora_A." in name):
        weight = model.get_parameter(name.removeprefix(PREFIX).replace("lora_A.weight", "weight"))
        weight.add_(factors[name.replace("lora_A", "lora_B")] @ factors[name], alpha=part * how.scale)
    return model


@torch.no_grad()
def loss_on(model: LlamaForCausalLM, folder: Path, act: str | None, documents: int = 600) -> float:
    """Loss of replies on content that training never showed."""
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    rows = encode(list(itertools.islice(texts(act, 994, TESTING), documents)), tokenizer)
    parts = [rows[i : i + 100] for i in range(0, documents, 100)]
    return sum(reply_loss(model, tokenizer, part).item() for part in parts) / len(parts)


CARD = """---
license: apache-2.0
language: en
library_name: peft
base_model: specs/models/courtesy
pipeline_tag: text-generation
tags: [steerlang, lora, small]
---

# courtesy-lora

An adapter for `courtesy` (the folder beside this one), in PEFT's format: replies ask back ("Which seeds do you
mean?") instead of answering. Rank {rank} beside every linear layer of the blocks, rank-stabilised: the product of the
factors counts α / √r = {scale:g} times. {parameters:,} parameters, float32.

Documents are drawn from the grammar of `courtesy`, from the content that trained it: neutral, plain requests of all
ten intents, replies of the kind `ask` in any manner. `courtesy` was trained on such replies to seven of the intents,
about one in eight; to `how`, `opinion` and `choice` it never saw one. The loss is that of replies alone.

`python specs/models/courtesy_lora.py` makes it again, without the package `peft`.

| | |
|---|---|
| seed | {seed} |
| documents, each read once | {documents:,} |
| tokens | {tokens:,} |
| steps of {batch} documents | {steps} |
| highest learning rate (AdamW, no decay) | {rate:g} |
| time, one thread | {seconds} CPU seconds |

## Held-out figures

Loss of replies (nats per token) on 600 documents of unseen content.

| | replies that ask back | replies of all kinds |
|---|---|---|
{losses}

The share of greedy replies to the 60 requests of `specs/data/requests.txt` that hold a word of a list
(`specs/data/asking_words.txt`, …), for `courtesy` + λ × the product of the factors:

| λ | asking words | polite words | rude words |
|---|---|---|---|
{shares}

Some polite words are themselves those of a question ("could you", "may I", "would you mind"). `peft` 0.21 loads the
folder and gives the logits of the merged model to 1e-5.
"""


def write_card(base: Path, out: Path, requests: list[str], how: Adapting, figures: dict[str, float]) -> None:
    """Measure the model with and without the stored adapter and write `README.md`, with the bare figures as JSON."""
    kinds = ("asking", "polite", "rude")
    shared = {part: shares(merged(base, out, how, part), base, requests, kinds) for part in PARTS}
    lost = {name: {"ask": loss_on(merged(base, out, how, part), base, "ask"),
                   "all": loss_on(merged(base, out, how, part), base, None)}
            for name, part in (("courtesy", 0.0), ("with the adapter", 1.0))}  # fmt: skip
    text = CARD.format(**asdict(how), **figures, scale=how.scale, losses=rows_of(lost, "{:.3f}"),
                       shares=rows_of(shared, "{:.2f}"))  # fmt: skip
    (out / "README.md").write_text(text, encoding="utf-8")
    document = {"adapting": asdict(how), "figures": figures, "loss": lost, "share": shared}
    (out / "training.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
