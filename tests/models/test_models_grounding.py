"""Words of vectors: by score, distinct, filtered; found however far down they stand."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_models import WIDTH

from steerlang.data.words import normalised
from steerlang.models import LoadedModel
from steerlang.models.errors import WidthMismatch
from steerlang.models.grounding import WordFilter, unembedded, words_of

TEXTS = ("  Dog", "dog", "DOG ", "cat", "ox", "", "it's", "n0ise", "Straße", "strasse", "über", "caté", "bus", "the")


def spelling(token: int) -> tuple[str, str]:
    word = TEXTS[token % len(TEXTS)].strip() if token < 700 else f"word{chr(97 + token % 26)}"
    return word, normalised(word)


def brute(scores: torch.Tensor, top: int, admitted: WordFilter) -> list[str]:
    found: dict[str, str] = {}
    for token in sorted(range(len(scores)), key=lambda i: -float(scores[i])):
        word, key = spelling(token)
        if key not in found and admitted.admits(key):
            found[key] = word
    return list(found.values())[:top]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 40))
def test_words_are_the_first_distinct_ones_that_are_admitted(seed: int, top: int) -> None:
    scores = torch.randn(1000, generator=torch.Generator().manual_seed(seed))
    for admitted in (
        WordFilter(),
        WordFilter.of(None, ["DOG", "Über"]),
        WordFilter.of(["Cat", "ox", "it's", "nothing"], ["ox"]),
    ):
        found = words_of(scores, spelling, top, admitted)
        assert list(found.words) == brute(scores, top, admitted)
        assert list(found.scores) == sorted(found.scores, reverse=True)


def test_a_word_that_stands_last_is_found() -> None:
    scores = torch.arange(5000, 0, -1).float()
    last = words_of(scores, lambda t: ("end", "end") if t == 4999 else ("", ""), 3, WordFilter())
    assert last.words == ("end",)
    assert last.scores == (1.0,)


@pytest.mark.parametrize(
    ("word", "admitted"), [("dog", True), ("ox", False), ("it's", False), ("n0ise", False), ("über", True), ("", False)]
)
def test_words_of_letters(word: str, admitted: bool) -> None:
    assert WordFilter().admits(normalised(word)) is admitted


def test_scores_are_those_of_the_head(llama: LoadedModel) -> None:
    rows = torch.randn(3, WIDTH, generator=torch.Generator().manual_seed(0))
    head, norm = llama.model.lm_head, llama.model.model.norm
    named = head.out_features - 5  # the last rows of the head are no tokens
    loaded = replace(llama, tokenizer=range(named))
    with torch.no_grad():
        torch.testing.assert_close(unembedded(loaded, rows, final_norm=False), head(rows)[:, :named])
        torch.testing.assert_close(unembedded(loaded, rows, final_norm=True), head(norm(rows))[:, :named])
    with pytest.raises(WidthMismatch):
        unembedded(loaded, torch.ones(1, WIDTH + 1), final_norm=False)
