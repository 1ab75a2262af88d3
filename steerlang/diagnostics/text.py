"""Diagnostics as text for people: the program lines they are about, with marks, notes and help."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from steerlang.source import Source

from .codes import Severity
from .model import Diagnostic, Label
from .snippet import snippet
from .style import Style

MOST_SHOWN = 50
_WIDTH = 110


def render(
    diagnostics: Iterable[Diagnostic], *, color: bool = False, limit: int | None = MOST_SHOWN, width: int = _WIDTH,
) -> str:
    """All diagnostics in full, at most `limit` of them, and a line that counts them. Ends with a line break."""
    found = list(diagnostics)
    style = Style(color)
    shown = found if limit is None else found[:limit]
    blocks = [_block(d, style, width) for d in shown]
    if len(shown) < len(found):
        blocks.append(f"and {len(found) - len(shown)} more")
    blocks.append(summary(found))
    return "\n\n".join(blocks) + "\n"


def render_one(diagnostic: Diagnostic, *, color: bool = False, width: int = _WIDTH) -> str:
    """One diagnostic in full, without a line break at the end."""
    return _block(diagnostic, Style(color), width)


def summary(diagnostics: Iterable[Diagnostic]) -> str:
    """`2 errors, 1 warning`, or `no problems found`."""
    found = list(diagnostics)
    counts = [(s, sum(1 for d in found if d.severity is s)) for s in Severity]
    words = [f"{count} {s.value}{'' if count == 1 else 's'}" for s, count in counts if count]
    return ", ".join(words) or "no problems found"


def _block(d: Diagnostic, style: Style, width: int) -> str:
    head = style.severity(d.severity, f"{d.severity.value}[{d.code.id}]")
    rows = [f"{head}{style.strong(': ' + d.message)}"]
    gutter = 1
    if d.primary is not None:
        gutter, lines = _places(d, d.primary, style, width)
        rows += lines
    elif d.place:
        rows.append(f"{style.frame(' -->')} {d.place}")
    rows += [_hanging(f"{' ' * gutter} {style.frame('=')} {style.strong('note')}: ", gutter + 9, n) for n in d.notes]
    helps = d.help or tuple(fix.title for fix in d.fixes)
    rows += [_hanging(f"{style.help('help')}: ", 6, text) for text in helps]
    return "\n".join(rows)


def _hanging(lead: str, indent: int, text: str) -> str:
    """A note or help of several lines keeps its indentation."""
    return lead + text.replace("\n", "\n" + " " * indent)


def _places(d: Diagnostic, primary: Label, style: Style, width: int) -> tuple[int, list[str]]:
    """The snippets of all sources the labels lie in, the primary one first; and the width of the line numbers."""
    labels = [(primary, True), *((label, False) for label in d.secondary)]
    gutter = max(len(str(max(label.span.first.line, label.span.last.line))) for label, _ in labels)
    rows: list[str] = []
    for source in _sources(labels):
        here = [(label, is_primary) for label, is_primary in labels if label.span.source is source]
        first = here[0][0].span.first
        arrow = "-->" if source is primary.span.source else ":::"
        rows.append(f"{' ' * gutter}{style.frame(arrow)} {source.name}:{first.line}:{first.column}")
        rows += snippet(source, here, gutter, max(20, width - gutter - 3), d.severity, style)
    if d.notes:
        rows.append(f"{' ' * gutter} {style.frame('|')}")
    return gutter, rows


def _sources(labels: Sequence[tuple[Label, bool]]) -> list[Source]:
    found: list[Source] = []
    for label, _ in labels:
        if not any(label.span.source is source for source in found):
            found.append(label.span.source)
    return found
