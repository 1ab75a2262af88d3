"""Tiny random models that are more than a text decoder: with eyes, without attention, with an encoder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    AutoModelForSeq2SeqLM,
    BartConfig,
    CLIPVisionConfig,
    FalconMambaConfig,
    Gemma3Config,
    Gemma3TextConfig,
    GemmaConfig,
    Idefics2Config,
    Idefics3Config,
    Lfm2Config,
    LlamaConfig,
    LlavaConfig,
    LlavaNextConfig,
    Mamba2Config,
    MambaConfig,
    MistralConfig,
    PaliGemmaConfig,
    PreTrainedConfig,
    Qwen2_5_VLConfig,
    Qwen2VLConfig,
    SiglipVisionConfig,
    SmolVLMConfig,
    T5Config,
)

VOCABULARY, WIDTH, DEPTH = 53, 32, 3
_IDS = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
_TEXT = {
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
# As many blocks as the decoder has, and as wide: a tower that could be taken for it.
_EYES = {
    "hidden_size": WIDTH,
    "intermediate_size": 48,
    "num_hidden_layers": DEPTH,
    "num_attention_heads": 4,
    "image_size": 16,
    "patch_size": 8,
}
_QWEN_EYES = {
    "depth": DEPTH, "embed_dim": WIDTH, "hidden_size": WIDTH, "num_heads": 4, "patch_size": 8,
    "spatial_merge_size": 1, "temporal_patch_size": 1, "mlp_ratio": 2,
}  # fmt: skip
_QWEN25_EYES = {
    "depth": DEPTH, "hidden_size": WIDTH, "out_hidden_size": WIDTH, "intermediate_size": 48, "num_heads": 4,
    "patch_size": 8, "spatial_merge_size": 1, "temporal_patch_size": 1, "fullatt_block_indexes": [0],
}  # fmt: skip
_ROPE = {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 10000.0}


def _seeing(kind: type[PreTrainedConfig], text: Any, eyes: Any, **more: Any) -> Callable[[], Any]:
    return lambda: AutoModelForImageTextToText.from_config(
        kind(text_config=text, vision_config=eyes, image_token_id=50, **more)
    )


def _causal(config: Any) -> Callable[[], Any]:
    return lambda: AutoModelForCausalLM.from_config(config)


SEEING: dict[str, Callable[[], Any]] = {
    "gemma3": _seeing(
        Gemma3Config, Gemma3TextConfig(**_TEXT, head_dim=8, sliding_window=6), SiglipVisionConfig(**_EYES),
        mm_tokens_per_image=4,
    ),
    "llava": _seeing(LlavaConfig, LlamaConfig(**_TEXT), CLIPVisionConfig(**_EYES)),
    "llava_next": _seeing(
        LlavaNextConfig, MistralConfig(**_TEXT), CLIPVisionConfig(**_EYES), image_grid_pinpoints=[[16, 16]]
    ),
    "paligemma": _seeing(
        PaliGemmaConfig, GemmaConfig(**_TEXT, head_dim=8), SiglipVisionConfig(**_EYES, projection_dim=WIDTH),
        projection_dim=WIDTH,
    ),
    "idefics2": _seeing(
        Idefics2Config, MistralConfig(**_TEXT), dict(_EYES),
        perceiver_config={"hidden_size": WIDTH, "resampler_depth": DEPTH, "resampler_n_latents": 2,
                          "num_key_value_heads": 2, "resampler_n_heads": 4, "resampler_head_dim": 8},
    ),
    "idefics3": _seeing(Idefics3Config, LlamaConfig(**_TEXT), dict(_EYES), scale_factor=1),
    "smolvlm": _seeing(SmolVLMConfig, LlamaConfig(**_TEXT), dict(_EYES), scale_factor=1),
    "qwen2_vl": _seeing(Qwen2VLConfig, {**_TEXT, "rope_parameters": _ROPE}, _QWEN_EYES),
    "qwen2_5_vl": _seeing(Qwen2_5_VLConfig, {**_TEXT, "rope_parameters": _ROPE}, _QWEN25_EYES),
}  # fmt: skip

_MAMBA = {
    "vocab_size": VOCABULARY, "hidden_size": WIDTH, "num_hidden_layers": DEPTH, "state_size": 4,
    "initializer_range": 0.2, **_IDS,
}  # fmt: skip
RECURRENT: dict[str, Callable[[], Any]] = {
    "mamba": _causal(MambaConfig(**_MAMBA)),
    "falcon_mamba": _causal(FalconMambaConfig(**_MAMBA)),
    "mamba2": _causal(Mamba2Config(**{**_MAMBA, "num_heads": 8, "head_dim": 8, "n_groups": 2, "chunk_size": 4})),
    "lfm2": _causal(
        Lfm2Config(**_TEXT, layer_types=["conv", "full_attention", "conv"], block_auto_adjust_ff_dim=False)
    ),
}

ENCODED: dict[str, Callable[[], Any]] = {
    "t5": lambda: AutoModelForSeq2SeqLM.from_config(
        T5Config(
            vocab_size=VOCABULARY, d_model=WIDTH, d_kv=8, d_ff=48, num_layers=DEPTH, num_decoder_layers=DEPTH,
            num_heads=4, decoder_start_token_id=0, eos_token_id=2, pad_token_id=0, initializer_factor=3.0,
        )
    ),
    "bart": lambda: AutoModelForSeq2SeqLM.from_config(
        BartConfig(
            vocab_size=VOCABULARY, d_model=WIDTH, encoder_layers=DEPTH, decoder_layers=DEPTH, encoder_ffn_dim=48,
            decoder_ffn_dim=48, encoder_attention_heads=4, decoder_attention_heads=4, max_position_embeddings=64,
            decoder_start_token_id=2, init_std=0.2, forced_eos_token_id=None, **_IDS,
        )
    ),
}  # fmt: skip

EVERY = {**SEEING, **RECURRENT, **ENCODED}


def build(name: str) -> Any:
    torch.manual_seed(7)
    model = EVERY[name]().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.add_(torch.randn_like(parameter) * 0.1)
    return model
