"""What stands where: whether a place takes a text, so that a YAML string there is that text and no expression.

The syntax knows no functions; who reads a program hands in a `Vocabulary` made of the registry.
"""

from __future__ import annotations

from typing import Protocol


class Place(Protocol):
    """A place for a value."""

    @property
    def takes_text(self) -> bool:
        """Whether a plain string is a text here."""

    def item(self) -> Place:
        """The place of an entry of a list that stands here."""

    def argument(self, function: str, name: str | None, position: int) -> Place:
        """The place of an argument of a call that stands here; `name` is None for one given by position."""


class Vocabulary(Protocol):
    def value_of(self, kind: str) -> Place:
        """The place of the value of a definition."""


class _Anywhere:
    """A place of which nothing is known: every string is an expression."""

    takes_text = False

    def item(self) -> Place:
        return self

    def argument(self, function: str, name: str | None, position: int) -> Place:
        return self

    def value_of(self, kind: str) -> Place:
        return self


ANYWHERE = _Anywhere()
