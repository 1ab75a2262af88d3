"""The model's own way from final states to logits, for chosen states only.

The vocabulary projection is the largest matrix there is: it must run only where logits are wanted. Some models scale or
cap the logits after it; for these the model's own forward runs with its decoder replaced by one that hands out the
states.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from steerlang.models.errors import UnsupportedModel
from steerlang.models.layout import Layout

CHUNK_ELEMENTS = 1 << 25  # 128 MiB of float32 logits at a time


def logits(layout: Layout, states: Tensor) -> Tensor:
    """The decoder's last states ``[M, D]`` (after the final norm) → logits ``[M, V]`` in the model's dtype."""
    if layout.unembedding is None or not layout.decoder_name:
        raise UnsupportedModel(
            "the model has no head that gives logits",
            [type(layout.root).__name__],
            "load a causal language model",
        )
    if layout.head_is_linear:
        made: Tensor = layout.unembedding(states)
        return made
    return through_model(layout.root, layout.decoder, layout.decoder_name, layout.output_type, states)


def logit_chunks(layout: Layout, states: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Logits of ``states [M, D]`` in pieces of bounded memory: (which rows, logits)."""
    config: Any = layout.root.config
    vocabulary = int(config.get_text_config(decoder=True).vocab_size)
    rows = max(1, CHUNK_ELEMENTS // vocabulary)
    for start in range(0, states.shape[0], rows):
        part = slice(start, min(start + rows, states.shape[0]))
        yield part, logits(layout, states[part])


class _Given(nn.Module):
    """Stands in for the decoder: hands out states that exist already, and has the decoder's attributes."""

    def __init__(self, decoder: nn.Module, output_type: type[Any], states: Tensor) -> None:
        super().__init__()
        object.__setattr__(self, "_decoder", decoder)  # not as a submodule: it keeps its own place
        self._output = output_type(last_hidden_state=states[None])

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_decoder"], name)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self._output


def through_model(
    root: Any, decoder: nn.Module, decoder_name: str, output_type: type[Any], states: Tensor
) -> Tensor:
    """Logits ``[M, V]`` of ``states [M, D]`` by the model's own forward, its decoder replaced for the call."""
    parent_name, _, child = decoder_name.rpartition(".")
    parent = root.get_submodule(parent_name)
    ids = torch.zeros(1, states.shape[0], dtype=torch.long, device=states.device)
    setattr(parent, child, _Given(decoder, output_type, states))
    try:
        made: Tensor = root(input_ids=ids, use_cache=False).logits[0]
    finally:
        setattr(parent, child, decoder)
    return made
