"""A small LLaVA: a CLIP image encoder with a token for each cell of the picture, a projector, a Llama decoder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor
from transformers import (
    AutoProcessor,
    CLIPVisionConfig,
    GenerationConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from .drawing import CELL, SIDE
from .words import CHAT

TOKENS = (SIDE // CELL) ** 2


@dataclass(frozen=True)
class Size:
    """Widths and depths of the two towers."""

    vocabulary: int = 640
    vision_width: int = 96
    vision_inner: int = 256
    vision_layers: int = 3
    vision_heads: int = 4
    width: int = 112
    inner: int = 304
    layers: int = 5
    heads: int = 4


def new_model(size: Size, tokenizer: PreTrainedTokenizerFast, seed: int) -> LlavaForConditionalGeneration:
    """An untrained model; all blocks of the image encoder are read, its class token is not."""
    torch.manual_seed(seed)
    marks = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id,
             "pad_token_id": tokenizer.pad_token_id}  # fmt: skip
    vision = CLIPVisionConfig(
        hidden_size=size.vision_width, intermediate_size=size.vision_inner, num_hidden_layers=size.vision_layers,
        num_attention_heads=size.vision_heads, image_size=SIDE, patch_size=CELL, projection_dim=size.vision_width,
    )  # fmt: skip
    text = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=size.width, intermediate_size=size.inner, num_hidden_layers=size.layers,
        num_attention_heads=size.heads, num_key_value_heads=size.heads, max_position_embeddings=128,
        tie_word_embeddings=False, **marks,
    )  # fmt: skip
    return LlavaForConditionalGeneration(
        LlavaConfig(
            vision_config=vision, text_config=text, image_token_index=tokenizer.image_token_id,
            image_seq_length=TOKENS, vision_feature_layer=-1, vision_feature_select_strategy="default",
            tie_word_embeddings=False, **marks,
        )
    )  # fmt: skip


def new_processor(tokenizer: PreTrainedTokenizerFast) -> LlavaProcessor:
    """Pixels in -1..1, one image token a cell."""
    half = [0.5, 0.5, 0.5]
    square = {"height": SIDE, "width": SIDE}
    images = CLIPImageProcessorPil(size=square, crop_size=square, image_mean=half, image_std=half)
    return LlavaProcessor(
        images, tokenizer, patch_size=CELL, vision_feature_select_strategy="default", chat_template=CHAT,
        image_token=tokenizer.image_token, num_additional_image_tokens=1,
    )  # fmt: skip


def pixels(images: Tensor) -> Tensor:
    """Pictures [n, side, side, 3] of bytes as the processor gives them: [n, 3, side, side] in -1..1."""
    return (images.permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.5


def save(model: LlavaForConditionalGeneration, tokenizer: PreTrainedTokenizerFast, out: Path) -> None:
    """Write the folder; weights are stored as float16 and load as float32 (the config's dtype)."""
    out.mkdir(parents=True, exist_ok=True)
    new_processor(tokenizer).save_pretrained(out)
    model.config.architectures = ["LlavaForConditionalGeneration"]
    model.config.dtype = "float32"
    model.config.save_pretrained(out)
    GenerationConfig(  # type: ignore[no-untyped-call]
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
    ).save_pretrained(out)
    weights = {name: value.half().contiguous() for name, value in model.state_dict().items()
               if not name.endswith("position_ids")}  # fmt: skip
    partial = out / "model.safetensors.partial"
    save_file(weights, partial, metadata={"format": "pt"})
    partial.chmod(0o644)
    partial.replace(out / "model.safetensors")


def load(folder: Path) -> tuple[LlavaForConditionalGeneration, LlavaProcessor]:
    """The stored model in float32, and its processor."""
    model = LlavaForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval()
    return model, AutoProcessor.from_pretrained(folder)


def record(folder: Path, document: dict[str, object]) -> None:
    """Add to `training.json`."""
    path = folder / "training.json"
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    path.write_text(json.dumps(known | document, indent=2) + "\n", encoding="utf-8")
