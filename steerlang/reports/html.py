"""One self-contained HTML page of what a run found. Every text on it is escaped; it fetches nothing."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from contextlib import suppress
from html import escape
from pathlib import Path

from . import html_sections as sections
from .details import details_html
from .edits import edits_html
from .findings import Findings
from .style import CSS

# Nothing on the page may load or run anything, whatever slips into it.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def page(findings: Findings, *, title: str | None = None, date: str = "",
         provenance: Mapping[str, str] | None = None) -> str:
    """The page as text.

    `date` and `provenance` (versions, model ids, digests) are shown as given: nothing is looked up, so the same
    findings give the same page.
    """
    title = title or Path(findings.program).stem
    body = [
        sections.head(findings, title, date), sections.expectations(findings.expectations),
        sections.metrics(findings.metrics, findings.chosen), sections.samples(findings.samples),
        sections.section("Tables", details_html(findings.details)),
        sections.vectors(findings.vectors),
        sections.coefficients(findings.coefficients),
        sections.section("Weights", edits_html(findings.edits)),
        sections.artifacts(findings.artifacts), sections.program(findings),
        sections.section("Provenance", sections.definitions(provenance or {})),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="generator" content="steerlang">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{CSS}\n</style>\n</head>\n<body>\n"
        + "\n".join(part for part in body if part) + "\n</body>\n</html>\n"
    )


def write_page(path: Path, text: str) -> Path:
    """Writes a page as a whole: readers see the old one or the new one. Makes its folder. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}-{uuid.uuid4().hex}")
    try:
        with draft.open("x", encoding="utf-8", errors="replace", newline="\n") as file:
            file.write(text)
        os.replace(draft, path)
    except BaseException:
        with suppress(OSError):
            draft.unlink()
        raise
    return path
