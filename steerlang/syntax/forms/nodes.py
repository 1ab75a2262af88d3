"""What YAML and JSON texts are read into: scalars, lists and mappings with their places. Keys may stand twice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Union

from steerlang.source import Span


class Malformed(Exception):  # noqa: N818
    """The text is no YAML or JSON, or uses parts of YAML that programs do without."""

    def __init__(self, message: str, span: Span, help: str = "", *, deep: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.span = span
        self.help = help
        self.deep = deep


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value. `style` is how it was written: `plain`, `'`, `"`, `|` or `>`."""

    value: str
    style: str
    span: Span

    @property
    def is_null(self) -> bool:
        return self.style == "plain" and self.value in ("", "~", "null", "Null", "NULL")


@dataclass(frozen=True, slots=True)
class Items:
    items: tuple[FormNode, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Entries:
    """`key: value` pairs in the order written, repeats included."""

    entries: tuple[tuple[Scalar, FormNode], ...]
    span: Span


FormNode = Union[Scalar, Items, Entries]


@dataclass(slots=True)
class Open:
    """A list or mapping that is still being read: its parts so far (of a mapping keys and values in turn)."""

    is_mapping: bool
    start: int
    parts: list[FormNode]

    def closed(self, span: Span) -> FormNode:
        """Raises Malformed for a key that is a list or a mapping."""
        if not self.is_mapping:
            return Items(tuple(self.parts), span)
        entries = []
        for key, value in zip(self.parts[::2], self.parts[1::2], strict=True):
            if not isinstance(key, Scalar):
                raise Malformed("a key is a list or a mapping", key.span, "keys are single words")
            entries.append((key, value))
        return Entries(tuple(entries), span)
