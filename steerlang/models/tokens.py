"""Texts as tokens, with the characters each token covers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from steerlang.models.errors import NoTokens


@dataclass(frozen=True)
class TokenisedItem:
    """One text as the model sees it, without padding.

    ``offsets[i]`` are the characters of ``text`` that token i covers (start, end), ``(0, 0)`` for tokens the tokenizer
    added; None when unknown (slow tokenizers). ``specials`` names special tokens: (position, their text).

    ``assistant`` are the tokens of the assistant's reply, where the text is a conversation. ``prompt`` counts leading
    tokens that selectors pass over: ``text``, ``offsets`` and ``specials`` then describe what follows them.
    """

    ids: tuple[int, ...]
    text: str = ""
    offsets: tuple[tuple[int, int], ...] | None = None
    specials: tuple[tuple[int, str], ...] = ()
    assistant: tuple[int, ...] = ()
    prompt: int = 0

    def __len__(self) -> int:
        return len(self.ids)


def tokenise(tokenizer: Any, texts: Sequence[str], *, add_special_tokens: bool = True) -> list[TokenisedItem]:
    """Each text alone, special tokens as the tokenizer adds them, nothing padded or cut. Raises NoTokens(row)."""
    if not texts:
        return []
    fast = bool(getattr(tokenizer, "is_fast", False))
    encoded = tokenizer(
        list(texts),
        add_special_tokens=add_special_tokens,
        padding=False,
        truncation=False,
        return_offsets_mapping=fast,
    )
    special = {
        int(i): str(t) for t, i in zip(tokenizer.all_special_tokens, tokenizer.all_special_ids, strict=True)
    }
    items = []
    for row, text in enumerate(texts):
        ids = tuple(int(i) for i in encoded["input_ids"][row])
        if not ids:
            raise NoTokens(row)
        spans = tuple((int(a), int(b)) for a, b in encoded["offset_mapping"][row]) if fast else None
        named = tuple((at, special[i]) for at, i in enumerate(ids) if i in special)
        items.append(TokenisedItem(ids, text, spans, named))
    return items


def batches(
    lengths: Sequence[int], budget: int, *, extra: int = 0, equal: bool = False
) -> Iterator[list[int]]:
    """Indices grouped so that (longest + extra) × rows ≤ ``budget`` tokens, longest first; at least one row each.

    ``equal`` groups only rows of one length (for models that cannot be padded). The order is a function of the
    lengths alone.
    """
    order = sorted(range(len(lengths)), key=lambda i: (-lengths[i], i))
    group: list[int] = []
    for index in order:
        if group:
            longest = lengths[group[0]]
            full = (longest + extra) * (len(group) + 1) > budget
            if full or (equal and lengths[index] != longest):
                yield group
                group = []
        group.append(index)
    if group:
        yield group


def pad(rows: Sequence[Sequence[int]], *, left: bool, device: torch.device) -> tuple[Tensor, Tensor | None]:
    """Ids ``[B, T]`` and the attention mask ``[B, T]`` (1 real, 0 padding), None when nothing was padded.

    Padding repeats a token of the row itself: any id does where the mask hides it, and no pad token is needed.
    """
    longest = max(len(row) for row in rows)
    if all(len(row) == longest for row in rows):
        return torch.tensor([list(row) for row in rows], dtype=torch.long, device=device), None
    ids, mask = [], []
    for row in rows:
        short = longest - len(row)
        fill = [row[0] if left else row[-1]] * short
        ids.append(fill + list(row) if left else list(row) + fill)
        mask.append([0] * short + [1] * len(row) if left else [1] * len(row) + [0] * short)
    return torch.tensor(ids, device=device), torch.tensor(mask, device=device)


def position_ids(mask: Tensor) -> Tensor:
    """Positions without padding ``[B, T]`` from a mask ``[B, T]``: 0 for padding and for the first real token."""
    return (mask.cumsum(-1) - 1).clamp_min(0)
