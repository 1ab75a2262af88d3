"""Which tokens are read. Positions are those of the text without padding, from 0, whatever the batch.

A selector gives, for one item, the positions it selects: none means that the item has no such token (it is counted,
not guessed). `reads` says what becomes of them: their ``mean`` (a single position is its own mean), or ``each``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from steerlang.data.words import first_word
from steerlang.models.errors import ModelError, NeedsOffsets
from steerlang.models.tokens import TokenisedItem

Reads = Literal["mean", "each"]
# A text as it stands, or words: the first of them that stands there as a whole word, whatever the case.
Sought = str | tuple[str, ...]


@dataclass(frozen=True)
class Selector:
    """Base of the selectors. Use a subclass."""

    reads: ClassVar[Reads] = "mean"

    def positions(self, item: TokenisedItem) -> Sequence[int]:
        raise NotImplementedError

    def after_prompt(self, rest: TokenisedItem) -> Sequence[int]:
        """Positions in the tokens that follow a prompt; −1 is the prompt's last token."""
        return self.positions(rest)


def selected(selector: Selector, item: TokenisedItem) -> Sequence[int]:
    """The positions a selector takes in the whole of an item; where it has a prompt, in what follows that alone."""
    if not item.prompt:
        return selector.positions(item)
    rest = TokenisedItem(item.ids[item.prompt :], item.text, item.offsets, item.specials)
    return [item.prompt + at for at in selector.after_prompt(rest)]


@dataclass(frozen=True)
class Last(Selector):
    """The last token."""

    def positions(self, item: TokenisedItem) -> Sequence[int]:
        return (len(item) - 1,) if len(item) else ()


@dataclass(frozen=True)
class First(Selector):
    """The first token (often the one the tokenizer adds)."""

    def positions(self, item: TokenisedItem) -> Sequence[int]:
        return (0,) if len(item) else ()


@dataclass(frozen=True)
class Mean(Selector):
    """The mean over all tokens."""

    def positions(self, item: TokenisedItem) -> Sequence[int]:
        return range(len(item))


@dataclass(frozen=True)
class All(Selector):
    """Every token, one state each."""

    reads: ClassVar[Reads] = "each"

    def positions(self, item: TokenisedItem) -> Sequence[int]:
        return range(len(item))


@dataclass(frozen=True)
class Index(Selector):
    """Token i, from 0."""

    i: int

    def __post_init__(self) -> None:
        if self.i < 0:
            raise ModelError(
                f"index {self.i} is negative", "positions count from 0; use FromEnd to count from the end"
            )

    def positions(self, item: TokenisedItem) -> Sequence[int]:
        return (self.i,) if self.i < len(item) else ()


@dataclass(frozen=True)
class FromEnd(Selector):
    """Token i from the end: 1 is the last, 2 the one before (Python's −1 and −2)."""

    i: int

    def __post_init__(self) -> None:
        if self.i < 1:
            raise ModelError(f"from_end({self.i}) is no token", "1 is the last token, 2 the one before it")

    def positions(self, item: TokenisedItem) -> Sequence[int]:
        return (len(item) - self.i,) if self.i <= len(item) else ()


@dataclass(frozen=True)
class Span(Selector):
    """The mean over tokens a to b, both included. An item that ends before b has no such span."""

    a: int
    b: int

    def __post_init__(self) -> None:
        if not 0 <= self.a <= self.b:
            raise ModelError(
                f"span({self.a}, {self.b}) is empty", "give first and last token, from 0, in this order"
            )

    def positions(self, item: TokenisedItem) -> Sequence[int]:
        return range(self.a, self.b + 1) if self.b < len(item) else ()


@dataclass(frozen=True)
class At(Selector):
    """The first token of the first occurrence of ``text`` (or the first special token written so)."""

    text: Sought

    def positions(self, item: TokenisedItem) -> Sequence[int]:
        at = find_text(item, self.text)
        return () if at is None else (at,)


@dataclass(frozen=True)
class Predicting(Selector):
    """The position whose next token starts the first occurrence of ``text``; none when the text comes first."""

    text: Sought

    def positions(self, item: TokenisedItem) -> Sequence[int]:
        at = find_text(item, self.text)
        return () if not at else (at - 1,)

    def after_prompt(self, rest: TokenisedItem) -> Sequence[int]:
        at = find_text(rest, self.text)
        return () if at is None else (at - 1,)


@dataclass(frozen=True)
class Before(Selector):
    """The mean over all tokens before the first occurrence of ``text``."""

    text: Sought

    def positions(self, item: TokenisedItem) -> Sequence[int]:
        return range(find_text(item, self.text) or 0)


@dataclass(frozen=True)
class Assistant(Selector):
    """The mean over the tokens of the assistant's reply."""

    def positions(self, item: TokenisedItem) -> Sequence[int]:
        return item.assistant

    def after_prompt(self, rest: TokenisedItem) -> Sequence[int]:
        return range(len(rest))  # what the model generated is its reply


@dataclass(frozen=True)
class ImageMean(Selector):
    """The mean over the tokens that stand for the image of the prompt."""

    def positions(self, item: TokenisedItem) -> Sequence[int]:
        return item.image

    def after_prompt(self, rest: TokenisedItem) -> Sequence[int]:
        return ()


def find_text(item: TokenisedItem, text: Sought) -> int | None:
    """The first token that covers a character of the first occurrence of ``text``, or None. Raises NeedsOffsets."""
    if not isinstance(text, str):
        return _find_word(item, text)
    if not text:
        raise ModelError("selecting tokens by an empty text", "say which text to look for")
    special = next((at for at, name in item.specials if name == text), None)
    if special is not None and item.offsets is None:
        return special
    if item.offsets is None:
        raise NeedsOffsets
    start = item.text.find(text)
    if start < 0:
        return special
    end = start + len(text)
    plain = next((i for i, (a, b) in enumerate(item.offsets) if a < end and b > start), None)
    if plain is None or special is None:
        return special if plain is None else plain
    return min(plain, special)


def _find_word(item: TokenisedItem, words: tuple[str, ...]) -> int | None:
    """The first token that covers a character of the first of some words."""
    if item.offsets is None:
        raise NeedsOffsets
    found = first_word(item.text, words)
    if found is None:
        return None
    start, end = found
    return next((i for i, (a, b) in enumerate(item.offsets) if a < end and b > start), None)
