"""The nearest of some names, for messages."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(word: str, names: Iterable[str]) -> tuple[str, ...]:
    """A help line that offers the nearest name, or nothing."""
    close = get_close_matches(word, list(names), n=1)
    return (f"did you mean `{close[0]}`?",) if close else ()
