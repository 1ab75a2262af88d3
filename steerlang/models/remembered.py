"""How much of a sequence a cache holds already, whatever kind of cache it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor
from transformers.cache_utils import CacheLayerMixin


class Remembered:
    """Follows tokens and padding through the passes of a batch, for models whose later passes do not say them."""

    def __init__(self) -> None:
        self._columns = 0
        self._padding: Tensor | None = None

    def before(self, given: Mapping[str, Any], length: int) -> int:
        """The tokens (padding included) that were read before this pass of ``length`` tokens. Call it once a pass."""
        cache = given.get("past_key_values")
        cache = given.get("cache_params") if cache is None else cache
        past = 0 if cache is None else self._held(cache)
        mask = given.get("attention_mask")
        if past == 0:
            flat = isinstance(mask, Tensor) and mask.ndim == 2
            self._padding = mask.eq(0).sum(-1, keepdim=True) if flat and mask is not None else None
        self._columns = past + length
        return past

    def _held(self, cache: Any) -> int:
        layers = getattr(cache, "layers", None)
        if not layers or any(isinstance(layer, CacheLayerMixin) for layer in layers):
            return int(cache.get_seq_length())
        return self._columns if cache.has_previous_state() else 0

    def mask(self, given: Mapping[str, Any]) -> Any:
        """The mask of this pass as ``[rows, tokens]`` where that can be known, else as it was given.

        Some models leave it out once they hold a state; some make masks by layer of it, and then positions tell: they
        are 0 for padding, which is on the left, and for the first token.
        """
        mask, positions = given.get("attention_mask"), given.get("position_ids")
        if isinstance(mask, Tensor) and mask.ndim == 2:
            return mask
        if mask is None:
            again = self._padding is not None and given.get("past_key_values") is None and given.get("cache_params")
            return _left_padded(self._padding, self._columns) if again and self._padding is not None else None
        if not isinstance(positions, Tensor) or positions.ndim != 2:
            return mask
        return _left_padded(self._columns - 1 - positions[:, -1:], self._columns)


def _left_padded(padding: Tensor, columns: int) -> Tensor:
    """A mask ``[B, columns]`` for ``padding [B, 1]`` tokens on the left."""
    order = padding.new_ones(padding.shape[0], columns).cumsum(-1)
    return (order > padding).long()
