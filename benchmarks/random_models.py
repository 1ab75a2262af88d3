"""Random models and texts: a Llama of any size with a tokenizer of words, saved as a checkpoint; sentences of words."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast


@dataclass(frozen=True)
class Size:
    """How large a model is."""

    name: str
    layers: int
    width: int
    vocabulary: int

    @property
    def label(self) -> str:
        return f"{self.layers} × {self.width}"


SMALL = Size("small", layers=12, width=64, vocabulary=1_000)
MIDDLE = Size("middle", layers=12, width=512, vocabulary=32_000)


def save_model(folder: Path, size: Size) -> Path:
    """A random model in a folder of its own. It has no end token, so that every reply has the length asked for."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=size.vocabulary,
        hidden_size=size.width,
        intermediate_size=size.width * 8 // 3 // 8 * 8,
        num_hidden_layers=size.layers,
        num_attention_heads=8,
        num_key_value_heads=8,
        max_position_embeddings=512,
        bos_token_id=None,
        eos_token_id=None,
        pad_token_id=0,
    )
    place = folder / size.name
    LlamaForCausalLM(config).save_pretrained(place)
    tokenizer(size).save_pretrained(place)
    return place


def tokenizer(size: Size) -> PreTrainedTokenizerFast:
    """One token a word: `w1 w2 …`."""
    words = {"<pad>": 0, **{f"w{i}": i for i in range(1, size.vocabulary)}}
    made = Tokenizer(models.WordLevel(words, unk_token="<pad>"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=made, pad_token="<pad>", padding_side="left")


def sentences(count: int, size: Size, shortest: int, longest: int, seed: int = 0) -> list[str]:
    """Texts of random words, `shortest` to `longest` tokens each."""
    chance = random.Random(seed)
    return [
        " ".join(f"w{chance.randrange(1, size.vocabulary)}" for _ in range(chance.randint(shortest, longest)))
        for _ in range(count)
    ]


def save_pairs(path: Path, pairs: int, size: Size, shortest: int, longest: int) -> list[tuple[str, str]]:
    """Pairs of texts as JSON lines with the fields `before` and `after`."""
    texts = sentences(2 * pairs, size, shortest, longest)
    found = list(zip(texts[::2], texts[1::2], strict=True))
    path.write_text("".join(json.dumps({"before": a, "after": b}) + "\n" for a, b in found))
    return found
