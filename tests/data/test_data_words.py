"""Whole words in any script, and the measures built on them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steerlang.data import (
    WordList,
    bootstrap_interval,
    changed,
    contains_rate,
    contains_word,
    distinct,
    distinct_each,
    mean,
    word_list_problems,
    word_share,
    words,
)


@pytest.mark.parametrize(
    ("text", "word", "found"),
    [
        ("A circle.", "circle", True),
        ("CIRCLE!", "circle", True),
        ("circles", "circle", False),
        ("semicircle", "circle", False),
        ("circles and a circle", "circle", True),
        ("the circle's edge", "circle", True),
        ("half-circle", "circle", True),
        ("circle_1", "circle", False),
        ("thank  \n you", "thank you", True),
        ("thank yours", "thank you", False),
        ("Don’t go", "don't", True),
        ("ÉTÉ", "été", True),
        ("e\u0301te\u0301", "été", True),
        ("STRASSE", "straße", True),
        ("naïve", "na", False),
        ("हिन्दी", "हिन्द", False),
        ("हिन्दी भाषा", "हिन्दी", True),
        ("我喜欢猫", "猫", True),
        ("I write C++, daily", "C++", True),
        ("C", "C++", False),
        ("anything", "", False),
        ("", "a", False),
    ],
)
def test_whole_words(text, word, found):
    assert contains_word(text, word) is found


def test_words_of_a_text():
    assert words("Don’t—STOP, it's  naïve_1 'quoted'") == ["don't", "stop", "it's", "naïve_1", "quoted"]
    assert words("我喜 a") == ["我", "喜", "a"]
    assert words("") == words(" ?! ") == []
    assert words("हिन्दी भाषा") == ["हिन्दी", "भाषा"]


@given(st.text())
def test_every_word_is_found_in_its_text(text):
    for word in words(text):
        assert word
        assert contains_word(text, word)


@given(st.text(), st.text())
def test_words_of_two_texts_side_by_side(left, right):
    assert words(left + " . " + right) == words(left) + words(right)


def test_word_lists_say_what_is_wrong_with_them():
    assert word_list_problems([]) == ["the list holds no words"]
    assert word_list_problems(["a", " ", "?!"]) == ["entry 2 is blank", "entry 3, `?!`, holds no letter or digit"]
    assert WordList.of(["Please", "please ", ""]).phrases == ("please",)


def test_shares_and_rates():
    polite = WordList.of(["please", "thank you"])
    replies = ["Please!", "no", "thank you, please", "thanks"]
    assert polite.found_in(replies[2]) == ("please", "thank you")
    assert word_share(replies, polite) == [1.0, 0.0, 1.0, 0.0]
    assert contains_rate(replies, polite, "all") == [0.0, 0.0, 1.0, 0.0]
    assert mean(word_share(replies, polite)) == 0.5
    assert math.isnan(mean([]))


def test_changed():
    assert changed(["a", "b"], ["a", "c"]) == [0.0, 1.0]
    with pytest.raises(ValueError):
        changed(["a"], [])


def test_distinct():
    assert distinct(["a b a", "a"], 1) == 0.5
    assert distinct(["a b a", "a"], 2) == 1.0
    assert distinct(["a"], 2) == 0.0
    assert distinct_each(["a b a", "", "c d"], 1) == [2 / 3, 0.0, 1.0]


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20), st.integers())
def test_an_interval_lies_within_the_values_and_repeats(values, seed):
    low, high = bootstrap_interval(values, seed, draws=50)
    assert min(values) - 1e-6 <= low <= high <= max(values) + 1e-6
    assert bootstrap_interval(values, seed, draws=50) == (low, high)


def test_an_interval_narrows_and_holds_the_mean():
    few, many = ([0.0, 1.0] * n for n in (5, 200))
    low, high = bootstrap_interval(many, 0)
    assert low < 0.5 < high
    assert high - low < bootstrap_interval(few, 0)[1] - bootstrap_interval(few, 0)[0]
    # The standard error of 400 fair coins is .025; 95 % is close to ± .049.
    assert high - low == pytest.approx(0.098, abs=0.02)
    assert all(math.isnan(end) for end in bootstrap_interval([], 0))
    assert bootstrap_interval([0.25], 0) == (0.25, 0.25)
