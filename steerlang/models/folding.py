"""Constant additions as biases: steering that costs nothing while text is generated.

    h_out = h_in + a + m          what a block computes, proven by the probe pass
    h_out + δ = h_in + a + (m + δ)

A free addition of the same δ to every token of every row can be added to the bias of the projection whose output is m,
where m comes last in its block (so that nothing else in the block sees it). The projection's own parameters are put
aside and come back as the same objects: the base is the base again to the bit. It differs from a hook by one rounding.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from steerlang.models.actions import Add, Operator
from steerlang.models.conditions import Condition
from steerlang.models.layout import Layout
from steerlang.models.sites import Place
from steerlang.models.steps import Entry, deltas


@dataclass(frozen=True, eq=False)
class Fold:
    """A projection, and its bias ``[D]`` while steering is on."""

    projection: nn.Module
    bias: nn.Parameter

    def enter(self) -> nn.Parameter | None:
        """Puts the bias in place; gives what was there."""
        before = self.projection._parameters["bias"]
        self.projection._parameters["bias"] = self.bias
        return before

    def leave(self, before: nn.Parameter | None) -> None:
        self.projection._parameters["bias"] = before


def find_fold(
    layout: Layout,
    place: Place,
    sequence: Sequence[tuple[tuple[Operator, Condition], list[Entry]]],
    steered: Collection[nn.Module],
) -> Fold | None:
    """The bias that does what ``sequence`` does at ``place``, None where only a hook can.

    ``steered`` are all modules with actions of their own: a part that is steered itself keeps its output as it is.
    """
    if len(sequence) != 1 or place.reads_input or place.module is not layout.blocks[place.block]:
        return None
    (operator, condition), entries = sequence[0]
    if operator != Add("free") or not condition.always or len(entries) != 1:
        return None
    projection = projection_of(layout, place.block)
    if projection is None or any(module in steered for module in projection.within):
        return None
    return Fold(projection.module, _bias(projection.module, deltas(entries, layout.width, layout.device)[0]))


@dataclass(frozen=True, eq=False)
class Projection:
    """What gives a block's last addend: the module, its name from the root, and the parts of the block it lies in."""

    module: nn.Module
    name: str
    within: tuple[nn.Module, ...]


def projection_of(layout: Layout, layer: int) -> Projection | None:
    """The projection whose output a block adds last, as it is; None where there is none, or other blocks use it too."""
    name = layout.parts[layer].projection
    if name is None:
        return None
    block = layout.blocks[layer]
    module = block.get_submodule(name)
    if type(module) not in (nn.Linear, Conv1D):
        return None
    if module in layout.shared:
        return None
    steps = name.split(".")
    within = tuple(block.get_submodule(".".join(steps[: i + 1])) for i in range(len(steps)))
    return Projection(module, f"{layout.blocks_name}.{layer}.{name}", within)


def _bias(projection: nn.Module, delta: Tensor) -> nn.Parameter:
    weight, own = projection.get_parameter("weight"), projection._parameters["bias"]
    total = delta if own is None else own.float() + delta
    return nn.Parameter(total.to(weight.dtype), requires_grad=False)

