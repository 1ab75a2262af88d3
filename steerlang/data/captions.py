"""CIDEr: how far a caption says what people say of the same picture (Vedantam et al., 2015)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from .words import words

Variant = Literal["cider_d", "cider"]
_LONGEST = 4
_SPREAD = 6.0
Gram = tuple[str, ...]


@dataclass(frozen=True)
class _Text:
    """A text as weighted n-grams, for n = 1 to 4, with the length of each vector and the number of words."""

    weights: tuple[Mapping[Gram, float], ...]
    norms: tuple[float, ...]
    length: int


def cider(replies: Sequence[str], references: Sequence[Sequence[str]], variant: Variant = "cider_d") -> list[float]:
    """One score a reply, against the references of its row.

    g_n(t) holds count(gram in t) · (log N − log max(1, rows that have the gram in a reference)) for each n-gram of
    words, N the number of rows. With references r of a reply c, and n = 1 … 4:

        cider    mean over n and r of cos(g_n(c), g_n(r))
        cider_d  10 · mean over n and r of exp(−(|c| − |r|)² / 72) · min(g_n(c), g_n(r)) · g_n(r) / (‖g_n(c)‖ ‖g_n(r)‖)

    where |·| counts words; `cider_d` is what COCO's evaluation reports. Words are those of `words`: lower case, without
    punctuation, unstemmed. With one row every weight is 0, and so is every score.
    """
    rows = [[_grams(text) for text in texts] for texts in references]
    frequency = _frequency(rows)
    rarest = math.log(len(rows)) if rows else 0.0
    score = _clipped if variant == "cider_d" else _cosine
    found = []
    for reply, texts in zip(replies, rows, strict=True):
        own = _weighted(_grams(reply), frequency, rarest)
        scores = [score(own, _weighted(text, frequency, rarest)) for text in texts]
        found.append(math.fsum(scores) / len(scores))
    return found


def _grams(text: str) -> Counter[Gram]:
    parts = words(text)
    return Counter(tuple(parts[i : i + n]) for n in range(1, _LONGEST + 1) for i in range(len(parts) - n + 1))


def _frequency(rows: Iterable[Iterable[Counter[Gram]]]) -> Counter[Gram]:
    """In how many rows an n-gram occurs."""
    return Counter(gram for texts in rows for gram in set().union(*texts))


def _weighted(grams: Counter[Gram], frequency: Counter[Gram], rarest: float) -> _Text:
    weights: tuple[dict[Gram, float], ...] = tuple({} for _ in range(_LONGEST))
    for gram, count in grams.items():
        weights[len(gram) - 1][gram] = count * (rarest - math.log(max(1, frequency[gram])))
    norms = tuple(math.sqrt(math.fsum(w * w for w in own.values())) for own in weights)
    return _Text(weights, norms, sum(count for gram, count in grams.items() if len(gram) == 1))


def _cosine(reply: _Text, reference: _Text) -> float:
    return _mean_over_n(reply, reference, lambda own, other: own * other)


def _clipped(reply: _Text, reference: _Text) -> float:
    nearness = math.exp(-((reply.length - reference.length) ** 2) / (2 * _SPREAD**2))
    return 10 * nearness * _mean_over_n(reply, reference, lambda own, other: min(own, other) * other)


def _mean_over_n(reply: _Text, reference: _Text, product: Callable[[float, float], float]) -> float:
    total = 0.0
    for n in range(_LONGEST):
        lengths = reply.norms[n] * reference.norms[n]
        if lengths:
            common = reply.weights[n].keys() & reference.weights[n].keys()
            total += math.fsum(product(reply.weights[n][g], reference.weights[n][g]) for g in common) / lengths
    return total / _LONGEST
