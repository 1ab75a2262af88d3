"""The least work there is: bare forward passes, and a bare greedy loop. Needs torch and transformers alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


def token_batches(tokenizer: Any, texts: Sequence[str], budget: int = 1024) -> list[Tensor]:
    """Ids of the texts, longest first, in batches of at most `budget` tokens with their padding.

    The default is about the fastest on a CPU: larger batches leave its cache.
    """
    rows = sorted((tokenizer(text)["input_ids"] for text in texts), key=len, reverse=True)
    found: list[Tensor] = []
    group: list[list[int]] = []
    for row in rows:
        if group and len(group[0]) * (len(group) + 1) > budget:
            found.append(_padded(group))
            group = []
        group.append(row)
    found.append(_padded(group))
    return found


def _padded(rows: Sequence[list[int]]) -> Tensor:
    longest = len(rows[0])
    return torch.tensor([row + [row[-1]] * (longest - len(row)) for row in rows])


def bare_passes(model: Any, batches: Sequence[Tensor]) -> None:
    """Every batch through the decoder: no vocabulary projection, no cache, no hooks, nothing kept."""
    with torch.inference_mode():
        for batch in batches:
            model.model(input_ids=batch, use_cache=False)


def library_generate(model: Any, ids: Tensor, steps: int) -> Tensor:
    """The library's own greedy decoding of exactly `steps` tokens."""
    with torch.inference_mode():
        found: Tensor = model.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=steps, min_new_tokens=steps, do_sample=False,
            pad_token_id=0,
        )
    return found
