"""Diagnostics as one line each, the form that editors and problem matchers read."""

from __future__ import annotations

from collections.abc import Iterable

from .model import Diagnostic
from .style import Style
from .text import MOST_SHOWN, summary


def render_concise(
    diagnostics: Iterable[Diagnostic], *, color: bool = False, limit: int | None = MOST_SHOWN,
) -> str:
    """One line for each diagnostic, and the line that counts them."""
    found = list(diagnostics)
    shown = found if limit is None else found[:limit]
    lines = [concise_line(d, color=color) for d in shown]
    if len(shown) < len(found):
        lines.append(f"and {len(found) - len(shown)} more")
    return "\n".join([*lines, summary(found)]) + "\n"


def concise_line(d: Diagnostic, *, color: bool = False) -> str:
    """`FILE:LINE:COLUMN: SEVERITY[CODE]: MESSAGE`; without a place in a program, `PLACE: …`."""
    head = Style(color).severity(d.severity, f"{d.severity.value}[{d.code.id}]")
    message = " ".join(d.message.split())
    if d.primary is None:
        return f"{d.place}: {head}: {message}" if d.place else f"{head}: {message}"
    first = d.primary.span.first
    return f"{d.primary.span.source.name}:{first.line}:{first.column}: {head}: {message}"
