"""Which positions a forward pass holds, worked out once a pass from what the decoder is given, for all layers.

A sequence starts with a pass without cached tokens. What comes in that pass is the prompt, unless the caller says
where the prompt ends (`begin`). Later passes with cached tokens continue it; so does a pass without a cache that holds
the same prompt and one token more.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from steerlang.models.conditions import Conditions, repeated
from steerlang.models.errors import ModelError
from steerlang.models.remembered import Remembered
from steerlang.models.scopes import PassView, TokenScope


class Passes:
    """Follows the decoder's passes, and tells ``conditions`` of each."""

    def __init__(self, decoder: nn.Module, conditions: Conditions) -> None:
        self.conditions = conditions
        self._parameters = _parameters(getattr(decoder.forward, "__func__", decoder.forward))
        self.shape: tuple[int, int] = (0, 0)
        self._given: Tensor | None = None
        self._marks: Mapping[TokenScope, Tensor] = {}
        self._prompt: Tensor | None = None
        self._prompt_ids: Tensor | None = None
        self._last_length = 0
        self._remembered = Remembered()
        # The mask that the whole model was called with, until its decoder runs; False where it was not called.
        self._outer: Any = False

    def begin(self, prompt_lengths: Tensor | None, marks: Mapping[TokenScope, Tensor]) -> None:
        """A new batch of sequences; ``prompt_lengths [B]`` in tokens, None to take the whole first pass."""
        self._given = None if prompt_lengths is None else prompt_lengths[:, None]
        self._marks = {scope: at if at.ndim == 2 else at[:, None] for scope, at in marks.items()}
        self._prompt = self._prompt_ids = None
        self._last_length = 0
        self._remembered = Remembered()
        self.conditions.begin()

    def keep(self, rows: Tensor) -> None:
        """Goes on with these rows of the batch only."""
        self._prompt = None if self._prompt is None else self._prompt[rows]
        self._given = None if self._given is None else self._given[rows]
        self._marks = {scope: at[rows] for scope, at in self._marks.items()}
        self.conditions.keep(rows)

    def on_model(self, kwargs: Mapping[str, Any]) -> None:
        """Called before each pass of the whole model: what sees images makes masks of its own of the one given."""
        mask = kwargs.get("attention_mask")
        self._outer = mask if mask is None or (isinstance(mask, Tensor) and mask.ndim == 2) else False

    def on_pass(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Called before each pass of the decoder with its arguments."""
        given = dict(zip(self._parameters, args, strict=False)) | kwargs
        ids = given.get("input_ids")
        tokens = ids if isinstance(ids, Tensor) else given.get("inputs_embeds")
        if not isinstance(tokens, Tensor):
            raise ModelError(
                "the decoder was called without tokens", "call the model with input_ids or inputs_embeds"
            )
        self.shape = (tokens.shape[0], tokens.shape[1])
        outer, self._outer = self._outer, False
        if self.conditions.always:
            return
        past = self._remembered.before(given, tokens.shape[1])
        own = given.get("attention_mask")
        made_anew = own is not None and not (isinstance(own, Tensor) and own.ndim == 2)
        mask = outer if made_anew and outer is not False else self._remembered.mask(given)
        view = self._view(ids if isinstance(ids, Tensor) else None, mask, past, tokens.device)
        self.conditions.on_pass(view)

    def _view(self, ids: Tensor | None, mask: Any, past: int, device: torch.device) -> PassView:
        batch, length = self.shape
        positions = _positions(mask, past, batch, length, device)
        after = past > 0 and self._prompt is not None
        if not after:
            self._prompt = self._prompt_lengths(ids, positions)
            self._last_length = length
        assert self._prompt is not None
        prompt = repeated(self._prompt, batch, "prompt lengths")
        marks = {scope: repeated(at, batch, "marks") for scope, at in self._marks.items()}
        return PassView(positions, prompt, after, marks)

    def _prompt_lengths(self, ids: Tensor | None, positions: Tensor) -> Tensor:
        if self._given is not None:
            return self._given.to(positions.device)
        if self._prompt is not None and self._continues(ids):
            return self._prompt
        self._prompt_ids = ids
        return positions.max(dim=1, keepdim=True).values + 1

    def _continues(self, ids: Tensor | None) -> bool:
        """Decoding without a cache: the prompt again, and one token more than last time."""
        before = self._prompt_ids
        if (
            ids is None
            or before is None
            or ids.shape[0] != before.shape[0]
            or ids.shape[1] != self._last_length + 1
        ):
            return False
        return torch.equal(ids[:, : before.shape[1]], before)


@cache
def _parameters(forward: Any) -> tuple[str, ...]:
    """The names a forward gives its arguments, without `self`."""
    return tuple(name for name in inspect.signature(forward).parameters if name != "self")


def _positions(mask: Any, past: int, batch: int, length: int, device: torch.device) -> Tensor:
    """Positions ``[B, T]`` without padding of the tokens of this pass; −1 for padding."""
    if mask is None:
        return torch.arange(past, past + length, device=device).expand(batch, length)
    if not isinstance(mask, Tensor) or mask.ndim != 2:
        raise ModelError(
            "steering some tokens needs the attention mask of the batch as [rows, tokens]",
            "pass the two-dimensional mask, or steer all tokens",
        )
    counted = mask.long().cumsum(-1)[:, -length:] - 1
    return torch.where(mask[:, -length:] > 0, counted, -1)
