"""Small random models that see, as folders: a vision tower, a decoder, a processor with a tokenizer of words."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers as hf
from PIL import Image
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers, processors

from steerlang.models.eyes import of_parts

SIDE, PATCH, WIDTH, DEPTH = 16, 8, 16, 2
WORDS = (  # noqa: SIM905
    "describe the picture . USER ASSISTANT : what colour is it ? a red blue green circle square on yes no one two"
).split()
SPECIAL = ["<pad>", "<s>", "</s>", "<unk>", "<image>"]
IMAGE = 4
_ROWS = [f"<row_{i}_col_{j}>" for i in (1, 2, 3) for j in (1, 2, 3)]
_EXTRA = [
    "<fake_token_around_image>", "<end_of_utterance>", "<global-img>", "<|video_pad|>", "<|vision_start|>",
    "<|vision_end|>", "<start_of_image>", "<end_of_image>", "<|image_pad|>", "<video>", *_ROWS,
]  # fmt: skip
_PLACED = "{% for m in messages %}{{ m['role'].upper() }} : {% for c in m['content'] %}" \
    "{% if c['type'] == 'image' %}PLACE{% else %}{{ c['text'] }}{% endif %} {% endfor %}{% endfor %}" \
    "{% if add_generation_prompt %}ASSISTANT :{% endif %}"
TEMPLATE = _PLACED.replace("PLACE", "<image>")
IDS = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
NAMES = [*SPECIAL, *_EXTRA]
TEXT: dict[str, Any] = {
    "vocab_size": len(NAMES) + len(WORDS), "hidden_size": WIDTH, "intermediate_size": 24, "num_hidden_layers": DEPTH,
    "num_attention_heads": 2, "num_key_value_heads": 2, "max_position_embeddings": 128, "initializer_range": 0.4,
    **IDS,
}  # fmt: skip
# As many blocks as the decoder has, and as wide: a tower that could be taken for it.
EYES: dict[str, Any] = {
    "hidden_size": WIDTH, "intermediate_size": 24, "num_hidden_layers": DEPTH, "num_attention_heads": 2,
    "image_size": SIDE, "patch_size": PATCH, "initializer_range": 0.4,
}  # fmt: skip
_QWEN_ROPE = {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 10000.0}
_SQUARE = {"height": SIDE, "width": SIDE}


def tokenizer(image: str = "<image>", **named: str) -> Any:
    """Words, each a token. `named` are special tokens that a processor asks for by name."""
    made = Tokenizer(models.WordLevel({w: i for i, w in enumerate([*NAMES, *WORDS])}, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    made.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in (image, *_EXTRA)])
    return hf.PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token="<s>", eos_token="</s>", pad_token="<pad>", unk_token="<unk>",
        extra_special_tokens=named or None,
    )  # fmt: skip


def _number(name: str) -> int:
    return NAMES.index(name)


def _pil(model: str, name: str, **options: Any) -> Any:
    module = import_module(f"transformers.models.{model}.image_processing_pil_{model}")
    return getattr(module, f"{name}ImageProcessorPil")(**options)


Parts = tuple[Any, Any]


def llava(template: str | None = TEMPLATE, additional: int = 1) -> Parts:
    """`additional`: what its processor adds to the number of patches."""
    config = hf.LlavaConfig(
        text_config=hf.LlamaConfig(**TEXT), vision_config=hf.CLIPVisionConfig(**EYES), image_token_id=IMAGE,
        image_seq_length=4, vision_feature_layer=-2,
    )  # fmt: skip
    images = _pil("clip", "CLIP", size={"shortest_edge": SIDE}, crop_size=_SQUARE)
    more = {"patch_size": PATCH, "vision_feature_select_strategy": "default", "num_additional_image_tokens": additional}
    return config, of_parts(hf.LlavaProcessor, images, tokenizer(), chat_template=template, **more)


def llava_next() -> Parts:
    grid = [[SIDE, SIDE], [SIDE, 2 * SIDE], [2 * SIDE, SIDE]]
    config = hf.LlavaNextConfig(
        text_config=hf.MistralConfig(**TEXT), vision_config=hf.CLIPVisionConfig(**EYES), image_token_id=IMAGE,
        image_grid_pinpoints=grid,
    )  # fmt: skip
    images = _pil(
        "llava_next", "LlavaNext", size={"shortest_edge": SIDE}, crop_size=_SQUARE, image_grid_pinpoints=grid
    )
    more = {"patch_size": PATCH, "vision_feature_select_strategy": "default", "num_additional_image_tokens": 1}
    return config, of_parts(hf.LlavaNextProcessor, images, tokenizer(), chat_template=TEMPLATE, **more)


def idefics2() -> Parts:
    perceiver = {"hidden_size": WIDTH, "resampler_depth": DEPTH, "resampler_n_latents": 3, "num_key_value_heads": 2,
                 "resampler_n_heads": 2, "resampler_head_dim": 8}  # fmt: skip
    config = hf.Idefics2Config(
        text_config=hf.MistralConfig(**TEXT), vision_config=dict(EYES), perceiver_config=perceiver,
        image_token_id=IMAGE,
    )  # fmt: skip
    images = _pil("idefics2", "Idefics2", size={"shortest_edge": 8, "longest_edge": 16}, do_image_splitting=False)
    return config, of_parts(hf.Idefics2Processor, images, tokenizer(), chat_template=TEMPLATE, image_seq_len=3)


def _tiled(kind: Any, processor: Any, module: str, name: str) -> Callable[[], Parts]:
    def make() -> Parts:
        config = kind(
            text_config=hf.LlamaConfig(**TEXT), vision_config=dict(EYES), image_token_id=IMAGE, scale_factor=1,
            pad_token_id=0,
        )  # fmt: skip
        images = _pil(module, name, size={"longest_edge": 32}, max_image_size={"longest_edge": SIDE})
        return config, of_parts(processor, images, tokenizer(), chat_template=TEMPLATE, image_seq_len=4)

    return make


def _qwen(kind: Any, processor: Any, eyes: dict[str, Any]) -> Callable[[], Parts]:
    def make() -> Parts:
        pad, video, start, end = (_number(f"<|{n}|>") for n in ("image_pad", "video_pad", "vision_start", "vision_end"))
        config = kind(
            text_config={**TEXT, "rope_parameters": _QWEN_ROPE}, image_token_id=pad, video_token_id=video,
            vision_start_token_id=start, vision_end_token_id=end,
            vision_config={**eyes, "patch_size": 4, "spatial_merge_size": 2, "temporal_patch_size": 2,
                           "initializer_range": 0.4},
        )  # fmt: skip
        images = _pil(
            "qwen2_vl", "Qwen2VL", patch_size=4, merge_size=2, temporal_patch_size=2,
            size={"shortest_edge": 64, "longest_edge": 1024},
        )  # fmt: skip
        template = _PLACED.replace("PLACE", "<|vision_start|><|image_pad|><|vision_end|>")
        return config, of_parts(processor, images, tokenizer("<|image_pad|>"), chat_template=template)

    return make


def paligemma() -> Parts:
    config = hf.PaliGemmaConfig(
        text_config=hf.GemmaConfig(**TEXT, head_dim=8), projection_dim=WIDTH, image_token_id=IMAGE,
        vision_config=hf.SiglipVisionConfig(**EYES, projection_dim=WIDTH),
    )  # fmt: skip
    images = _pil("siglip", "Siglip", size=_SQUARE, image_seq_length=4)
    return config, of_parts(hf.PaliGemmaProcessor, images, tokenizer(image_token="<image>"))


def gemma3() -> Parts:
    config = hf.Gemma3Config(
        text_config=hf.Gemma3TextConfig(**TEXT, head_dim=8, sliding_window=6), mm_tokens_per_image=4,
        vision_config=hf.SiglipVisionConfig(**EYES), image_token_id=IMAGE,
        boi_token_id=_number("<start_of_image>"), eoi_token_id=_number("<end_of_image>"),
    )  # fmt: skip
    images = _pil("gemma3", "Gemma3", size=_SQUARE)
    named = {"image_token": "<image>", "boi_token": "<start_of_image>", "eoi_token": "<end_of_image>"}
    template = _PLACED.replace("PLACE", "<start_of_image>")
    return config, of_parts(
        hf.Gemma3Processor, images, tokenizer(**named), chat_template=template, image_seq_length=4
    )


_QWEN_EYES = {"depth": DEPTH, "embed_dim": WIDTH, "hidden_size": WIDTH, "num_heads": 2, "mlp_ratio": 2}
_QWEN25_EYES = {
    "depth": DEPTH, "hidden_size": WIDTH, "out_hidden_size": WIDTH, "intermediate_size": 24, "num_heads": 2,
    "fullatt_block_indexes": [0], "window_size": 16,
}  # fmt: skip
SEEING: dict[str, Callable[[], Parts]] = {
    "llava": llava,
    "llava_next": llava_next,
    "idefics2": idefics2,
    "idefics3": _tiled(hf.Idefics3Config, hf.Idefics3Processor, "idefics3", "Idefics3"),
    "smolvlm": _tiled(hf.SmolVLMConfig, hf.SmolVLMProcessor, "smolvlm", "SmolVLM"),
    "qwen2_vl": _qwen(hf.Qwen2VLConfig, hf.Qwen2VLProcessor, _QWEN_EYES),
    "qwen2_5_vl": _qwen(hf.Qwen2_5_VLConfig, hf.Qwen2_5_VLProcessor, _QWEN25_EYES),
    "paligemma": paligemma,
    "gemma3": gemma3,
}


def save(parts: Parts, folder: Path, seed: int = 0) -> Path:
    """A model as `save_pretrained` writes it."""
    config, processor = parts
    torch.manual_seed(seed)
    model = hf.AutoModelForImageTextToText.from_config(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1 or not parameter.any():
                parameter.add_(torch.randn_like(parameter) * 0.1)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def noise(seed: int, width: int = SIDE, height: int = SIDE, mode: str = "RGB") -> Image.Image:
    generator = np.random.default_rng(seed)
    shape = (height, width) if mode == "L" else (height, width, len(mode))
    return Image.fromarray(generator.integers(0, 255, shape, dtype=np.uint8)).convert(mode)
