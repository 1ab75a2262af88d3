"""Pictures of concepts as plain values: their words and samples, dictionaries side by side; correlations as points."""

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


@dataclass(frozen=True)
class Scatter:
    """A correlation: its value and what it is called, the two metrics, and their numbers pair by pair."""

    name: str
    value: float
    kind: str
    x_name: str
    y_name: str
    points: tuple[tuple[str, float, float], ...]
