"""Small random models that see, as folders: a vision tower, a decoder, a processor with a tokenizer of words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers as hf
from PIL import Image
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

SIDE, PATCH, WIDTH, DEPTH = 16, 8, 16, 2
WORDS = (  # noqa: SIM905
    "describe the picture . USER ASSISTANT : what colour is it ? a red blue green circle square on yes no one two"
).split()
SPECIAL = ["<pad>", "<s>", "</s>", "<unk>", "<image>"]
TEMPLATE = (
    "{% for m in messages %}{{ m['role'].upper() }} : {% for c in m['content'] %}"
    "{% if c['type'] == 'image' %}<image>{% else %}{{ c['text'] }}{% endif %} {% endfor %}{% endfor %}"
    "{% if add_generation_prompt %}ASSISTANT :{% endif %}"
)
IDS = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
TEXT: dict[str, Any] = {
    "vocab_size": len(SPECIAL) + len(WORDS), "hidden_size": WIDTH, "intermediate_size": 24,
    "num_hidden_layers": DEPTH, "num_attention_heads": 2, "num_key_value_heads": 2, "max_position_embeddings": 128,
    "initializer_range": 0.4, **IDS,
}  # fmt: skip
# As many blocks as the decoder has, and as wide: a tower that could be taken for it.
EYES: dict[str, Any] = {
    "hidden_size": WIDTH, "intermediate_size": 24, "num_hidden_layers": DEPTH, "num_attention_heads": 2,
    "image_size": SIDE, "patch_size": PATCH, "initializer_range": 0.4,
}  # fmt: skip


def tokenizer(extra: list[str] | None = None, **named: str) -> Any:
    vocabulary = {w: i for i, w in enumerate([*SPECIAL, *WORDS, *(extra or [])])}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return hf.PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token="<s>", eos_token="</s>", pad_token="<pad>", unk_token="<unk>",
        additional_special_tokens=["<image>"], **named,
    )  # fmt: skip


def make_llava(folder: Path, seed: int = 0, template: str | None = TEMPLATE, additional: int = 1) -> Path:
    """A LLaVA as `save_pretrained` writes it; `additional`: what its processor adds to the number of patches."""
    torch.manual_seed(seed)
    config = hf.LlavaConfig(
        text_config=hf.LlamaConfig(**TEXT), vision_config=hf.CLIPVisionConfig(**EYES), image_token_id=4,
        image_seq_length=4, vision_feature_layer=-2,
    )  # fmt: skip
    hf.LlavaForConditionalGeneration(config).save_pretrained(folder)
    images = CLIPImageProcessorPil(
        size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE}
    )
    hf.LlavaProcessor(
        images, tokenizer(), patch_size=PATCH, vision_feature_select_strategy="default", chat_template=template,
        num_additional_image_tokens=additional,
    ).save_pretrained(folder)  # fmt: skip
    return folder


def noise(seed: int, width: int = SIDE, height: int = SIDE, mode: str = "RGB") -> Image.Image:
    generator = np.random.default_rng(seed)
    shape = (height, width) if mode in ("L", "1") else (height, width, len(mode))
    return Image.fromarray(generator.integers(0, 255, shape, dtype=np.uint8), mode=None).convert(mode)
