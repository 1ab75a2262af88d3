"""One self-contained HTML page of what a run found. Every text on it is escaped; it fetches nothing."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from contextlib import suppress
from html import escape
from pathlib import Path

from . import html_sections as short
from .background import Background
from .findings import Findings
from .html_metrics import metrics
from .html_parts import Page, section
from .html_program import graph, program
from .html_samples import samples
from .html_tables import tables
from .html_vectors import vectors
from .style import CSS

# Nothing on the page may load or run anything, whatever slips into it.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
# Characters that HTML has no place for, from replies and names.
_FORBIDDEN = dict.fromkeys((*range(9), 11, *range(14, 32), *range(127, 160), 65534, 65535), "�")

#: The sections in their order: a name, and what makes the content; one without content is left out. A new kind of
#: result is a line here.
SECTIONS: tuple[tuple[str, Callable[[Page], str]], ...] = (
    ("Expectations", short.expectations),
    ("Errors and warnings", short.told),
    ("Metrics", metrics),
    ("Samples", samples),
    ("Tables", tables),
    ("Vectors", vectors),
    ("Coefficients", short.coefficients),
    ("Weights", short.weights),
    ("Files", short.artifacts),
    ("Program", program),
    ("Graph", graph),
    ("What ran", short.carried),
    ("Provenance", short.provenance),
)


def page(
    findings: Findings, background: Background | None = None, *, title: str | None = None, date: str = ""
) -> str:
    """The page as text.

    `background` and `date` are shown as given: nothing is looked up, so the same findings give the same page.
    """
    title = title or Path(findings.program).stem
    whole = Page(findings, background or Background())
    made = [(name, content) for name, make in SECTIONS if (content := make(whole))]
    body = [
        short.head(findings, title, date), short.contents([name for name, _ in made]), "<main>",
        *(section(name, content) for name, content in made), "</main>",
    ]
    text = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="generator" content="steerlang">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{CSS}\n</style>\n</head>\n<body>\n"
        + "\n".join(part for part in body if part) + "\n</body>\n</html>\n"
    )
    return text.translate(_FORBIDDEN)


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
