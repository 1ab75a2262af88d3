"""Paths in a program as links to the files they name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lsprotocol import types as lsp

from steerlang.graph.facts import resolve_path
from steerlang.language.parameter_types import Text
from steerlang.language.text_places import inner
from steerlang.source import Span
from steerlang.syntax.literals import plain

from .analysis import Analysis


def named_files(analysis: Analysis) -> Iterator[tuple[Span, Path]]:
    """Texts that name files which are there, with the files."""
    for span in _texts(analysis):
        place = resolve_path(plain(span.text), analysis.module.folder) if span.text.startswith('"') else None
        if isinstance(place, Path) and place.is_file():
            yield span, place


def _texts(analysis: Analysis) -> Iterator[Span]:
    for symbol in analysis.module.symbols.values():
        if symbol.kind == "import":
            yield symbol.definition.value.span
    for given in analysis.notes.arguments:
        reading = inner(given.parameter.type)
        if isinstance(reading, Text) and reading.holds in ("file", "output") and given.value.source is analysis.source:
            yield given.value


def links(analysis: Analysis) -> list[lsp.DocumentLink]:
    content = analysis.content
    return [
        lsp.DocumentLink(content.range(span.start + 1, span.end - 1), path.as_uri()) for span, path in
        named_files(analysis)
    ]  # fmt: skip


def file_at(analysis: Analysis, offset: int) -> Path | None:
    """The file that the text at an offset names."""
    return next((p for span, p in named_files(analysis) if analysis.covers(span, offset)), None)
