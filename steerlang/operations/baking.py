"""Steered models as files: what `models.baking` finds, written by `exports`, and compared with the steered model.

The comparison is of logits at every token of probe prompts. A folder whose model does not compute what the steered
model computes is not written.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from steerlang.diagnostics import codes
from steerlang.exports.baking import Baking, Change, export_baked
from steerlang.exports.steering_adapter import SteeringAdapter, export_steering_adapter
from steerlang.graph.node import Node
from steerlang.models.actions import Recipe
from steerlang.models.baking import Baked, adapter_shifts, bake
from steerlang.models.loading import LoadedModel, load
from steerlang.models.overlay import Overlay
from steerlang.weights.checkpoint import Checkpoint
from steerlang.weights.dtypes import Float32
from steerlang.weights.errors import WeightsError

from .editing import materialised
from .origins import identity_of, loads_from
from .recipes import Value, recipe_of
from .resources import Resources

ROWS, LENGTH = 4, 12
# Largest difference of logits beside the largest logit: rounding through all layers, and no more.
_TOLERANCE = {torch.float64: 1e-4, torch.float32: 1e-4, torch.float16: 2e-2, torch.bfloat16: 1e-1}
_STORED = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


@dataclass(frozen=True)
class Target:
    """Where and how a baked model is written."""

    path: str
    name: str
    form: str
    shard_bytes: int
    dtype: str | None
    overwrite: bool
    program: str


def write_baked(node: Node, value: Value, resources: Resources, target: Target) -> None:
    """Writes the steered model of a `model.steer` node. Raises ModelError or WeightsError with the reason why not."""
    base, recipe = recipe_of(node, value)
    loaded = resources.model(base, value)
    description = {"model": identity_of(base), "actions": _actions(node)}
    if target.form == "adapter":
        _write_adapter(loaded, recipe, base, value, description, target)
        return
    baked = bake(loaded, recipe)
    with _folder(base, value) as folder:
        checkpoint = Checkpoint.open(folder, target.name)
        rounded = _coarsest(checkpoint) if target.dtype is None else getattr(torch, target.dtype)
        export_baked(
            _baking(loaded, baked, checkpoint, target.dtype),
            target.path,
            check=lambda made: _compared(loaded, recipe, lambda: _of(_reloaded(made, base), rounded)),
            description=description,
            max_shard_size=target.shard_bytes,
            overwrite=target.overwrite,
            program=target.program,
        )


def _write_adapter(
    loaded: LoadedModel,
    recipe: Recipe,
    base: Node,
    value: Value,
    description: Mapping[str, Any],
    target: Target,
) -> None:
    shifts = {name: delta.numpy() for name, delta in adapter_shifts(loaded, recipe).items()}
    widths = {name: _inputs_of(loaded.model.get_submodule(name)) for name in shifts}
    place = loads_from(base) if base.operation == "model.load" else ""
    export_steering_adapter(
        SteeringAdapter(shifts, widths, place),
        target.path,
        check=lambda made: _compared(loaded, recipe, lambda: _with_adapter(loaded, made, base, value)),
        description=description,
        overwrite=target.overwrite,
        program=target.program,
    )


def _actions(node: Node) -> list[Any]:
    """The actions of a model as its nodes have them, innermost first."""
    found: list[Any] = []
    while node.operation == "model.steer":
        documents: Any = node.options["actions"]
        found = [*documents, *found]
        node = node.inputs[0]
    return found


@contextmanager
def _folder(base: Node, value: Value) -> Iterator[Path]:
    if base.operation == "model.edit":
        with materialised(base, value) as folder:
            yield folder
    else:
        yield Path(base.locators["path"])


def _baking(loaded: LoadedModel, baked: Baked, checkpoint: Checkpoint, dtype: str | None) -> Baking:
    changes: dict[str, Change] = {}
    added: dict[str, tuple[Float32, str]] = {}
    for name, shape in baked.zeros.items():
        delta = baked.shifts.get(name)
        values = np.zeros(shape, np.float32) if delta is None else delta.numpy()
        added[name] = (values, name.removesuffix("bias") + "weight")
    for name, delta in baked.shifts.items():
        if name not in baked.zeros:
            changes[name] = _shifted(delta.numpy())
    for name, (basis, axis) in baked.projects.items():
        changes[name] = _projected(basis.numpy(), axis)
    prefix = str(getattr(loaded.model, "base_model_prefix", "") or "")
    return Baking(
        checkpoint, changes, added, baked.copies, baked.settings, f"{prefix}." if prefix else "", dtype
    )


def _shifted(delta: Float32) -> Change:
    return lambda values: values + delta


def _projected(basis: Float32, axis: int) -> Change:
    """Takes the span of ``basis [K, D]`` out of an axis, summed in float64."""

    def change(values: Float32) -> Float32:
        moved = np.moveaxis(values.astype(np.float64), axis, -1)
        rows = basis.astype(np.float64)
        kept = moved - (moved @ rows.T) @ rows
        found: Float32 = np.moveaxis(kept, -1, axis).astype(np.float32)
        return found

    return change


def _compared(
    loaded: LoadedModel, recipe: Recipe, baked: Callable[[], tuple[Tensor, torch.dtype]]
) -> Mapping[str, Any]:
    """How far the baked model's logits are from the steered model's. Raises WeightsError where they are too far."""
    plain = _logits(loaded)
    with Overlay(loaded, (recipe,)):
        steered = _logits(loaded)
    made, dtype = baked()
    loosest = max(_TOLERANCE[loaded.layout.dtype], _TOLERANCE[dtype])
    largest = float(steered.abs().max())
    gap = float((made - steered).abs().max())
    if not gap <= loosest * max(largest, 1e-6):
        raise WeightsError(
            f"the baked model's logits are up to {gap:.3g} from the steered model's (the largest is {largest:.3g})",
            "this architecture does more than is understood with what was changed: steer the model while it runs",
            codes.BAKED_DIFFERS,
        )
    return {
        "prompts": ROWS,
        "tokens": ROWS * LENGTH,
        "largest_difference_of_logits": gap,
        "largest_logit": largest,
        "largest_effect_of_steering": float((steered - plain).abs().max()),
    }


def _of(loaded: LoadedModel, stored: torch.dtype | None = None) -> tuple[Tensor, torch.dtype]:
    """Logits, and the dtype that the numbers behind them were rounded to."""
    return _logits(loaded), loaded.layout.dtype if stored is None else stored


def _coarsest(checkpoint: Checkpoint) -> torch.dtype:
    """What the numbers of a checkpoint are rounded to in its files, which need not be what it is loaded as."""
    stored = {_STORED[code] for code in (checkpoint.info(n).dtype for n in checkpoint.names) if code in _STORED}
    return max(stored, key=_TOLERANCE.__getitem__, default=torch.float32)


def _logits(loaded: LoadedModel) -> Tensor:
    """Logits ``[ROWS, LENGTH, V]`` of the probe prompts, float32: always the same random tokens."""
    generator = torch.Generator().manual_seed(0)
    vocabulary = int(loaded.model.config.get_text_config(decoder=True).vocab_size)
    ids = torch.randint(vocabulary, (ROWS, LENGTH), generator=generator).to(loaded.device)
    with torch.inference_mode():
        found: Tensor = loaded.model(input_ids=ids, use_cache=False).logits
    return found.float()


def _reloaded(folder: Path, base: Node) -> LoadedModel:
    dtype: Any = base.options["dtype"]
    return load(folder, dtype=dtype)


def _inputs_of(projection: Any) -> int:
    """How many numbers a projection takes."""
    return int(getattr(projection, "in_features", 0) or projection.weight.shape[0])


def _with_adapter(loaded: LoadedModel, folder: Path, base: Node, value: Value) -> tuple[Tensor, torch.dtype]:
    """The base with the adapter on it, by PEFT itself where it is installed; else by the numbers in the file."""
    if find_spec("peft") is None:
        return _by_numbers(loaded, folder), loaded.layout.dtype
    from peft import PeftModel

    with _folder(base, value) as place:
        other = _reloaded(place, base)  # PEFT changes modules of the model it wraps
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it cannot be merged: it is not merged
        PeftModel.from_pretrained(other.model, str(folder))
        return _of(other)


def _by_numbers(loaded: LoadedModel, folder: Path) -> Tensor:
    from safetensors.torch import load_file

    handles = []
    for name, values in load_file(folder / "adapter_model.safetensors").items():
        module, found, _ = name.removeprefix("base_model.model.").partition(".lora_B.bias")
        if found:
            part = loaded.model.get_submodule(module)
            handles.append(part.register_forward_hook(lambda _, __, y, b=values: y + b.to(y)))
    try:
        return _logits(loaded)
    finally:
        for handle in handles:
            handle.remove()

