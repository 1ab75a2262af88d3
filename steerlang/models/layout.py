"""Where the parts of a model are: its blocks, what they add to the residual stream, its last norm and its head."""

from __future__ import annotations

import difflib
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from steerlang.models.errors import LayerOutOfRange, SiteUnavailable
from steerlang.models.head_outputs import HeadOutputs, find_head_outputs
from steerlang.models.sites import Place, Point


@dataclass(frozen=True)
class LayoutOverride:
    """Names given by hand: ``blocks`` from the model's root, ``attention`` and ``mlp`` from the block."""

    blocks: str | None = None
    attention: str | None = None
    mlp: str | None = None


@dataclass(frozen=True, eq=False)
class BlockParts:
    """Names, from the block, of the modules whose outputs it adds to the residual stream; or why there are none.

    The projections are the modules in them whose outputs are theirs, to the bit. ``last`` is the part that runs last:
    nothing else in the block sees what it gives.
    """

    attention: str | None
    mlp: str | None
    why_not: str = ""
    attention_projection: str | None = None
    mlp_projection: str | None = None
    last: str | None = None

    @property
    def projection(self) -> str | None:
        """What gives the output of the part that runs last."""
        if self.last is None:
            return None
        return self.attention_projection if self.last == self.attention else self.mlp_projection


@dataclass(frozen=True, eq=False)
class Layout:
    """The parts of one model. `place` turns a point into a module; everything else is for the passes of this room."""

    root: nn.Module
    decoder: nn.Module
    decoder_name: str
    blocks: tuple[nn.Module, ...]
    blocks_name: str
    parts: tuple[BlockParts, ...]
    final_norm: nn.Module | None
    unembedding: nn.Module | None
    # The unembedding applied to the decoder's output is the logits, with no scaling or soft cap after it.
    head_is_linear: bool
    output_type: type[Any]
    width: int
    dtype: torch.dtype
    # Later tokens never change earlier states: right padding then needs no mask.
    causal: bool
    # A left-padded row gives the states of the row alone.
    left_padding: bool
    takes_position_ids: bool
    # The decoder needs nothing but tokens, mask, positions and a cache to go on token by token.
    plain_inputs: bool = False
    # And it may be given keys and values that are a part of a larger tensor.
    roomy: bool = False
    # What reads the prompt in a model with an encoder: its decoder writes the answer, and is what all else here is of.
    encoder: nn.Module | None = None

    @property
    def depth(self) -> int:
        return len(self.blocks)

    @cached_property
    def shared(self) -> frozenset[nn.Module]:
        """Modules that more than one block has."""
        uses = Counter(module for block in self.blocks for module in set(block.modules()))
        return frozenset(module for module, count in uses.items() if count > 1)

    @property
    def device(self) -> torch.device:
        return next(self.root.parameters()).device

    def run(self, input_ids: Tensor, **given: Any) -> Any:
        """The decoder reads ``input_ids [B, T]``; where there is an encoder, it reads them too."""
        if self.encoder is None:
            return self.decoder(input_ids=input_ids, **given)
        seen = self.encoder(input_ids=input_ids, attention_mask=given.get("attention_mask"))[0]
        return self.decoder(input_ids=input_ids, encoder_hidden_states=seen, **given)

    def place(self, point: Point) -> Place:
        """The module of a point. Raises LayerOutOfRange, SiteUnavailable."""
        kind, layer = point.site.kind, point.layer
        if kind == "embedding":
            return Place(self.blocks[0], True, "embedding", 0)
        if kind == "final_norm":
            return self._final_norm()
        if not 0 <= layer < self.depth:
            raise LayerOutOfRange(layer, self.depth)
        block = self.blocks[layer]
        if kind in ("residual", "residual_in"):
            return Place(block, kind == "residual_in", str(point), layer)
        if kind == "attention":
            return self._part(point, self.parts[layer].attention)
        if kind == "mlp":
            return self._part(point, self.parts[layer].mlp)
        if kind == "module":
            return self._module(point)
        return self._heads(point)

    @cached_property
    def head_outputs(self) -> tuple[HeadOutputs, ...]:
        """Where each block's attention heads give their outputs. Found when first asked for, in one short pass."""
        return find_head_outputs(self.decoder, self.blocks, tuple(part.attention for part in self.parts))

    @property
    def heads(self) -> int:
        """How many attention heads a block has."""
        config: Any = self.root.config
        count = getattr(config.get_text_config(decoder=True), "num_attention_heads", None)
        if not isinstance(count, int) or any(found.width % count for found in self.head_outputs):
            raise SiteUnavailable(
                "the configuration does not say how many attention heads there are",
                "set num_attention_heads in config.json",
            )
        return count

    def _heads(self, point: Point) -> Place:
        found = self.head_outputs[point.layer]
        if found.name is None:
            raise SiteUnavailable(
                f"the heads of layer {point.layer} were not found: {found.why_not}",
                "use the site attention, or a module by name",
            )
        return Place(self.blocks[point.layer].get_submodule(found.name), True, str(point), point.layer)

    def _final_norm(self) -> Place:
        if self.final_norm is None:
            raise SiteUnavailable(
                "this model has no norm between its last block and its output",
                "use the residual of the last layer",
            )
        return Place(self.final_norm, False, "final_norm", self.depth)

    def _part(self, point: Point, name: str | None) -> Place:
        if name is None:
            raise SiteUnavailable(
                f"the {point.site} of layer {point.layer} was not found: {self.parts[point.layer].why_not}",
                'name a module, for instance module("model.layers.{l}.mlp"), or give a LayoutOverride',
            )
        return Place(self.blocks[point.layer].get_submodule(name), False, str(point), point.layer)

    def _module(self, point: Point) -> Place:
        path = point.site.path.replace("{l}", str(point.layer))
        try:
            module = self.root.get_submodule(path)
        except AttributeError as error:
            raise SiteUnavailable(f"no module is called {path}", self._nearest(path)) from error
        inside = [i for i, block in enumerate(self.blocks) if any(module is m for m in block.modules())]
        return Place(module, False, str(point), inside[0] if inside else self.depth)

    def _nearest(self, path: str) -> str:
        names = [name for name, _ in self.root.named_modules() if name]
        near = difflib.get_close_matches(path, names, n=3, cutoff=0.5)
        return "the nearest are " + ", ".join(near) if near else "no name is near it"
