"""What directions say in words: tokens that they raise and lower through the model's own norm and unembedding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from steerlang.models.errors import UnsupportedModel, WidthMismatch
from steerlang.models.loading import LoadedModel


@dataclass(frozen=True)
class NearTokens:
    """Tokens with their scores, strongest first: those that a direction raises, and those that it lowers."""

    raised: tuple[tuple[str, float], ...]
    lowered: tuple[tuple[str, float], ...]


def near_tokens(loaded: LoadedModel, directions: Tensor, top: int) -> list[NearTokens]:
    """The `top` tokens at both ends for each row of `directions [N, D]`.

    score = (f(v) − f(−v)) / 2,   f(h) = W_U · norm(h), norm the model's last one

    The odd part of the logit lens (nostalgebraist, 2020): what the norm and the head add by themselves cancels, so that
    for an RMS norm with gain γ the score is W_U (γ ⊙ v) / rms(v). Raises UnsupportedModel, WidthMismatch.
    """
    layout = loaded.layout
    if layout.unembedding is None:
        raise UnsupportedModel("the model has no head that gives logits", [type(layout.root).__name__])
    if directions.shape[1] != layout.width:
        raise WidthMismatch(int(directions.shape[1]), layout.width, "the unembedding")
    found: list[NearTokens] = []
    with torch.inference_mode():
        weight: Any = layout.unembedding.weight
        rows = directions.to(weight.device, weight.dtype)
        for row in rows:
            both = torch.stack([row, -row])
            if layout.final_norm is not None:
                both = layout.final_norm(both)
            plus, minus = layout.unembedding(both).float()
            found.append(_ends((plus - minus) / 2, top, loaded.tokenizer))
    return found


def _ends(scores: Tensor, top: int, tokenizer: Any) -> NearTokens:
    named = len(tokenizer)  # the head may be padded with rows that no token has
    scores = scores[:named]
    top = min(top, scores.shape[0])
    highest, lowest = torch.topk(scores, top), torch.topk(-scores, top)

    def words(ids: Tensor, values: Tensor) -> tuple[tuple[str, float], ...]:
        return tuple((tokenizer.decode([int(i)]), float(v)) for i, v in zip(ids, values, strict=True))

    return NearTokens(words(highest.indices, highest.values), words(lowest.indices, -lowest.values))
