"""LoRA adapters in PEFT's format, as factored task vectors: τ = s · B A, A [r, in], B [out, r].

s = α / r, or α / √r with `use_rslora` (Kalajdzievski, 2023), α and r also by `alpha_pattern` and `rank_pattern`.
Embeddings are stored as A [r, tokens], B [width, r]: τ = s · (B A)ᵀ; so are layers with `fan_in_fan_out`.
Whatever else an adapter can hold changes the model in another way and is refused.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np

from steerlang.diagnostics import codes

from .checkpoint import Checkpoint, read_json
from .dtypes import Float32, is_float
from .errors import WeightsError, listed, near

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
_FACTOR = re.compile(r"(?:base_model\.model\.)?(.+)\.lora_(embedding_)?([AB])(?:\.default)?(?:\.weight)?")


@dataclass(frozen=True, slots=True)
class Pair:
    """The factors of one tensor: names of A and B in the file, s, and whether τ is (B A)ᵀ."""

    a: str
    b: str
    rank: int
    scale: float
    transposed: bool
    shape: tuple[int, int]


@dataclass(frozen=True)
class Adapter:
    """An adapter: pairs of factors by the module they belong to."""

    name: str
    file: Checkpoint = field(repr=False)
    pairs: Mapping[str, Pair] = field(repr=False)
    config: Mapping[str, Any] = field(repr=False)

    @staticmethod
    def open(folder: str | Path, name: str | None = None) -> Adapter:
        """The adapter in `folder`, from its configuration and header alone. Raises WeightsError."""
        place, shown = Path(folder), name or str(folder)
        if not (place / CONFIG).is_file():
            message = f"`{shown}` holds no adapter: `{CONFIG}` is missing"
            raise WeightsError(message, "name the folder that PEFT's `save_pretrained` wrote", place=str(place))
        if not (place / WEIGHTS).is_file():
            pickled = (place / "adapter_model.bin").is_file()
            code = codes.PICKLED_CHECKPOINT if pickled else codes.UNREADABLE_MODEL
            what = "has its weights only as a pickle (`adapter_model.bin`)" if pickled else f"has no `{WEIGHTS}`"
            raise WeightsError(f"`{shown}` {what}", "save the adapter with `safe_serialization=True`", code)
        config = read_json(place / CONFIG, f"{shown}/{CONFIG}")
        _check_config(shown, config)
        file = Checkpoint.of_file(place / WEIGHTS, f"{shown}/{WEIGHTS}")
        return Adapter(shown, file, _pairs(shown, file, config), config)

    @property
    def size(self) -> int:
        """Bytes of the factors."""
        return sum(info.stop - info.start for info in self.file.tensors.values())

    def factors(self, module: str) -> tuple[Float32, Float32]:
        """B [rows, r], with s multiplied in, and A [r, columns] of τ = B A as the model stores the tensor."""
        pair = self.pairs[module]
        a, b = (_matrix(self.file, name) for name in (pair.a, pair.b))
        b = b * np.float32(pair.scale)
        return (np.ascontiguousarray(a.T), np.ascontiguousarray(b.T)) if pair.transposed else (b, a)

    def on(self, base: Checkpoint) -> dict[str, str]:
        """Which module each of the base's tensors that this adapter edits belongs to. Raises WeightsError."""
        found: dict[str, str] = {}
        for module, pair in self.pairs.items():
            tensor = _tensor_of(module, base)
            if tensor is None:
                message = f"the adapter `{self.name}` edits `{module}.weight`, which `{base.name}` does not have"
                raise WeightsError(message, near(f"{module}.weight", base.names), codes.PROVENANCE_MISMATCH)
            info = base.info(tensor)
            if info.shape != pair.shape:
                message = (
                    f"the adapter `{self.name}` edits `{tensor}` as {list(pair.shape)}, but `{base.name}` has it as "
                    f"{list(info.shape)}"
                )
                raise WeightsError(message, "take the base that it was trained on", codes.WIDTH_MISMATCH)
            if not is_float(info.dtype):
                raise WeightsError(f"`{tensor}` of `{base.name}` is {info.dtype}: an adapter cannot be added to it")
            found[info.name] = module
        return found


def _check_config(name: str, config: Mapping[str, Any]) -> None:
    kind = config.get("peft_type", "LORA")
    if kind != "LORA":
        raise WeightsError(f"the adapter `{name}` is of the kind {kind}, not LoRA", (), codes.UNSUPPORTED_MODEL)
    if config.get("use_dora"):
        message = f"the adapter `{name}` is DoRA, which is no sum with the base's weights"
        help = "merge it into its base with PEFT and take `merged - base`"
        raise WeightsError(message, help, codes.UNSUPPORTED_MODEL)
    for option, meaning in _REFUSED.items():
        if config.get(option) not in (None, False, [], {}, "none"):
            message = f"the adapter `{name}` has `{option}` set: {meaning}"
            help = "merge it into its base with PEFT and take `merged - base`"
            raise WeightsError(message, help, codes.UNSUPPORTED_MODEL)


_REFUSED = {
    "modules_to_save": "it replaces whole modules",
    "bias": "it changes biases of the base",
    "lora_bias": "its factors have biases of their own",
    "layer_replication": "it repeats layers of the base",
    "target_parameters": "it edits parameters inside modules",
    "trainable_token_indices": "it replaces rows of the embedding",
    "megatron_config": "its layers are cut for Megatron",
    "alora_invocation_tokens": "it acts on some tokens only",
}


def _pairs(name: str, file: Checkpoint, config: Mapping[str, Any]) -> dict[str, Pair]:
    halves: dict[str, dict[str, str]] = {}
    embeddings: set[str] = set()
    for tensor in file.names:
        match = _FACTOR.fullmatch(tensor)
        if match is None:
            message = f"the adapter `{name}` holds `{tensor}`, which is no factor of a LoRA"
            raise WeightsError(message, "merge it into its base and take `merged - base`", codes.UNSUPPORTED_MODEL)
        halves.setdefault(match[1], {})[match[3]] = tensor
        if match[2]:
            embeddings.add(match[1])
    if not halves:
        raise WeightsError(f"the adapter `{name}` is empty")
    if lone := [module for module, found in halves.items() if len(found) < 2]:
        raise WeightsError(f"the adapter `{name}` has only one of the two factors of {listed(lone)}")
    return {
        module: _pair(name, file, config, module, found["A"], found["B"], module in embeddings)
        for module, found in halves.items()
    }


def _pair(name: str, file: Checkpoint, config: Mapping[str, Any], module: str, a: str, b: str, embedding: bool) -> Pair:
    first, second = file.info(a).shape, file.info(b).shape
    if len(first) != 2 or len(second) != 2:
        message = f"the adapter `{name}` has factors of {len(first)} dimensions at `{module}`: a convolution"
        raise WeightsError(message, "merge it into its base and take `merged - base`", codes.UNSUPPORTED_MODEL)
    rank = first[0]
    if second[1] != rank:
        message = (
            f"the adapter `{name}` has factors {list(second)} and {list(first)} at `{module}`, which do not multiply"
        )
        raise WeightsError(message, "save the adapter again")
    said = _by_pattern(config.get("rank_pattern"), module, config.get("r"))
    if said is not None and said != rank:
        raise WeightsError(f"the adapter `{name}` says rank {said} at `{module}`, but its factors have rank {rank}")
    alpha = _by_pattern(config.get("alpha_pattern"), module, config.get("lora_alpha", rank))
    if not isinstance(alpha, (int, float)) or not math.isfinite(alpha):
        raise WeightsError(f"the adapter `{name}` has no number as `lora_alpha`")
    scale = alpha / (math.sqrt(rank) if config.get("use_rslora") else rank)
    transposed = embedding or bool(config.get("fan_in_fan_out"))
    shape = (first[1], second[0]) if transposed else (second[0], first[1])
    return Pair(a, b, rank, scale, transposed, shape)


def _by_pattern(patterns: Any, module: str, default: Any) -> Any:
    """PEFT's rule: the first pattern that the module's name ends with."""
    for pattern, value in (patterns or {}).items():
        if re.match(rf"(.*\.)?({pattern})$", module):
            return value
    return default


def _tensor_of(module: str, base: Checkpoint) -> str | None:
    """The base's tensor of a module: by its name, else the only one whose name ends so (or that it ends with)."""
    wanted = f"{module}.weight"
    if wanted in base:
        return wanted
    ends = [t for t in base.names if t.endswith(f".{wanted}") or wanted.endswith(f".{t}")]
    return ends[0] if len(ends) == 1 else None


def _matrix(file: Checkpoint, name: str) -> Float32:
    info = file.info(name)
    return cast(Float32, file.read(name, 0, info.count).reshape(info.shape))
