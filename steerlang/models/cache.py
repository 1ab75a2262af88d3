"""Keys and values of the tokens so far, with room for those to come.

The library's cache of a whole sequence is joined anew at every step, which copies all of it. A layer with room writes
the new token beside the others instead; what attention is given is a view of the same numbers.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

# Below this many numbers joining is cheaper than writing in place.
SMALL = 1 << 14


class RoomyLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """A `DynamicLayer` ``[B, heads, T, size]`` with room for ``capacity`` tokens; it grows when they are more."""

    def __init__(self, capacity: int, small: int = SMALL) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._capacity, self._small = capacity, small
        self._room: tuple[Tensor, Tensor] | None = None
        self._length = 0
        # What `keys` was after the last update: whatever replaced it since took the states elsewhere.
        self._seen: Tensor | None = None

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Keys and values ``[B, heads, T + t, size]`` after ``t`` more tokens."""
        if self._room is None and (self.keys is None or self.keys.numel() < self._small):
            return super().update(key_states, value_states)
        count = key_states.shape[-2]
        room, start = self._room, self._length
        if room is None or self._seen is not self.keys or start + count > room[0].shape[-2]:
            room, start = self._make_room(key_states, value_states)
        end = start + count
        room[0].narrow(2, start, count).copy_(key_states)
        room[1].narrow(2, start, count).copy_(value_states)
        self.keys, self.values = room[0].narrow(2, 0, end), room[1].narrow(2, 0, end)
        self._seen, self._length = self.keys, end
        return self.keys, self.values

    def _make_room(self, keys: Tensor, values: Tensor) -> tuple[tuple[Tensor, Tensor], int]:
        """New room for what there is and what comes, and how much there is."""
        if not self.is_initialized:
            self.lazy_initialization(keys, values)
        start = self.get_seq_length()
        needed = start + keys.shape[-2]
        capacity = self._capacity if needed <= self._capacity else 2 * needed
        room = (
            keys.new_empty(*keys.shape[:2], capacity, keys.shape[-1]),
            values.new_empty(*values.shape[:2], capacity, values.shape[-1]),
        )
        if start and self.keys is not None and self.values is not None:
            room[0].narrow(2, 0, start).copy_(self.keys)
            room[1].narrow(2, 0, start).copy_(self.values)
        self._room = room
        return room, start


def make_cache(config: Any, capacity: int | None, small: int = SMALL) -> Any:
    """The cache that the library makes for a model, its whole-sequence layers with room for ``capacity`` tokens.

    Sliding windows, recurrent states and whatever else a configuration asks for stay the library's own; None leaves
    all as it is.
    """
    cache: Any = DynamicCache(config=config)
    if capacity is not None:
        cache.layers = [
            RoomyLayer(capacity, small) if type(layer) is DynamicLayer else layer for layer in cache.layers
        ]
    return cache
