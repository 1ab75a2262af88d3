"""Which words of a text are not in another, and which it lacks: replies beside each other."""

from __future__ import annotations

import re
from difflib import SequenceMatcher

# A word with the blanks behind it; signs are words of their own.
_WORD = re.compile(r"\w+(?:['’]\w+)*\s*|[^\w\s]\s*|\s+")
# Longer texts are compared as far as this: the time grows with the square.
MOST_WORDS = 1500

Marked = list[tuple[str, bool]]


def marked(text: str, base: str) -> tuple[Marked, Marked]:
    """`text` in parts, each with whether it is not in `base`; and `base`, each with whether `text` lacks it. The parts
    join to the texts."""
    own, other = _words(text), _words(base)
    blocks = SequenceMatcher(None, [_plain(w) for w in own], [_plain(w) for w in other], autojunk=False)
    new: Marked = []
    gone: Marked = []
    for how, a, b, c, d in blocks.get_opcodes():
        if a < b:
            new.append(("".join(own[a:b]), how != "equal"))
        if c < d:
            gone.append(("".join(other[c:d]), how != "equal"))
    return new, gone


def _words(text: str) -> list[str]:
    found = _WORD.findall(text)
    return found if len(found) <= MOST_WORDS else [*found[:MOST_WORDS], "".join(found[MOST_WORDS:])]


def _plain(word: str) -> str:
    """Words are equal whatever blanks stand behind them."""
    return word.rstrip() or " "
