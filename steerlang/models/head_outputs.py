"""Where attention heads give their outputs: the input of the projection that makes attention's output of them.

Found by what the modules compute, once for a model: in a pass over five tokens, the projection is the module with a
matrix whose output is what attention adds to the residual stream, or what the norm after it is given.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from steerlang.models.closeness import close
from steerlang.models.sites import first_input, first_tensor

LENGTH = 5


@dataclass(frozen=True)
class HeadOutputs:
    """The output projection of a block, by its name from the block, and its input's width; or why there is none."""

    name: str | None
    width: int
    why_not: str = ""
    # Its output is what attention adds; else a norm stands between.
    adds: bool = True


@dataclass(frozen=True, eq=False)
class _Ran:
    """A module that ran: its name from the block, its first input and its output, ``[T, width]``."""

    name: str
    module: nn.Module
    given: Tensor
    made: Tensor


def find_head_outputs(
    decoder: nn.Module, blocks: tuple[nn.Module, ...], attention: tuple[str | None, ...]
) -> tuple[HeadOutputs, ...]:
    """The output projection of every block, given the names of the modules whose output attention adds."""
    ran: list[list[_Ran]] = [[] for _ in blocks]
    handles: list[Any] = []
    try:
        for layer, block in enumerate(blocks):
            for name, module in block.named_modules():
                if name:
                    handles.append(module.register_forward_hook(_keep(ran[layer], name), with_kwargs=True))
        device = next(decoder.parameters()).device
        ids = torch.arange(3, 3 + LENGTH, device=device)[None]
        with torch.inference_mode():
            decoder(input_ids=ids, use_cache=False)
    finally:
        for handle in handles:
            handle.remove()
    return tuple(_projection(seen, name) for seen, name in zip(ran, attention, strict=True))


def _keep(ran: list[_Ran], name: str) -> Any:
    def hook(module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        given, made = first_input(args, kwargs), first_tensor(output)
        if given is not None and made is not None:
            given, made = given.reshape(-1, given.shape[-1]), made.reshape(-1, made.shape[-1])
            ran.append(_Ran(name, module, given, made.clone()))

    return hook


def _projection(ran: list[_Ran], attention: str | None) -> HeadOutputs:
    if attention is None:
        return HeadOutputs(None, 0, "what attention adds was not found")
    added = next((r for r in ran if r.name == attention), None)
    if added is None:
        return HeadOutputs(None, 0, f"{attention} gave no states")
    maps = [r for r in ran if _is_map(r.module)]
    # What attention adds; or where that comes of a norm, what the norm is given.
    for adds, wanted in ((True, added.made), (False, added.given)):
        # The earliest: what runs after it (dropout, a cast) has no matrix, and MLPs run later.
        found = next((r for r in maps if r.made.shape == wanted.shape and close(r.made, wanted)), None)
        if found is not None:
            return HeadOutputs(found.name, found.given.shape[-1], adds=adds)
    return HeadOutputs(None, 0, f"no projection gives the output of {attention}")


def _is_map(module: nn.Module) -> bool:
    """A linear map of its own: one matrix, and nothing inside."""
    return not any(module.children()) and sum(p.ndim == 2 for p in module.parameters(recurse=False)) == 1
