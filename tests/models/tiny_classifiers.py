"""Small random classifiers as folders, and images of every sort to put before them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers as hf
from PIL import Image
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors

SIDE = 16
LABELS = {0: "cat", 1: "dog", 2: "owl"}
NAMED: dict[str, Any] = {"id2label": LABELS, "label2id": {v: k for k, v in LABELS.items()}}
_SMALL: dict[str, Any] = {
    "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2,
    "initializer_range": 0.3,
}  # fmt: skip
_TEXT: dict[str, Any] = {
    **_SMALL, "vocab_size": 300, "max_position_embeddings": 48, "bos_token_id": 1, "eos_token_id": 2,
    "pad_token_id": 0,
}  # fmt: skip
_PICTURE: dict[str, Any] = {**_SMALL, "image_size": SIDE, "patch_size": 8}


def _vit() -> Any:
    return hf.ViTForImageClassification(hf.ViTConfig(**_PICTURE, **NAMED))


def _grey_vit() -> Any:
    return hf.ViTForImageClassification(hf.ViTConfig(**_PICTURE, **NAMED, num_channels=1))


def _deit() -> Any:
    return hf.DeiTForImageClassification(hf.DeiTConfig(**_PICTURE, **NAMED))


def _deit_with_teacher() -> Any:
    return hf.DeiTForImageClassificationWithTeacher(hf.DeiTConfig(**_PICTURE, **NAMED))


def _swin() -> Any:
    config = hf.SwinConfig(
        image_size=SIDE, patch_size=2, embed_dim=8, depths=[1, 1], num_heads=[1, 2], window_size=2, **NAMED
    )
    return hf.SwinForImageClassification(config)


def _resnet() -> Any:
    config = hf.ResNetConfig(embedding_size=8, hidden_sizes=[8, 12], depths=[1, 1], layer_type="basic", **NAMED)
    return hf.ResNetForImageClassification(config)


def _convnext() -> Any:
    config = hf.ConvNextConfig(hidden_sizes=[8, 12], depths=[1, 1], num_stages=2, patch_size=2, **NAMED)
    return hf.ConvNextForImageClassification(config)


def _clip() -> Any:
    config = hf.CLIPConfig(text_config=_TEXT, vision_config=_PICTURE, projection_dim=12)
    return hf.CLIPModel(config)


def _siglip() -> Any:
    config = hf.SiglipConfig(text_config={**_TEXT, "projection_size": 16}, vision_config=_PICTURE)
    return hf.SiglipModel(config)


def _bert() -> Any:
    return hf.BertForSequenceClassification(hf.BertConfig(**_TEXT, **NAMED))


def _roberta() -> Any:
    return hf.RobertaForSequenceClassification(hf.RobertaConfig(**_TEXT, **NAMED))


def _llama() -> Any:
    return hf.LlamaForSequenceClassification(hf.LlamaConfig(**_TEXT, **NAMED))


def _gpt2() -> Any:
    """No token to pad with."""
    config = hf.GPT2Config(
        vocab_size=300, n_positions=48, n_embd=16, n_layer=2, n_head=2, bos_token_id=1, eos_token_id=2, **NAMED
    )
    return hf.GPT2ForSequenceClassification(config)


MAKERS: dict[str, tuple[str, Callable[[], Any]]] = {
    "vit": ("image_classification", _vit),
    "grey_vit": ("image_classification", _grey_vit),
    "deit": ("image_classification", _deit),
    "deit_with_teacher": ("image_classification", _deit_with_teacher),
    "swin": ("image_classification", _swin),
    "resnet": ("image_classification", _resnet),
    "convnext": ("image_classification", _convnext),
    "clip": ("clip", _clip),
    "siglip": ("clip", _siglip),
    "bert": ("sequence_classification", _bert),
    "roberta": ("sequence_classification", _roberta),
    "llama": ("sequence_classification", _llama),
    "gpt2": ("sequence_classification", _gpt2),
}


def save(name: str, folder: Path, seed: int = 0) -> Path:
    """One of the models in a folder, with its processor and tokenizer."""
    task, make = MAKERS[name]
    torch.manual_seed(seed)
    model = make()
    if task == "clip":
        with torch.no_grad():
            model.logit_scale.fill_(1.5)
    for module in model.modules():  # moments as of a trained model
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    model.save_pretrained(folder)
    if task != "sequence_classification":
        processor(name).save_pretrained(folder)
    if task != "image_classification":
        letters().save_pretrained(folder)
    return folder


def letters() -> Any:
    """One token a byte, `<s>` in front, and a token to pad with."""
    specials = ["<pad>", "<s>", "</s>"]
    vocabulary = {t: i for i, t in enumerate([*specials, *sorted(pre_tokenizers.ByteLevel.alphabet())])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return hf.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>"
    )


def processor(name: str) -> Any:
    if name == "grey_vit":
        return hf.ViTImageProcessor(
            size={"height": SIDE, "width": SIDE}, image_mean=[0.5], image_std=[0.5], do_convert_rgb=False
        )
    if name == "clip":
        return hf.CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE})
    return hf.ViTImageProcessor(size={"height": SIDE, "width": SIDE}, do_convert_rgb=True)


def noise(seed: int, width: int = 20, height: int = 18) -> Image.Image:
    values = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values)


def pictures(folder: Path, count: int = 6) -> list[dict[str, str]]:
    """Images of random pixels and different sizes, as rows."""
    rows = []
    for i in range(count):
        path = folder / f"{i}.png"
        noise(i, 16 + 3 * i, 24 - i).save(path)
        rows.append({"image": str(path)})
    return rows


TEXTS = [{"text": t} for t in ("a", "a dog sat", "owls are not what they seem", "cat", "no", "the end of it")]
