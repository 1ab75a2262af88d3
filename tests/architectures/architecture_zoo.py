"""Tiny random models of many architectures."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import (
    AutoModelForCausalLM,
    BloomConfig,
    CohereConfig,
    FalconConfig,
    Gemma2Config,
    Gemma3TextConfig,
    GPT2Config,
    GPTNeoXConfig,
    GraniteConfig,
    LlamaConfig,
    MistralConfig,
    MixtralConfig,
    Olmo2Config,
    OPTConfig,
    Phi3Config,
    Qwen2Config,
    Qwen3Config,
    Qwen3MoeConfig,
)

VOCABULARY, WIDTH, DEPTH = 53, 32, 3
_IDS = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
_COMMON = {
    "vocab_size": VOCABULARY,
    "hidden_size": WIDTH,
    "intermediate_size": 48,
    "num_hidden_layers": DEPTH,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "initializer_range": 0.2,
    **_IDS,
}
_PLAIN = {k: v for k, v in _COMMON.items() if k not in ("num_key_value_heads", "intermediate_size")}

CONFIGS: dict[str, Any] = {
    "llama": LlamaConfig(**_COMMON),
    "mistral": MistralConfig(**_COMMON, sliding_window=6),
    "qwen2": Qwen2Config(**_COMMON),
    "qwen3": Qwen3Config(**_COMMON, head_dim=8),
    "gemma2": Gemma2Config(**_COMMON, head_dim=8, sliding_window=6, final_logit_softcapping=3.0),
    "gemma3": Gemma3TextConfig(**_COMMON, head_dim=8, sliding_window=6),
    "phi3": Phi3Config(**_COMMON),
    "olmo2": Olmo2Config(**_COMMON),
    "gpt2": GPT2Config(
        vocab_size=VOCABULARY, n_embd=WIDTH, n_layer=DEPTH, n_head=4, n_positions=64, initializer_range=0.2, **_IDS
    ),
    "gpt_neox": GPTNeoXConfig(**_PLAIN, intermediate_size=48),
    "gpt_neox_sequential": GPTNeoXConfig(**_PLAIN, intermediate_size=48, use_parallel_residual=False),
    "falcon": FalconConfig(**_PLAIN, num_kv_heads=4),
    "falcon_alibi": FalconConfig(**_PLAIN, alibi=True, parallel_attn=False),
    "opt": OPTConfig(
        vocab_size=VOCABULARY, hidden_size=WIDTH, ffn_dim=48, num_hidden_layers=DEPTH, num_attention_heads=4,
        max_position_embeddings=64, word_embed_proj_dim=WIDTH, init_std=0.2, **_IDS,
    ),
    "bloom": BloomConfig(
        vocab_size=VOCABULARY, hidden_size=WIDTH, n_layer=DEPTH, n_head=4, initializer_range=0.2, **_IDS
    ),
    "mixtral": MixtralConfig(**_COMMON, num_local_experts=4, num_experts_per_tok=2),
    "qwen3_moe": Qwen3MoeConfig(
        **_COMMON, head_dim=8, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=16, norm_topk_prob=True
    ),
    "cohere": CohereConfig(**_COMMON),
    "granite": GraniteConfig(**_COMMON, residual_multiplier=0.3, logits_scaling=4.0),
}  # fmt: skip


def build(name: str, dtype: torch.dtype = torch.float32) -> Any:
    torch.manual_seed(7)
    config = CONFIGS[name]
    model = AutoModelForCausalLM.from_config(config).to(dtype).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            # Some libraries start biases and norms at 0 and 1: a fault in them would not show.
            if parameter.ndim == 1:
                parameter.add_(torch.randn_like(parameter) * 0.1)
    return model


def near(got: NDArray[Any], wanted: NDArray[Any], bound: float = 5e-5) -> None:
    """Differences far below the largest number: what rounding in another order of sums can do, and no more."""
    assert got.shape == wanted.shape
    assert float(np.abs(got - wanted).max()) <= bound * float(np.abs(wanted).max())
