"""Tokenizer, model and the training loop: one thread, one seed, every document read once."""

from __future__ import annotations

import itertools
import math
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from torch import Tensor
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from .corpus import TESTING, TRAINING, Corpus

BOS, EOS, PAD = "<s>", "</s>", "<pad>"
IGNORED = -100


@dataclass(frozen=True)
class Recipe:
    """What a run depends on."""

    seed: int = 0
    documents: int = 160_000
    batch: int = 96
    vocabulary: int = 2048
    width: int = 160
    inner: int = 448
    layers: int = 6
    heads: int = 5
    rate: float = 2.5e-3
    warmup: int = 100
    decay: float = 0.05


def train_tokenizer(texts: list[str], size: int) -> PreTrainedTokenizerFast:
    """Byte-level BPE; encoding puts `<s>` first."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    core.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=size, special_tokens=[BOS, EOS, PAD], initial_alphabet=alphabet, show_progress=False
        ),
    )
    core.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", pair=f"{BOS} $A $B", special_tokens=[(BOS, core.token_to_id(BOS))]
    )
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=core, bos_token=BOS, eos_token=EOS, pad_token=PAD, model_max_length=128, padding_side="left"
    )


def new_model(recipe: Recipe, tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """An untrained Llama of the recipe's size."""
    torch.manual_seed(recipe.seed)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=recipe.width,
            intermediate_size=recipe.inner,
            num_hidden_layers=recipe.layers,
            num_attention_heads=recipe.heads,
            num_key_value_heads=recipe.heads,
            max_position_embeddings=128,
            tie_word_embeddings=True,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def encode(texts: list[str], tokenizer: PreTrainedTokenizerFast) -> list[list[int]]:
    """Each text with `<s>` before and `</s>` after."""
    return [[*ids, tokenizer.eos_token_id] for ids in tokenizer(texts)["input_ids"]]


def collate(rows: list[list[int]], pad: int) -> tuple[Tensor, Tensor]:
    """Right-padded ids, and labels that skip the padding."""
    width = max(map(len, rows))
    ids = torch.tensor([row + [pad] * (width - len(row)) for row in rows])
    labels = torch.tensor([row + [IGNORED] * (width - len(row)) for row in rows])
    return ids, labels


def batches(rows: list[list[int]], size: int, seed: int) -> Iterator[list[list[int]]]:
    """Every row once, rows of like length together, batches in random order."""
    rng = random.Random(seed)
    for start in range(0, len(rows), size * 64):
        chunk = sorted(rows[start : start + size * 64], key=len)
        cuts = [chunk[i : i + size] for i in range(0, len(chunk), size)]
        rng.shuffle(cuts)
        yield from cuts


def loss_of(model: LlamaForCausalLM, ids: Tensor, labels: Tensor) -> Tensor:
    """Summed cross-entropy of the next tokens. Padding is on the right, so the causal mask alone hides it."""
    logits = model(input_ids=ids, use_cache=False).logits[:, :-1]
    return torch.nn.functional.cross_entropy(
        logits.reshape(-1, logits.shape[-1]), labels[:, 1:].reshape(-1), ignore_index=IGNORED, reduction="sum"
    )


def rate_at(step: int, steps: int, recipe: Recipe) -> float:
    """Linear warm-up, then a cosine down to a twentieth."""
    if step < recipe.warmup:
        return recipe.rate * (step + 1) / recipe.warmup
    done = (step - recipe.warmup) / max(1, steps - recipe.warmup)
    return recipe.rate * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * done)))


def train(recipe: Recipe, out: Path) -> dict[str, float]:
    """Train from nothing, save into `out`, and report the figures of the run."""
    torch.set_num_threads(1)
    texts = [text for _, text in itertools.islice(Corpus().documents(recipe.seed, TRAINING), recipe.documents)]
    tokenizer = train_tokenizer(texts[:40_000], recipe.vocabulary)
    rows, model, pad = encode(texts, tokenizer), new_model(recipe, tokenizer), tokenizer.pad_token_id
    optimiser = torch.optim.AdamW(model.parameters(), lr=recipe.rate, betas=(0.9, 0.98), weight_decay=recipe.decay)
    steps, began = math.ceil(len(rows) / recipe.batch), time.monotonic()
    for step, batch in enumerate(batches(rows, recipe.batch, recipe.seed)):
        for group in optimiser.param_groups:
            group["lr"] = rate_at(step, steps, recipe)
        ids, labels = collate(batch, pad)
        loss = loss_of(model, ids, labels) / (labels[:, 1:] != IGNORED).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        if step % 50 == 0:
            print(f"step {step}/{steps} loss {loss.item():.4f} {time.monotonic() - began:.0f}s", flush=True)
        if step % 400 == 399:
            save(model, tokenizer, out)
    save(model, tokenizer, out)
    return {
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "tokens": sum(map(len, rows)),
        "minutes": round((time.monotonic() - began) / 60, 1),
        "steps": steps,
    }


def save(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, out: Path) -> None:
    """Write the folder; weights are stored as float16 and load as float32 (the config's dtype)."""
    out.mkdir(parents=True, exist_ok=True)
    tokenizer.save_pretrained(out)
    model.config.architectures = ["LlamaForCausalLM"]
    model.config.dtype = "float32"
    model.config.save_pretrained(out)
    GenerationConfig(  # type: ignore[no-untyped-call]
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
    ).save_pretrained(out)
    tied = "lm_head.weight"
    weights = {name: value.half().contiguous() for name, value in model.state_dict().items() if name != tied}
    partial = out / "model.safetensors.partial"
    save_file(weights, partial, metadata={"format": "pt"})
    partial.chmod(0o644)
    partial.replace(out / "model.safetensors")


@torch.no_grad()
def evaluate(out: Path, documents: int = 2000) -> dict[str, float]:
    """Loss of the stored model on documents of held-out content, whole and by reply alone."""
    tokenizer = PreTrainedTokenizerFast.from_pretrained(out)
    model = LlamaForCausalLM.from_pretrained(out, dtype=torch.float32).eval()  # type: ignore[no-untyped-call]
    texts = [text for _, text in itertools.islice(Corpus().documents(991, TESTING), documents)]
    marks = tokenizer("Reply:", add_special_tokens=False)["input_ids"][-1]
    sums = {"all": 0.0, "reply": 0.0}
    counts = {"all": 0, "reply": 0}
    for start in range(0, documents, 100):
        ids, labels = collate(encode(texts[start : start + 100], tokenizer), tokenizer.pad_token_id)
        last_colon = ids.shape[1] - 1 - (ids.flip(1) == marks).int().argmax(1)
        within = torch.arange(ids.shape[1])[None] > last_colon[:, None]
        for name, kept in (("all", labels), ("reply", torch.where(within, labels, IGNORED))):
            sums[name] += loss_of(model, ids, kept).item()
            counts[name] += int((kept[:, 1:] != IGNORED).sum())
    losses = {name: sums[name] / counts[name] for name in sums}
    return {
        "loss": losses["all"],
        "perplexity": math.exp(losses["all"]),
        "reply_loss": losses["reply"],
        "reply_perplexity": math.exp(losses["reply"]),
        "held_out_tokens": counts["all"],
    }
