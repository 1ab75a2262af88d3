"""Running a model token by token: the pass over the prompts, then one pass a new token.

`OwnSteps` gives the decoder what it takes, and nothing else happens around a pass. `LibrarySteps` asks the library to
prepare the inputs of every pass, for models that need more than tokens, a mask and a cache.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from steerlang.models.cache import make_cache
from steerlang.models.errors import ModelError
from steerlang.models.loading import LoadedModel
from steerlang.models.sharing import Shared
from steerlang.models.tokens import TokenisedItem, pad, position_ids


class Steps(Protocol):
    """Passes over a batch; each gives the logits of the next token ``[B, V]`` in the model's dtype."""

    def first(self) -> Tensor: ...

    def next(self, chosen: Tensor) -> Tensor: ...

    def keep(self, rows: Tensor) -> bool:
        """Goes on with these rows only; False where the model cannot leave rows out."""


class OwnSteps:
    """Tokens, mask, positions and a cache with room, made once; each pass takes a part of them."""

    def __init__(
        self, loaded: LoadedModel, items: Sequence[TokenisedItem], steps: int, shared: Shared | None
    ) -> None:
        self._model, self._layout, self._shared = loaded.model, loaded.layout, shared
        device = loaded.device
        self._tokens, mask = pad([item.ids for item in items], left=True, device=device)
        self._length = self._tokens.shape[1]
        self._cache = make_cache(loaded.model.config, self._length + steps if self._layout.roomy else None)
        takes = inspect.signature(loaded.model.forward).parameters
        self._last_only = {"logits_to_keep": 1} if "logits_to_keep" in takes else {}
        # What is to come is not hidden from anybody: one mask serves all passes.
        self._mask = None if mask is None else torch.cat([mask, mask.new_ones(mask.shape[0], steps)], dim=1)
        self._positions = _positions(mask, self._tokens)

    def first(self) -> Tensor:
        if self._shared is None:
            return self._pass(self._tokens, self._positions)
        self._run_prefixes(self._shared)
        return self._pass(self._tokens[:, -1:], self._positions[:, -1:])

    def next(self, chosen: Tensor) -> Tensor:
        self._length += 1
        self._positions = self._positions[:, -1:] + 1
        return self._pass(chosen[:, None], self._positions)

    def keep(self, rows: Tensor) -> bool:
        self._cache.reorder_cache(rows)
        self._positions = self._positions[rows]
        if self._mask is not None:
            self._mask = self._mask[rows]
        return True

    def _run_prefixes(self, shared: Shared) -> None:
        """All but the last token of each different prompt, once; every row then goes on from a copy."""
        with shared.prefixes():
            rows = shared.rows
            self._decode(
                self._tokens[rows, :-1],
                self._positions[rows, :-1],
                None if self._mask is None else self._mask[rows, : self._length - 1],
            )
        self._cache.reorder_cache(shared.source)

    def _decode(self, tokens: Tensor, positions: Tensor, mask: Tensor | None) -> None:
        """A pass whose logits nobody asks for."""
        extra = {"position_ids": positions} if self._layout.takes_position_ids else {}
        self._layout.decoder(
            input_ids=tokens, attention_mask=mask, past_key_values=self._cache, use_cache=True, **extra
        )

    def _pass(self, tokens: Tensor, positions: Tensor) -> Tensor:
        extra = {"position_ids": positions} if self._layout.takes_position_ids else {}
        output = self._model(
            input_ids=tokens,
            attention_mask=None if self._mask is None else self._mask[:, : self._length],
            past_key_values=self._cache,
            use_cache=True,
            **self._last_only,
            **extra,
        )
        logits: Tensor = output.logits[:, -1]
        return logits


class LibrarySteps:
    """Inputs as the library's own `generate` prepares them. Rows stay in the batch when they have finished."""

    def __init__(self, loaded: LoadedModel, items: Sequence[TokenisedItem]) -> None:
        self._model: Any = loaded.model
        ids, mask = pad([item.ids for item in items], left=True, device=loaded.device)
        seen = torch.ones_like(ids) if mask is None else mask
        self._given: dict[str, Any] = {"use_cache": True, "attention_mask": seen}
        self._encodes = loaded.layout.encoder is not None
        if loaded.layout.encoder is not None:
            self._given["encoder_outputs"] = loaded.layout.encoder(input_ids=ids, attention_mask=seen)
            ids = ids.new_full((len(items), 1), start_id(loaded))
        self._ids = ids

    def first(self) -> Tensor:
        return self._pass(None)

    def next(self, chosen: Tensor) -> Tensor:
        self._ids = torch.cat([self._ids, chosen[:, None]], dim=1)
        return self._pass(1)

    def keep(self, rows: Tensor) -> bool:
        return False

    def _pass(self, count: int | None) -> Tensor:
        inputs = self._model.prepare_inputs_for_generation(
            self._ids, next_sequence_length=count, is_first_iteration=count is None, **self._given
        )
        output = self._model(**inputs, return_dict=True)
        self._given = self._model._update_model_kwargs_for_generation(output, self._given, self._encodes)
        logits: Tensor = output.logits[:, -1]
        return logits


def start_id(loaded: LoadedModel) -> int:
    """The token that a decoder beside an encoder begins with."""
    places = (loaded.model.generation_config, loaded.model.config)
    for name in ("decoder_start_token_id", "bos_token_id"):
        found = next((i for p in places if (i := getattr(p, name, None)) is not None), None)
        if found is not None:
            return int(found)
    raise ModelError(
        "the configuration does not say which token the decoder begins with",
        "set decoder_start_token_id in generation_config.json",
    )


def _positions(mask: Tensor | None, tokens: Tensor) -> Tensor:
    if mask is not None:
        return position_ids(mask)
    rows, length = tokens.shape
    return torch.arange(length, device=tokens.device).expand(rows, length)
