"""Which parameter of a module each tensor of a checkpoint is: by name, by the library's renamings, by prefix.

Libraries rename tensors when they load them (`vit.encoder.layer.0…` in the file, `vit.layers.0…` in the module), and a
base model lies in a head model under a prefix. What is found must have the tensor's shape.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from steerlang.diagnostics import codes
from steerlang.weights.checkpoint import Checkpoint
from steerlang.weights.errors import listed

from .errors import LearningError


@dataclass(frozen=True)
class Mapped:
    """The parameters of tensors.

    parameters  by the tensor's name; no parameter occurs twice
    shadowed    tensors that are another tensor's parameter in the module (tied there): their own numbers are not used
    """

    parameters: Mapping[str, nn.Parameter] = field(repr=False)
    shadowed: tuple[str, ...] = ()


def map_parameters(module: nn.Module, checkpoint: Checkpoint, tensors: Iterable[str]) -> Mapped:
    """The parameter of each tensor. Raises LearningError that lists the tensors without one."""
    named = dict(module.named_parameters(remove_duplicate=False))
    first = {id(parameter): name for name, parameter in module.named_parameters()}
    renamed = _renaming(module)
    found: dict[str, str] = {}
    lacking: list[str] = []
    for tensor in tensors:
        shape = checkpoint.info(tensor).shape
        name = next((n for n in _candidates(tensor, renamed(tensor), module, named) if named[n].shape == shape), None)
        if name is None:
            lacking.append(tensor)
        else:
            found[tensor] = name
    if lacking:
        raise _unmapped(lacking, named, checkpoint)
    return _each_once(found, named, first)


def _candidates(
    tensor: str, renamed: str, module: nn.Module, named: Mapping[str, nn.Parameter]
) -> Iterable[str]:  # fmt: skip
    prefix = getattr(module, "base_model_prefix", "") or ""
    for name in dict.fromkeys((tensor, renamed)):
        if name in named:
            yield name
        if prefix and f"{prefix}.{name}" in named:
            yield f"{prefix}.{name}"
        if prefix and name.removeprefix(f"{prefix}.") in named:
            yield name.removeprefix(f"{prefix}.")
    for name in dict.fromkeys((tensor, renamed)):
        ends = [known for known in named if known.endswith(f".{name}") or name.endswith(f".{known}")]
        if len(ends) == 1:
            yield ends[0]


def _each_once(found: Mapping[str, str], named: Mapping[str, nn.Parameter], first: Mapping[int, str]) -> Mapped:
    owner: dict[int, str] = {}
    for tensor, name in found.items():
        key = id(named[name])
        if key not in owner or first[key] == name:
            owner[key] = tensor
    kept = {tensor: named[name] for tensor, name in found.items() if owner[id(named[name])] == tensor}
    return Mapped(kept, tuple(tensor for tensor in found if tensor not in kept))


def _unmapped(lacking: list[str], named: Mapping[str, nn.Parameter], checkpoint: Checkpoint) -> LearningError:
    message = f"the model has no parameter for {listed(lacking)} of `{checkpoint.name}`, which would get coefficients"
    help = "leave these tensors out of the blocks with `exclude`, or learn on the model they belong to"
    notes = (f"{len(lacking):,} tensors have no parameter; the model has {listed(named)}",)
    return LearningError(message, help, codes.UNMAPPED_TENSOR, notes=notes)


def _renaming(module: nn.Module) -> Callable[[str], str]:
    """What transformers makes of a stored name when it loads this module; the name itself for other modules."""
    try:
        from transformers import PreTrainedModel
        from transformers.conversion_mapping import get_model_conversion_mapping
        from transformers.core_model_loading import WeightRenaming
    except ImportError:
        return lambda name: name
    if not isinstance(module, PreTrainedModel):
        return lambda name: name
    # Converters that merge or split tensors change numbers as well: a tensor under one has no parameter of its own.
    every: list[Any] = [t for t in get_model_conversion_mapping(module) if isinstance(t, WeightRenaming)]

    def renamed(name: str) -> str:
        for renaming in every:
            name, _ = renaming.rename_source_key(name)
        return name

    return renamed
