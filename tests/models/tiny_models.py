"""A small random Llama, random items and random directions for the tests of this room."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from hypothesis import HealthCheck, settings
from numpy.typing import NDArray
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from steerlang.models import LoadedModel, TokenisedItem, wrap

VOCABULARY, WIDTH, DEPTH = 61, 24, 4
# Runs share their processors: how long an example takes says nothing.
STEADY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def tiny_llama(seed: int = 0) -> LlamaForCausalLM:
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=WIDTH,
        intermediate_size=40,
        num_hidden_layers=DEPTH,
        num_attention_heads=4,
        num_key_value_heads=2,
        initializer_range=0.3,
        bos_token_id=1,
        eos_token_id=2,
        max_position_embeddings=128,
    )
    return LlamaForCausalLM(config).eval()


def loaded_llama(seed: int = 0) -> LoadedModel:
    return wrap(tiny_llama(seed), None)


def random_items(count: int, seed: int = 0, shortest: int = 1, longest: int = 12) -> list[TokenisedItem]:
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(shortest, longest + 1, (count,), generator=generator).tolist()
    return [
        TokenisedItem(tuple(torch.randint(3, VOCABULARY, (length,), generator=generator).tolist()))
        for length in lengths
    ]


def random_directions(
    seed: int, vectors: int = 1, layers: tuple[int, ...] = tuple(range(DEPTH))
) -> dict[int, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {layer: torch.randn(vectors, WIDTH, generator=generator) for layer in layers}


def near(got: NDArray[Any], wanted: NDArray[Any], bound: float = 2e-5) -> None:
    """Differences far below the largest number: what rounding in another order of sums can do, and no more."""
    assert got.shape == wanted.shape
    if wanted.size:
        assert float(np.abs(got - wanted).max()) <= bound * max(float(np.abs(wanted).max()), 1e-3)


def byte_tokenizer() -> PreTrainedTokenizerFast:
    """One token a byte, `<s>` in front."""
    specials = ["<pad>", "<s>", "</s>"]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: i for i, token in enumerate(specials + alphabet)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>")
