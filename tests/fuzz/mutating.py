"""Seeds, and changes of them that mostly stay programs: what a fuzzer of bytes alone hardly finds."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cache

from highlighting.highlighting_corpus import programs
from properties.language_mutants import ODD

from steerlang.api.forms import convert
from steerlang.source import Source
from steerlang.syntax import tokenize

LONGEST = 6000  # characters of a seed
PIECES = (
    '"', '"""', "'", "\\", "\r\n", "\r", "\n", "\t", "\x0c", "\x00", "#", "//", "(", ")", "[", "]", "{", "}", "=", "==",
    "..", "..<", ".", ",", "-", "1e400", "9" * 30, "1_0", "50%", "2GiB", "not", "and", "true", "none", "steerlang 2\n",
    "model a = ", "é", "😀", "\ufeff", "\u2028", "“", 'r"', '"\\u{41}"', "~", "&a", "*a", "!!", "? ", "- ", ": ",
    *ODD,
)  # fmt: skip


@cache
def seeds(form: str = "steer") -> tuple[str, ...]:
    """Programs in one form, in a stable order."""
    texts = [text for _, text in sorted(programs().items()) if 0 < len(text) <= LONGEST]
    if form == "steer":
        return tuple(texts)
    found = (convert(Source("seed", text), "steer", form)[0] for text in texts)
    return tuple(text for text in found if text is not None)


def form_of(target: str) -> str:
    return target if target in ("yaml", "json") else "steer"


def mutated(text: str, chance: random.Random, others: Sequence[str]) -> str:
    """One to five changes: tokens taken out, put in, exchanged or copied, also from another program; now and then
    single characters."""
    pieces = [t.text for t in tokenize(Source("seed", text))] or [""]
    other = [t.text for t in tokenize(Source("other", chance.choice(others)))] or [""]
    for _ in range(chance.randint(1, 5)):
        at = chance.randrange(len(pieces))
        kind = chance.randrange(7)
        if kind == 0:
            del pieces[at : at + chance.randint(1, 4)]
            pieces = pieces or [""]
        elif kind == 1:
            pieces.insert(at, chance.choice(PIECES))
        elif kind == 2:
            pieces[at] = chance.choice(other)
        elif kind == 3:
            start = chance.randrange(len(other))
            pieces[at:at] = other[start : start + chance.randint(1, 30)]
        elif kind == 4:
            pieces[at:at] = pieces[at : at + chance.randint(1, 10)]
        elif kind == 5:
            where = chance.randrange(len(pieces))
            pieces[at], pieces[where] = pieces[where], pieces[at]
        else:
            word = pieces[at]
            cut = chance.randrange(len(word) + 1)
            pieces[at] = word[:cut] + chr(chance.choice((0, 9, 34, 35, 92, 123, 233, 0x2028, 0x1F600))) + word[cut:]
    return "".join(pieces)[: 4 * LONGEST]
