"""Model files written by hand, with nothing but the standard library."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from pathlib import Path

from steerlang.graph.facts import Trouble

BYTES = {"F32": 4, "F16": 2, "BF16": 2, "I64": 8, "U8": 1}
CONFIG = {
    "model_type": "llama", "architectures": ["LlamaForCausalLM"], "num_hidden_layers": 2, "hidden_size": 4,
    "vocab_size": 10, "num_attention_heads": 2, "max_position_embeddings": 64, "dtype": "float32",
}  # fmt: skip
TOKENIZER = {
    "version": "1.0",
    "added_tokens": [],
    "pre_tokenizer": {"type": "Whitespace"},
    "model": {"type": "WordLevel", "vocab": {"a": 0, "b": 1}, "unk_token": "a"},
}


def shapes(layers: int = 2, width: int = 4, vocabulary: int = 10, prefix: str = "model.") -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {f"{prefix}embed_tokens.weight": (vocabulary, width)}
    for layer in range(layers):
        found[f"{prefix}layers.{layer}.self_attn.q_proj.weight"] = (width, width)
        found[f"{prefix}layers.{layer}.input_layernorm.weight"] = (width,)
    return found


def safetensors(tensors: Mapping[str, tuple[int, ...]], dtype: str = "F32", fill: bytes = b"\0") -> bytes:
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    position = 0
    for name, shape in tensors.items():
        size = math.prod(shape) * BYTES[dtype]
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [position, position + size]}
        position += size
    return raw_safetensors(header, fill * position)


def raw_safetensors(header: object, data: bytes) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def write(path: Path, files: Mapping[str, object]) -> None:
    content: dict[str, object] = {
        "config.json": CONFIG,
        "model.safetensors": safetensors(shapes()),
        "tokenizer.json": TOKENIZER,
        "tokenizer_config.json": {"eos_token": {"content": "</s>"}, "bos_token": "<s>"},
        **files,
    }
    for file, value in content.items():
        if value is not None:
            (path / file).write_bytes(value if isinstance(value, bytes) else json.dumps(value).encode())


def trouble(found: object) -> Trouble:
    assert isinstance(found, Trouble), found
    return found
