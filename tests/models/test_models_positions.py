"""Which tokens a selector takes."""

from __future__ import annotations

import pytest

from steerlang.models import ModelError, TokenisedItem, tokenise
from steerlang.models.errors import NeedsOffsets, NoTokens
from steerlang.models.positions import (
    All,
    At,
    Before,
    First,
    FromEnd,
    Index,
    Last,
    Mean,
    Predicting,
    Selector,
    Span,
)

# <s> The big dog saw the dog </s>, the ends added by the tokenizer.
TEXT = "The big dog saw the dog"
ITEM = TokenisedItem(
    ids=(1, 10, 11, 12, 13, 14, 15, 16, 2),
    text=TEXT,
    offsets=((0, 0), (0, 3), (3, 7), (7, 9), (9, 11), (11, 15), (15, 19), (19, 23), (0, 0)),
    specials=((0, "<s>"), (8, "</s>")),
)


@pytest.mark.parametrize(
    ("selector", "wanted"),
    [
        (Last(), [8]),
        (First(), [0]),
        (Mean(), list(range(9))),
        (All(), list(range(9))),
        (Index(0), [0]),
        (Index(8), [8]),
        (Index(9), []),
        (FromEnd(1), [8]),
        (FromEnd(9), [0]),
        (FromEnd(10), []),
        (Span(2, 4), [2, 3, 4]),
        (Span(8, 8), [8]),
        (Span(7, 9), []),
        (At("dog"), [3]),  # " d" + "og": the first token of the first match
        (At("og"), [4]),
        (At("the"), [6]),  # not "The"
        (At("The"), [1]),
        (At("cat"), []),
        (At("</s>"), [8]),
        (At("<s>"), [0]),
        (Predicting("dog"), [2]),
        (Predicting("The"), [0]),
        (Predicting("<s>"), []),
        (Predicting("cat"), []),
        (Before("</s>"), list(range(8))),
        (Before("dog"), [0, 1, 2]),
        (Before("cat"), []),
    ],
    ids=str,
)
def test_positions(selector: Selector, wanted: list[int]) -> None:
    assert list(selector.positions(ITEM)) == wanted


def test_what_is_no_selector() -> None:
    for make in (lambda: Index(-1), lambda: FromEnd(0), lambda: Span(3, 2), lambda: At("").positions(ITEM)):
        with pytest.raises(ModelError):
            make()


def test_text_needs_offsets_unless_it_is_a_special_token() -> None:
    slow = TokenisedItem(ITEM.ids, TEXT, None, ITEM.specials)
    assert list(At("</s>").positions(slow)) == [8]
    with pytest.raises(NeedsOffsets):
        At("dog").positions(slow)


def test_tokenise_with_a_fast_tokenizer() -> None:
    from tiny_models import byte_tokenizer

    tokenizer = byte_tokenizer()
    items = tokenise(tokenizer, ["ab dog", "é dog"])
    assert items[0].ids[0] == tokenizer.bos_token_id
    assert items[0].specials == ((0, "<s>"),)
    assert [tokenizer.decode([items[0].ids[p]]) for p in At("dog").positions(items[0])] == ["d"]
    assert [tokenizer.decode([items[1].ids[p]]) for p in At("dog").positions(items[1])] == ["d"]
    assert list(At("é").positions(items[1])) == [1]
    assert tokenise(tokenizer, ["x"], add_special_tokens=False)[0].specials == ()
    assert tokenise(tokenizer, []) == []
    with pytest.raises(NoTokens, match="row 1"):
        tokenise(tokenizer, ["x", ""], add_special_tokens=False)
