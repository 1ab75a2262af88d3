"""Measures of generated text that need only the text: one score a reply, and their mean with an interval."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Literal

from .words import WordList, words


def word_share(replies: Sequence[str], listed: WordList) -> list[float]:
    """1.0 for each reply that holds at least one listed word as a whole word, else 0.0. The metric is the mean."""
    return [1.0 if listed.any_in(reply) else 0.0 for reply in replies]


def contains_rate(replies: Sequence[str], phrases: WordList, require: Literal["any", "all"] = "any") -> list[float]:
    """1.0 for each reply that holds any (or all) of the phrases as whole words, else 0.0. The metric is the mean."""
    holds = phrases.any_in if require == "any" else phrases.all_in
    return [1.0 if holds(reply) else 0.0 for reply in replies]


def changed(replies: Sequence[str], baseline: Sequence[str]) -> list[float]:
    """1.0 for each reply that differs from the baseline's reply to the same prompt, else 0.0."""
    return [1.0 if reply != other else 0.0 for reply, other in zip(replies, baseline, strict=True)]


def _ngrams(text: str, n: int) -> list[tuple[str, ...]]:
    parts = words(text)
    return [tuple(parts[i : i + n]) for i in range(len(parts) - n + 1)]


def distinct(replies: Sequence[str], n: int) -> float:
    """Distinct n-grams of words over n-grams of words, over all replies together; 0.0 where there are none, so that
    an empty reply never looks varied. n-grams do not reach across replies."""
    grams = [gram for reply in replies for gram in _ngrams(reply, n)]
    return len(set(grams)) / len(grams) if grams else 0.0


def distinct_each(replies: Sequence[str], n: int) -> list[float]:
    """The same share within each reply."""
    return [distinct([reply], n) for reply in replies]


def mean(values: Sequence[float]) -> float:
    """The arithmetic mean; NaN of nothing."""
    return math.fsum(values) / len(values) if values else math.nan


def bootstrap_interval(
    values: Sequence[float], seed: int, draws: int = 1000, level: float = 0.95
) -> tuple[float, float]:
    """The percentile interval of the mean over `draws` resamples of `values` with replacement.

    Deterministic in `seed`. NaN, NaN of nothing. Ends are the order statistics nearest outside the level.
    """
    if not values:
        return (math.nan, math.nan)
    source = random.Random(seed)
    count = len(values)
    means = sorted(math.fsum(source.choices(values, k=count)) / count for _ in range(draws))
    tail = (1.0 - level) / 2.0
    low = math.floor(tail * (draws - 1))
    return (means[low], means[draws - 1 - low])
