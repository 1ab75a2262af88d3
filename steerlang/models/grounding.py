"""Words of vectors: the tokens whose unembedding they point to (the logit lens on concepts)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

import torch
from torch import Tensor

from steerlang.data.words import normalised
from steerlang.models.errors import UnsupportedModel, WidthMismatch
from steerlang.models.loading import LoadedModel

Spelling = Callable[[int], tuple[str, str]]

_SHORTEST = 3
_TOGETHER = 256  # rows whose scores of the whole vocabulary are held at once
_SEARCHED = 256  # tokens looked at first; more where they are not enough


@dataclass(frozen=True)
class WordFilter:
    """Which words may be named. Without a vocabulary: letters only, three of them at least. Words are compared as
    `data.words` compares them (without case)."""

    vocabulary: frozenset[str] | None = None
    stop: frozenset[str] = frozenset()

    @classmethod
    def of(cls, vocabulary: Collection[str] | None, stop: Collection[str]) -> WordFilter:
        known = None if vocabulary is None else frozenset(map(normalised, vocabulary))
        return cls(known, frozenset(map(normalised, stop)))

    def admits(self, word: str) -> bool:
        if word in self.stop:
            return False
        if self.vocabulary is not None:
            return word in self.vocabulary
        return word.isalpha() and len(word) >= _SHORTEST


@dataclass(frozen=True)
class Named:
    """Words of one vector with their scores, strongest first."""

    words: tuple[str, ...]
    scores: tuple[float, ...]


def unembedded(loaded: LoadedModel, directions: Tensor, final_norm: bool) -> Tensor:
    """W_U u, or W_U norm(u) with the model's last norm, for rows ``directions [N, D]``: ``[N, V]`` float32.

    The published code leaves the norm out. An RMS norm changes the order of tokens by its gain only; a layer norm by
    its gain, its bias and the mean it takes off. Rows of the head that no token has are left out. Raises
    UnsupportedModel, WidthMismatch.
    """
    layout = loaded.layout
    if layout.unembedding is None:
        raise UnsupportedModel("the model has no head that gives logits", [type(layout.root).__name__])
    if directions.shape[1] != layout.width:
        raise WidthMismatch(int(directions.shape[1]), layout.width, "the unembedding")
    with torch.inference_mode():
        weight: Any = layout.unembedding.weight
        rows = directions.to(weight.device, weight.dtype)
        if final_norm and layout.final_norm is not None:
            rows = layout.final_norm(rows)
        scores: Tensor = layout.unembedding(rows).float()
    return scores[:, : len(loaded.tokenizer)].cpu()


def words_of(scores: Tensor, spelling: Spelling, top: int, admitted: WordFilter) -> Named:
    """The first ``top`` distinct words among the tokens of largest score ``[V]``; fewer where there are no more.

    A token's word is its text without blanks around it; of tokens that differ in case only the strongest counts.
    """
    found: dict[str, tuple[str, float]] = {}
    for token, score in _ranked(scores):
        word, key = spelling(token)
        if key not in found and admitted.admits(key):
            found[key] = (word, score)
            if len(found) == top:
                break
    return Named(tuple(w for w, _ in found.values()), tuple(s for _, s in found.values()))


def _ranked(scores: Tensor) -> Iterator[tuple[int, float]]:
    """Tokens by falling score; sorted whole only where the first ones do not suffice."""
    first = torch.topk(scores, min(_SEARCHED, len(scores)))
    yield from zip(first.indices.tolist(), first.values.tolist(), strict=True)
    if len(scores) > _SEARCHED:
        rest = torch.sort(scores, descending=True, stable=True)
        seen = set(first.indices.tolist())
        pairs = zip(rest.indices.tolist(), rest.values.tolist(), strict=True)
        yield from ((token, score) for token, score in pairs if token not in seen)


def spelling_of(loaded: LoadedModel) -> Spelling:
    """The text of each token by itself, without blanks, and as it is compared; special tokens have none."""
    special = frozenset(loaded.tokenizer.all_special_ids)
    known: dict[int, tuple[str, str]] = {}

    def spelling(token: int) -> tuple[str, str]:
        found = known.get(token)
        if found is None:
            word = "" if token in special else str(loaded.tokenizer.decode([token])).strip()
            found = known[token] = word, normalised(word)
        return found

    return spelling


def named(loaded: LoadedModel, rows: Sequence[Tensor], final_norm: bool, tops: Sequence[int],
          filters: Sequence[WordFilter]) -> list[list[Named]]:  # fmt: skip
    """Words of several sets of rows ``[N, D]``, through the unembedding together, some hundred rows at a time."""
    spelling = spelling_of(loaded)
    wanted = [(top, admitted) for part, top, admitted in zip(rows, tops, filters, strict=True) for _ in part]
    found: list[Named] = []
    for piece in torch.split(torch.cat(list(rows)), _TOGETHER):
        for scores in unembedded(loaded, piece, final_norm):
            top, admitted = wanted[len(found)]
            found.append(words_of(scores, spelling, top, admitted))
    starts = [0, *accumulate(len(part) for part in rows)]
    return [found[start:end] for start, end in pairwise(starts)]
