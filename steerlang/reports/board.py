"""A board of concepts as plain values: for each concept its words and samples, dictionaries side by side."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ShownSample:
    """A sample of a concept: what it says, how strongly it activates it, and its image as a data URI (empty: none)."""

    text: str
    activation: float
    image: str = ""


@dataclass(frozen=True)
class ShownConcept:
    """A concept of one dictionary, by its number there."""

    number: int
    words: tuple[str, ...] = ()
    samples: tuple[ShownSample, ...] = ()


@dataclass(frozen=True)
class Board:
    """Concepts of dictionaries side by side: a row for each concept, a column for each dictionary.

    notes    a line on each row: how far a shift recovers the last column, for example
    matched  whether concepts of another model stand beside those they are matched with; else all stand by their numbers
    """

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[ShownConcept | None, ...], ...]
    notes: tuple[str, ...] = ()
    matched: bool = False
