"""Words in text: whole-word search and splitting, in any script.

A phrase is found as a whole word when the characters beside it do not continue a word: letters, digits, the underscore
and combining marks do. Scripts written without blanks between words (Chinese, Japanese, Thai, Lao, Khmer, Burmese)
have no such edge, so there every occurrence counts. Case is folded, Unicode is brought to one form (NFC), every run of
blanks is one blank and typographic apostrophes are plain ones.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

_BLANKS = re.compile(r"\s+")
_APOSTROPHES = str.maketrans({"\u2019": "'", "\u02bc": "'", "\uff07": "'"})
# First and last code points of blocks whose scripts put no blanks between words.
_UNSPACED = (
    (0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x3040, 0x30FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF), (0x20000, 0x3FFFF),
)  # fmt: skip


def normalised(text: str) -> str:
    """`text` in the form in which words are compared."""
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
    return _BLANKS.sub(" ", folded.translate(_APOSTROPHES)).strip()


def _is_word_character(character: str) -> bool:
    return character.isalnum() or character == "_" or unicodedata.category(character).startswith("M")


def _is_unspaced(character: str) -> bool:
    code = ord(character)
    return code >= 0x0E00 and any(low <= code <= high for low, high in _UNSPACED)


def _continues(left: str, right: str) -> bool:
    """Whether two neighbouring characters belong to one word."""
    if not (_is_word_character(left) and _is_word_character(right)):
        return False
    # A combining mark always belongs to what it stands on.
    return unicodedata.combining(right) != 0 or not (_is_unspaced(left) or _is_unspaced(right))


def _found(text: str, phrase: str) -> bool:
    """Whether `phrase` stands in `text` as a whole word; both normalised."""
    start = text.find(phrase)
    while start >= 0:
        end = start + len(phrase)
        open_left = start == 0 or not _continues(text[start - 1], text[start])
        if open_left and (end == len(text) or not _continues(text[end - 1], text[end])):
            return True
        start = text.find(phrase, start + 1)
    return False


def contains_word(text: str, word: str) -> bool:
    """Whether `word`, which may be a phrase of several words, stands in `text` as a whole word, whatever the case."""
    phrase = normalised(word)
    return bool(phrase) and _found(normalised(text), phrase)


def words(text: str) -> list[str]:
    """The words of `text`, normalised, in order. An apostrophe between letters belongs to its word (`don't`); every
    character of a script without blanks between words is a word of its own."""
    found: list[str] = []
    current = ""
    clean = normalised(text)
    for index, character in enumerate(clean):
        joins = _is_word_character(character) or _is_inner_apostrophe(clean, index)
        if current and joins and (character == "'" or current[-1] == "'" or _continues(current[-1], character)):
            current += character
            continue
        if current:
            found.append(current)
        current = character if joins else ""
    return [*found, current] if current else found


def _is_inner_apostrophe(text: str, index: int) -> bool:
    if text[index] != "'" or index == 0 or index + 1 == len(text):
        return False
    return text[index - 1].isalpha() and text[index + 1].isalpha()


def first_word(text: str, phrases: Iterable[str]) -> tuple[int, int] | None:
    """Where the first of some words or phrases stands in `text` as a whole word, whatever the case: the characters from
    and up to. Of several that begin at one place the longest counts."""
    found: list[tuple[int, int]] = []
    for phrase in phrases:
        parts = [re.escape(part).replace("'", "['\u2019\u02bc\uff07]") for part in normalised(phrase).split(" ")]
        for match in re.finditer(r"\s+".join(parts), text, re.IGNORECASE):
            start, end = match.span()
            open_left = start == 0 or not _continues(text[start - 1], text[start])
            if open_left and (end == len(text) or not _continues(text[end - 1], text[end])):
                found.append((start, end))
                break
    return min(found, key=lambda span: (span[0], -span[1]), default=None)


@dataclass(frozen=True, slots=True)
class WordList:
    """Words and phrases to look for; each is kept once, in the form in which it is compared."""

    phrases: tuple[str, ...]

    @classmethod
    def of(cls, phrases: Iterable[str]) -> WordList:
        """A list from texts as a person writes them; blank ones are left out (see `word_list_problems`)."""
        return cls(tuple(p for p in dict.fromkeys(normalised(phrase) for phrase in phrases) if p))

    def found_in(self, text: str) -> tuple[str, ...]:
        """The phrases that stand in `text` as whole words, in the order of the list."""
        clean = normalised(text)
        return tuple(phrase for phrase in self.phrases if _found(clean, phrase))

    def any_in(self, text: str) -> bool:
        clean = normalised(text)
        return any(_found(clean, phrase) for phrase in self.phrases)

    def all_in(self, text: str) -> bool:
        clean = normalised(text)
        return all(_found(clean, phrase) for phrase in self.phrases)


def word_list_problems(phrases: Iterable[str]) -> list[str]:
    """What is wrong with a list of words, in words: blank entries, entries that no text can hold, an empty list."""
    problems: list[str] = []
    entries = list(phrases)
    for number, phrase in enumerate(entries, start=1):
        clean = normalised(phrase)
        if not clean:
            problems.append(f"entry {number} is blank")
        elif not any(_is_word_character(character) for character in clean):
            problems.append(f"entry {number}, `{phrase}`, holds no letter or digit")
    return problems if entries else ["the list holds no words"]
