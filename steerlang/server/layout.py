"""Formatting: the one standard layout, as the changes that lead there."""

from __future__ import annotations

from difflib import SequenceMatcher

from lsprotocol import types as lsp

from steerlang.diagnostics import has_errors
from steerlang.syntax.printing import format_source

from .analysis import Analysis


def formatting(analysis: Analysis) -> list[lsp.TextEdit]:
    """The changes, line by line, so that the cursor stays where it was; none for a program with syntax errors."""
    source = analysis.source
    if not analysis.is_steer:
        return []
    after, found = format_source(source)
    if after is None or has_errors(found) or after == source.text:
        return []
    before, new = source.text.splitlines(keepends=True), after.splitlines(keepends=True)
    starts = [0]
    for line in before:
        starts.append(starts[-1] + len(line))
    return [
        lsp.TextEdit(analysis.content.range(starts[a], starts[b]), "".join(new[c:d]))
        for tag, a, b, c, d in SequenceMatcher(None, before, new, autojunk=False).get_opcodes() if tag != "equal"
    ]  # fmt: skip
