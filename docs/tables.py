"""Markdown that generated pages have in common."""

from __future__ import annotations

from collections.abc import Iterable

NOTICE = "<!-- Written by docs/generate.py from the code; changes made here are lost. -->"


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    """The lines of a table."""
    lines = [line(head), line(tuple("---" for _ in head))]
    return [*lines, *(line(row) for row in rows)]


def line(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def sentence(text: str) -> str:
    """A line of help with a capital letter and a full stop."""
    return text[:1].upper() + text[1:].rstrip(".") + "."
