"""Texts as tokens, with the characters each token covers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from steerlang.models.errors import NoTokens


@dataclass(frozen=True)
class Picture:
    """The image of a prompt: where it lies, and what a processor is told with it. It is read when a batch needs it.

    path   of the file; ``place`` is the row of what names it
    text   of the prompt as the processor takes it, with one place for the image
    size   (width, height) in pixels, turned upright
    types  what else the processor says of each token of the prompt, by its name (``token_type_ids``, …)
    """

    path: str
    place: str
    text: str
    size: tuple[int, int]
    types: tuple[tuple[str, tuple[int, ...]], ...] = ()


@dataclass(frozen=True)
class TokenisedItem:
    """One text as the model sees it, without padding.

    ``offsets[i]`` are the characters of ``text`` that token i covers (start, end), ``(0, 0)`` for tokens the tokenizer
    added; None when unknown (slow tokenizers). ``specials`` names special tokens: (position, their text).

    ``assistant`` are the tokens of the assistant's reply, where the text is a conversation. ``prompt`` counts leading
    tokens that selectors pass over: ``text``, ``offsets`` and ``specials`` then describe what follows them.

    ``picture`` is the image that the prompt holds, and ``image`` the tokens that stand for it.
    """

    ids: tuple[int, ...]
    text: str = ""
    offsets: tuple[tuple[int, int], ...] | None = None
    specials: tuple[tuple[int, str], ...] = ()
    assistant: tuple[int, ...] = ()
    prompt: int = 0
    picture: Picture | None = None
    image: tuple[int, ...] = ()

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


def pad(
    rows: Sequence[Sequence[int]], *, left: bool, device: torch.device, fill: int | None = None
) -> tuple[Tensor, Tensor | None]:
    """Ids ``[B, T]`` and the attention mask ``[B, T]`` (1 real, 0 padding), None when nothing was padded.

    Padding repeats a token of the row itself: any id does where the mask hides it, and no pad token is needed. Where
    tokens are counted (those of an image), ``fill`` is what rows are filled with.
    """
    longest = max(len(row) for row in rows)
    if all(len(row) == longest for row in rows):
        return torch.tensor([list(row) for row in rows], dtype=torch.long, device=device), None
    ids, mask = [], []
    for row in rows:
        short = longest - len(row)
        filling = [(row[0] if left else row[-1]) if fill is None else fill] * short
        ids.append(filling + list(row) if left else list(row) + filling)
        mask.append([0] * short + [1] * len(row) if left else [1] * len(row) + [0] * short)
    return torch.tensor(ids, device=device), torch.tensor(mask, device=device)


def position_ids(mask: Tensor) -> Tensor:
    """Positions without padding ``[B, T]`` from a mask ``[B, T]``: 0 for padding and for the first real token."""
    return (mask.cumsum(-1) - 1).clamp_min(0)
