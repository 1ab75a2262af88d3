"""The CLIP: its tokenizer, its size, its folder on disk, and what a text-made head is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torch import Tensor
from transformers import CLIPConfig, CLIPModel, PreTrainedTokenizerFast

from .drawing import SIDE, Array
from .tasks import TASKS, Task

PAD, BOS, UNKNOWN, EOS = "<pad>", "<s>", "<unk>", "</s>"  # </s> must not be 2: CLIP pools otherwise there
LENGTH = 12
MEAN, STD = 0.5, 0.35


@dataclass(frozen=True)
class Size:
    """Both towers have one width and are joined without a change of width."""

    width: int = 64
    inner: int = 256
    heads: int = 4
    vision_layers: int = 4
    text_layers: int = 2
    patch: int = 5


def new_tokenizer() -> PreTrainedTokenizerFast:
    """Whole words of the captions; encoding puts `<s>` first and `</s>` last."""
    core = Tokenizer(models.WordLevel(unk_token=UNKNOWN))
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    captions = [text for task in TASKS.values() for i in range(len(task.templates)) for text in task.captions(i)]
    found = {word for text in captions for word, _ in core.pre_tokenizer.pre_tokenize_str(text)}
    vocabulary = {word: i for i, word in enumerate([PAD, BOS, UNKNOWN, EOS, *sorted(found)])}
    core.model = models.WordLevel(vocabulary, unk_token=UNKNOWN)
    core.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A {EOS}", special_tokens=[(mark, vocabulary[mark]) for mark in (BOS, EOS)]
    )
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=core, bos_token=BOS, eos_token=EOS, pad_token=PAD, unk_token=UNKNOWN,
        model_max_length=LENGTH, padding_side="right",
    )  # fmt: skip


def new_model(size: Size, tokenizer: PreTrainedTokenizerFast, seed: int) -> CLIPModel:
    """An untrained CLIP."""
    torch.manual_seed(seed)
    tower = {"hidden_size": size.width, "intermediate_size": size.inner, "num_attention_heads": size.heads,
             "projection_dim": size.width}  # fmt: skip
    text = {"vocab_size": len(tokenizer), "max_position_embeddings": LENGTH, "num_hidden_layers": size.text_layers,
            "pad_token_id": tokenizer.pad_token_id, "bos_token_id": tokenizer.bos_token_id,
            "eos_token_id": tokenizer.eos_token_id}  # fmt: skip
    vision = {"image_size": SIDE, "patch_size": size.patch, "num_hidden_layers": size.vision_layers}
    return CLIPModel(CLIPConfig(text_config=tower | text, vision_config=tower | vision, projection_dim=size.width))


def pixels(images: Array) -> Tensor:
    """Grey images [n, side, side] in 0..1 as the processor gives them: [n, 3, side, side], normalised."""
    grey = (np.round(images * 255) / 255 - MEAN) / STD
    return torch.from_numpy(grey.astype(np.float32))[:, None].expand(-1, 3, -1, -1)


def see(model: CLIPModel, seen: Tensor) -> Tensor:
    """Normalised embeddings of pixel values [n, width]."""
    pooled = model.vision_model(pixel_values=seen).pooler_output
    return torch.nn.functional.normalize(model.visual_projection(pooled), dim=-1)


def read(model: CLIPModel, tokenizer: PreTrainedTokenizerFast, captions: list[str]) -> Tensor:
    """Normalised embeddings of captions [n, width]."""
    given = tokenizer(captions, return_tensors="pt", padding=True)
    pooled = model.text_model(input_ids=given["input_ids"], attention_mask=given["attention_mask"]).pooler_output
    return torch.nn.functional.normalize(model.text_projection(pooled), dim=-1)


@torch.no_grad()
def head(model: CLIPModel, tokenizer: PreTrainedTokenizerFast, task: Task) -> Tensor:
    """exp(logit_scale) times the normalised mean over templates of the captions' embeddings [classes, width]."""
    mean = sum(read(model, tokenizer, task.captions(i)) for i in range(len(task.templates)))
    return model.logit_scale.exp() * torch.nn.functional.normalize(mean, dim=-1)


@torch.no_grad()
def accuracy(model: CLIPModel, rows: Tensor, seen: Tensor, labels: Tensor) -> float:
    """The share of images whose class has the highest logit."""
    chosen = torch.cat([(see(model, part) @ rows.T).argmax(-1) for part in seen.split(256)])
    return (chosen == labels).float().mean().item()


PROCESSOR = {
    "crop_size": {"height": SIDE, "width": SIDE},
    "do_center_crop": True,
    "do_convert_rgb": True,
    "do_normalize": True,
    "do_rescale": True,
    "do_resize": True,
    "image_mean": [MEAN] * 3,
    "image_processor_type": "CLIPImageProcessor",
    "image_std": [STD] * 3,
    "processor_class": "CLIPProcessor",
    "resample": 3,
    "rescale_factor": 1 / 255,
    "size": {"shortest_edge": SIDE},
}


def save(model: CLIPModel, tokenizer: PreTrainedTokenizerFast, out: Path) -> None:
    """Write the folder; weights are stored as float16 and load as float32 (the config's dtype)."""
    out.mkdir(parents=True, exist_ok=True)
    tokenizer.save_pretrained(out)
    model.config.architectures = ["CLIPModel"]
    model.config.dtype = "float32"
    model.config.save_pretrained(out)
    (out / "preprocessor_config.json").write_text(json.dumps(PROCESSOR, indent=2) + "\n", encoding="utf-8")
    weights = {name: value.half().contiguous() for name, value in model.state_dict().items()
               if not name.endswith("position_ids")}  # fmt: skip
    partial = out / "model.safetensors.partial"
    save_file(weights, partial, metadata={"format": "pt"})
    partial.chmod(0o644)
    partial.replace(out / "model.safetensors")


def load(folder: Path) -> tuple[CLIPModel, PreTrainedTokenizerFast]:
    """The stored model in float32, and its tokenizer."""
    model = CLIPModel.from_pretrained(folder, dtype=torch.float32).eval()
    return model, PreTrainedTokenizerFast.from_pretrained(folder)
