"""Constant additions as a PEFT adapter: LoRA whose matrices are zero and whose bias is what is added.

    y = W x + (α/r) (B A x + b),   A = 0, B = 0, b = δ (r = α = 1)

`lora_bias = true` of PEFT 0.14 and later. It needs no bias in the architecture and changes none of its weights.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from steerlang import __version__
from steerlang.weights.dtypes import Float32
from steerlang.weights.errors import disk_errors
from steerlang.weights.staging import Staging, busy_errors, check_target

from .checkpoint import RECEIPT, file_digests
from .model_card import steering_card

FORMAT = "steerlang.adapter/1"
WEIGHTS = "adapter_model.safetensors"


@dataclass(frozen=True)
class SteeringAdapter:
    """What is added to the output of which modules (``[D]``), how many numbers each takes, and where the base is."""

    shifts: Mapping[str, Float32]
    inputs: Mapping[str, int]
    base: str


def export_steering_adapter(
    adapter: SteeringAdapter,
    to: str | Path,
    *,
    check: Callable[[Path], Mapping[str, Any]],
    description: Mapping[str, Any],
    overwrite: bool = False,
    program: str = "",
) -> dict[str, Any]:
    """Writes the folder beside `to`, has it checked, and renames it; gives its receipt. Raises WeightsError."""
    target = Path(to)
    check_target(target, overwrite or is_ours(target))
    with busy_errors(), disk_errors(target), Staging(target, _identity(adapter)).opened() as staging:
        try:
            staging.write("adapter_config.json", (json.dumps(_config(adapter), indent=2) + "\n").encode())
            staging.write(WEIGHTS, _tensors(adapter))
            checked = dict(check(staging.folder))
        except BaseException:
            staging.discard()
            raise
        found = {
            "format": FORMAT,
            "steerlang": __version__,
            "steering": dict(description),
            "checked": checked,
        }
        staging.write("README.md", steering_card(found, target.name, program, adapter.base).encode())
        found["files"] = file_digests(staging.folder, {RECEIPT})
        staging.write(RECEIPT, (json.dumps(found, indent=1, ensure_ascii=False) + "\n").encode())
        staging.publish()
    return found


def _config(adapter: SteeringAdapter) -> dict[str, Any]:
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": adapter.base,
        "inference_mode": True,
        "r": 1,
        "lora_alpha": 1,
        "lora_dropout": 0.0,
        "bias": "none",
        "lora_bias": True,
        "fan_in_fan_out": False,
        "target_modules": sorted(adapter.shifts),
    }


def _tensors(adapter: SteeringAdapter) -> bytes:
    from safetensors.numpy import save

    found: dict[str, np.ndarray[Any, Any]] = {}
    for name, delta in adapter.shifts.items():
        stem = f"base_model.model.{name}"
        found[f"{stem}.lora_A.weight"] = np.zeros((1, adapter.inputs[name]), np.float32)
        found[f"{stem}.lora_B.weight"] = np.zeros((delta.size, 1), np.float32)
        found[f"{stem}.lora_B.bias"] = np.ascontiguousarray(delta, np.float32)
    made: bytes = save(found, {"format": "pt"})
    return made


def _identity(adapter: SteeringAdapter) -> str:
    total = hashlib.sha256(f"{FORMAT} {__version__}".encode())
    for name, delta in adapter.shifts.items():
        total.update(name.encode() + delta.tobytes())
    return total.hexdigest()


def is_ours(target: Path) -> bool:
    """Whether a folder was written by such an export, which may replace it."""
    try:
        found = json.loads((target / RECEIPT).read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and found.get("format") == FORMAT
