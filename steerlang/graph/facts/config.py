"""What `config.json` says of a model. Sizes are found by trying the keys that are in use, never by architecture."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .promise import Trouble
from .troubles import bad_model, unreadable

FILE = "config.json"
_MAX_BYTES = 16 << 20
_DECODER_PARTS = ("text_config", "language_config", "llm_config", "text_model_config")
_VISION_PARTS = ("vision_config",)
_LAYERS = ("num_hidden_layers", "n_layer", "num_layers", "n_layers", "decoder_layers", "encoder_layers")
# Of a model with an encoder, the decoder is meant: it is what is read and steered.
_DECODER_LAYERS = ("num_decoder_layers", "decoder_layers")
_WIDTH = ("hidden_size", "n_embd", "d_model", "dim", "embed_dim", "model_dim")
_VOCABULARY = ("vocab_size", "n_vocab")
_HEADS = ("num_attention_heads", "n_head", "num_heads", "n_heads", "decoder_attention_heads", "encoder_attention_heads")
_POSITIONS = ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "max_target_positions")
# The end of an architecture's name tells what its head is for.
_TASKS = (
    ("ForCausalLM", "causal"),
    ("LMHeadModel", "causal"),
    ("ForConditionalGeneration", "image_text_to_text"),
    ("ForImageTextToText", "image_text_to_text"),
    ("ForImageClassification", "image_classification"),
    ("ForImageClassificationWithTeacher", "image_classification"),
    ("ForSequenceClassification", "sequence_classification"),
    ("CLIPModel", "clip"),
    ("SiglipModel", "clip"),
    ("Siglip2Model", "clip"),
)


@dataclass(frozen=True, slots=True)
class Config:
    """The parts of a configuration that checking reads; None where it does not say."""

    model_type: str
    architectures: tuple[str, ...]
    layers: int | None
    width: int | None
    vocabulary: int | None
    heads: int | None
    positions: int | None
    dtype: str | None
    tied: bool | None
    quantised: str | None
    remote_code: bool
    shares_layers: bool
    encodes: bool
    sees_images: bool
    reads_text: bool
    labels: tuple[str, ...]

    @property
    def task(self) -> str | None:
        """What the architecture's name says it is for."""
        for architecture in self.architectures:
            for ending, task in _TASKS:
                if architecture.endswith(ending) and (self.sees_images or task != "image_text_to_text"):
                    return task
        return None


def read_json_object(path: Path, name: str, limit: int = _MAX_BYTES) -> dict[str, object] | Trouble:
    """A JSON object from a file of a model folder."""
    try:
        if path.stat().st_size > limit:
            return bad_model(path, f"`{name}` is larger than {limit >> 20} MiB")
        raw = path.read_bytes()
    except FileNotFoundError:
        return bad_model(path, f"`{name}` does not exist", "copy or download the whole folder of the model")
    except OSError as problem:
        return unreadable(name, path, problem)
    if not raw:
        return bad_model(path, f"`{name}` is empty (0 bytes)", "copy or download it again")
    if raw.startswith(b"version https://git-lfs"):
        return bad_model(path, f"`{name}` is a Git LFS pointer, not the file itself", "run `git lfs pull`")
    try:
        value = json.loads(raw.decode("utf-8-sig"))
    except json.JSONDecodeError as problem:
        said = f"{problem.msg[:1].lower()}{problem.msg[1:]}".removesuffix(" at")
        reason = f"{said} at line {problem.lineno}, column {problem.colno}"
        return bad_model(path, f"`{name}` is not JSON: {reason}")
    except (ValueError, RecursionError):
        return bad_model(path, f"`{name}` is not JSON")
    if not isinstance(value, dict):
        return bad_model(path, f"`{name}` is not a JSON object")
    return value


def read_config(folder: Path, name: str) -> Config | Trouble:
    """The configuration of the model in `folder`."""
    path = folder / FILE
    shown = f"{name}/{FILE}"
    content = read_json_object(path, shown)
    if isinstance(content, Trouble):
        return content
    if not isinstance(content.get("model_type"), str) or not content["model_type"]:
        message = f"`{shown}` has no `model_type`, which tells how the model is built"
        return bad_model(path, message, "take the `config.json` that was saved with the model")
    try:
        return _config(content)
    except _KeyTypeError as problem:
        return bad_model(path, f"in `{shown}`, {problem}")


class _KeyTypeError(Exception):
    """A key of the configuration holds something that cannot be what it stands for."""


def _config(content: Mapping[str, object]) -> Config:
    parts = _parts(content)
    quantisation = content.get("quantization_config")
    encodes = content.get("is_encoder_decoder") is True
    return Config(
        model_type=str(content["model_type"]),
        architectures=_texts(content.get("architectures")),
        layers=_size(parts, (*_DECODER_LAYERS, *_LAYERS) if encodes else _LAYERS),
        width=_size(parts, _WIDTH),
        vocabulary=_size(parts, _VOCABULARY),
        heads=_size(parts, _HEADS),
        positions=_size(parts, _POSITIONS),
        dtype=_text(parts, ("dtype", "torch_dtype")),
        tied=_boolean(parts, "tie_word_embeddings"),
        quantised=str(quantisation.get("quant_method", "unknown")) if isinstance(quantisation, dict) else None,
        remote_code=bool(content.get("auto_map")),
        shares_layers=any("num_hidden_groups" in part for part in parts),
        encodes=encodes,
        sees_images=any(isinstance(content.get(key), dict) for key in _VISION_PARTS),
        reads_text=any(isinstance(content.get(key), dict) for key in _DECODER_PARTS),
        labels=_labels(content.get("id2label")),
    )


def _parts(content: Mapping[str, object]) -> tuple[Mapping[str, object], ...]:
    """Where to look, first to last: the text decoder's own part, the top, and an image model's only tower."""
    text = [content[key] for key in _DECODER_PARTS if isinstance(content.get(key), dict)]
    vision = [content[key] for key in _VISION_PARTS if isinstance(content.get(key), dict) and not text]
    found = [part for part in (*text[:1], content, *vision) if isinstance(part, dict)]
    return tuple(found)


def _size(parts: tuple[Mapping[str, object], ...], keys: tuple[str, ...]) -> int | None:
    for part in parts:
        for key in keys:
            value = part.get(key)
            if value is None or isinstance(value, (list, dict)):
                continue
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise _KeyTypeError(f"`{key}` is {json.dumps(value)}, not a positive whole number")
            return value
    return None


def _text(parts: tuple[Mapping[str, object], ...], keys: tuple[str, ...]) -> str | None:
    values = (part.get(key) for part in parts for key in keys)
    return next((value.removeprefix("torch.") for value in values if isinstance(value, str)), None)


def _boolean(parts: tuple[Mapping[str, object], ...], key: str) -> bool | None:
    return next((value for part in parts if isinstance(value := part.get(key), bool)), None)


def _texts(value: object) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def _labels(value: object) -> tuple[str, ...]:
    if not isinstance(value, dict) or not all(str(key).isdigit() for key in value):
        return ()
    return tuple(str(value[key]) for key in sorted(value, key=int))
