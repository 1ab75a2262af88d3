"""Diagnostics as workflow commands of GitHub Actions, which become annotations beside the lines they are about.

GitHub keeps at most 10 errors, 10 warnings and 10 notices of a step and drops the rest without a word. So the first ten
of each severity become annotations, the rest stay in the log as plain lines, the true counts are printed, and a table
of all goes into the step's summary.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable

from .codes import Severity
from .concise import concise_line
from .model import Diagnostic
from .text import summary

MOST_ANNOTATED = 10
MOST_IN_TABLE = 1000
COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}


def render_github(diagnostics: Iterable[Diagnostic], folder: str = "") -> str:
    """The log of a step: annotations, errors first; what there is no room for, as plain lines; and the true counts.

    `folder` is the working directory as seen from the repository, which annotations name files from.
    """
    found = _gravest_first(diagnostics)
    annotated: list[Diagnostic] = []
    rest: list[Diagnostic] = []
    for severity in Severity:
        same = [d for d in found if d.severity is severity]
        annotated += same[:MOST_ANNOTATED]
        rest += same[MOST_ANNOTATED:]
    lines = [command(d, folder) for d in annotated]
    if rest:
        lines.append(f"{len(rest)} more, for which GitHub has no room as annotations:")
        lines += [_harmless(concise_line(d)) for d in rest]
    return "\n".join([*lines, summary(found)]) + "\n"


def command(d: Diagnostic, folder: str = "") -> str:
    """One diagnostic as a workflow command."""
    properties: dict[str, str] = {}
    if d.primary is not None:
        first, last = d.primary.span.first, d.primary.span.last
        file = posixpath.normpath(posixpath.join(folder, d.primary.span.source.name.replace("\\", "/")))
        properties = {"file": file, "line": str(first.line), "endLine": str(last.line)}
        if first.line == last.line:  # GitHub ignores columns of what covers several lines
            properties |= {"col": str(first.column), "endColumn": str(max(first.column, last.column))}
    properties["title"] = f"{d.code.id} {d.code.slug}"
    written = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    return f"::{COMMANDS[d.severity]} {written}::{_data(_words(d))}"


def step_summary(diagnostics: Iterable[Diagnostic], title: str = "steerlang") -> str:
    """Markdown for the step's summary: the counts, and a table of all diagnostics."""
    found = _gravest_first(diagnostics)
    lines = [f"### {title}: {summary(found)}", ""]
    if found:
        lines += ["| | code | where | what |", "| --- | --- | --- | --- |"]
        lines += [_row(d) for d in found[:MOST_IN_TABLE]]
        if len(found) > MOST_IN_TABLE:
            lines += ["", f"and {len(found) - MOST_IN_TABLE} more"]
        lines.append("")
    return "\n".join(lines) + "\n"


def _gravest_first(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    order = list(Severity)
    return sorted(diagnostics, key=lambda d: order.index(d.severity))


def _words(d: Diagnostic) -> str:
    """Message, label, notes and help: an annotation shows no program lines of its own."""
    place = f"{d.place}: " if d.primary is None and d.place else ""
    label = [d.primary.message] if d.primary is not None and d.primary.message else []
    helps = d.help or tuple(fix.title for fix in d.fixes)
    return "\n".join([f"{place}{d.message}", *label, *(f"note: {n}" for n in d.notes), *(f"help: {h}" for h in helps)])


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _harmless(line: str) -> str:
    """A line of the log that is no command, whatever the names of files: commands begin with `::` or `##[`."""
    return f" {line}" if line.lstrip().startswith(("::", "##[")) else line


def _row(d: Diagnostic) -> str:
    where = d.place or ""
    if d.primary is not None:
        first = d.primary.span.first
        where = f"{d.primary.span.source.name}:{first.line}:{first.column}"
    cells = (d.severity.value, f"{d.code.id} {d.code.slug}", where, d.message)
    return "| " + " | ".join(_cell(c) for c in cells) + " |"


def _cell(text: str) -> str:
    """Text in a cell of a table: no line breaks, no bars, no HTML outside code."""
    words = " ".join(text.split()).replace("|", "\\|")
    parts = words.split("`")
    if len(parts) % 2 == 0:
        return _plain(words)
    return "`".join(part if i % 2 else _plain(part) for i, part in enumerate(parts))


def _plain(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
