"""Tiny checkpoints in folders, and their edits as arrays."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

from steerlang.weights.adapters import Adapter
from steerlang.weights.checkpoint import Checkpoint
from steerlang.weights.dtypes import from_float32, to_float32
from steerlang.weights.expression import Edit, Vector
from steerlang.weights.layout import index_file, shards
from steerlang.weights.planning import EditPlan, Output, plan_edit
from steerlang.weights.receipt import Sums
from steerlang.weights.streaming import Streams

VOCABULARY, WIDTH, LAYERS = 50, 8, 3
CONFIG = {"model_type": "llama", "vocab_size": VOCABULARY, "dtype": "float32", "num_hidden_layers": LAYERS}
Arrays = dict[str, np.ndarray]


def shapes() -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (VOCABULARY, WIDTH)}
    for layer in range(LAYERS):
        at = f"model.layers.{layer}"
        found |= {f"{at}.self_attn.{n}_proj.weight": (WIDTH, WIDTH) for n in "qkvo"}
        found |= {f"{at}.mlp.up_proj.weight": (2 * WIDTH, WIDTH), f"{at}.mlp.down_proj.weight": (WIDTH, 2 * WIDTH)}
        found[f"{at}.input_layernorm.weight"] = (WIDTH,)
    return {**found, "model.norm.weight": (WIDTH,), "lm_head.weight": (VOCABULARY, WIDTH)}


def arrays(seed: int, base: Arrays | None = None, size: float = 0.05) -> Arrays:
    """Random tensors; a fine-tune of `base` where one is given."""
    chance = np.random.default_rng(seed)
    made = {name: chance.standard_normal(shape).astype(np.float32) for name, shape in shapes().items()}
    if base is None:
        return made
    return {name: (base[name] + np.float32(size) * made[name]).astype(np.float32) for name in made}


def write(
    folder: Path, tensors: Mapping[str, np.ndarray], dtype: str = "F32", shard: int = 1 << 40,
    config: Mapping[str, Any] | None = CONFIG,
) -> Path:  # fmt: skip
    """A checkpoint with float arrays stored as `dtype`; integer arrays as they are."""
    folder.mkdir(parents=True, exist_ok=True)
    kinds = {"int8": "I8", "int64": "I64", "float64": "F64"}
    outputs = [Output(n, kinds.get(a.dtype.name, dtype), a.shape, "copied") for n, a in tensors.items()]
    files = shards(outputs, shard)
    for file in files:
        data = []
        for output in file.outputs:
            array = np.ascontiguousarray(tensors[output.name]).reshape(-1)
            data.append((from_float32(array, dtype) if output.dtype == dtype else array).tobytes())
        (folder / file.file).write_bytes(b"".join((file.header, *data)))
    if len(files) > 1:
        (folder / "model.safetensors.index.json").write_bytes(index_file(files))
    if config is not None:
        (folder / "config.json").write_text(json.dumps(config))
    return folder


def model(folder: Path, tensors: Mapping[str, np.ndarray], **options: Any) -> Checkpoint:
    return Checkpoint.open(write(folder, tensors, **options), folder.name)


def adapter(folder: Path, factors: Mapping[str, tuple[np.ndarray, np.ndarray]], **config: Any) -> Adapter:
    """A PEFT adapter: (B, A) by module."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {}
    for module, (b, a) in factors.items():
        tensors[f"base_model.model.{module}.lora_A.weight"] = a.astype(np.float32)
        tensors[f"base_model.model.{module}.lora_B.weight"] = b.astype(np.float32)
    (folder / "adapter_model.safetensors").write_bytes(save(tensors))
    rank = next(iter(factors.values()))[1].shape[0] if factors else 2
    said = {"peft_type": "LORA", "r": rank, "lora_alpha": 2 * rank, **config}
    (folder / "adapter_config.json").write_text(json.dumps(said))
    return Adapter.open(folder, folder.name)


def stored(plan: EditPlan, chunk: int | None = None) -> dict[str, np.ndarray]:
    """The result of a plan as stored bits."""
    streams = Streams(plan, chunk)
    numbers = {vector: number for number, vector in enumerate(streams.vectors)}
    found = {}
    for output in plan.outputs:
        pieces = list(streams.stream(output, Sums(numbers)))
        found[output.name] = np.concatenate(pieces) if pieces else np.zeros(0, np.uint8)
    return found


def result(plan: EditPlan, chunk: int | None = None) -> Arrays:
    """The result of a plan as float32 arrays."""
    from steerlang.weights.dtypes import STORAGE

    bits = stored(plan, chunk)
    return {o.name: to_float32(bits[o.name].view(STORAGE[o.dtype]), o.dtype).reshape(o.shape) for o in plan.outputs}


def planned(models: Mapping[str, Checkpoint], change: Vector, **options: Any) -> EditPlan:
    return plan_edit(Edit("base", change), models, **options)
