"""What the sections of the page are made of: headings with anchors, tables, folds. Every text is escaped here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from pathlib import PurePath

from .background import Background
from .findings import Findings


class Markup(str):
    """Text that is HTML already."""


@dataclass(frozen=True)
class Page:
    """What there is to show."""

    findings: Findings
    background: Background = field(default_factory=Background)

    @cached_property
    def lines(self) -> Mapping[str, int]:
        """Where the program's own definitions are written."""
        return {d.name: d.line for d in self.background.definitions if d.line}

    @cached_property
    def tabled(self) -> frozenset[str]:
        """Definitions that have tables of their own."""
        return frozenset(base_name(t.name) for t in self.findings.details)

    @cached_property
    def results(self) -> frozenset[str]:
        """Definitions that a section shows under a heading or in a row of their own."""
        f = self.findings
        names = [t.name for t in f.metrics] + [t.name for t in f.samples if t.prompts] + [t.name for t in f.vectors]
        names += [t.name for t in f.coefficients] + [t.name for t in f.details] + [e.label for e in f.expectations]
        return frozenset(map(base_name, names))


def base_name(label: str) -> str:
    """The definition a label belongs to: `out[s = 0.1]` → `out`."""
    return label.partition("[")[0]


def text(value: str) -> str:
    """A value as HTML; what is HTML already stays."""
    return value if isinstance(value, Markup) else escape(value)


def anchor(kind: str, name: str) -> str:
    """An id: `kind` is `r` for results, `d` for a definition in the program, `s` for a section."""
    return escape(f"{kind}-{name.replace(' ', '-')}")


def section(name: str, content: str) -> str:
    """A part of the page; nothing where it has no content."""
    if not content:
        return ""
    return f'<section id="{anchor("s", name.lower())}">\n<h2>{escape(name)}</h2>\n{content}\n</section>'


def heading(page: Page, name: str, description: str = "", first: bool = True) -> str:
    """The name of a result, linked with the line that defines it; the first of a definition is its anchor."""
    about = f'\n<p class="soft about">{quoted(description)}</p>' if description else ""
    own = f' id="{anchor("r", base_name(name))}"' if first else ""
    return f"<h3{own}><code>{escape(name)}</code>{line_of(page, name)}</h3>{about}\n"


def quoted(message: str) -> Markup:
    """A message with what it quotes in backticks as code."""
    parts = escape(message).split("`")
    if len(parts) % 2 == 0:
        return Markup(escape(message))
    return Markup("".join(f"<code>{part}</code>" if i % 2 else part for i, part in enumerate(parts)))


def line_of(page: Page, name: str) -> str:
    """A link to the line that defines a result; empty for what is imported."""
    line = page.lines.get(base_name(name))
    return f' <a class="line-link" href="#{anchor("d", base_name(name))}">line {line}</a>' if line else ""


def named(page: Page, name: str) -> Markup:
    """A name that leads to its result, or else to its definition."""
    shown, own = f"<code>{escape(name)}</code>", base_name(name)
    if own in page.results:
        return Markup(f'<a href="#{anchor("r", own)}">{shown}</a>')
    return Markup(f'<a href="#{anchor("d", own)}">{shown}</a>' if own in page.lines else shown)


def grid(
    heads: Sequence[str], rows: Sequence[Sequence[str]], texts: int | Sequence[bool], style: str = ""
) -> str:
    """A table whose first `texts` columns are text and the others numbers, or which says for each if it is numbers."""
    numeric = [i >= texts for i in range(len(heads))] if isinstance(texts, int) else texts
    kinds = [' class="num"' if is_number else "" for is_number in numeric]

    def cells(tag: str, row: Sequence[str], scope: str = "") -> str:
        return "".join(f"<{tag}{scope}{kind}>{text(cell)}</{tag}>" for cell, kind in zip(row, kinds, strict=True))

    body = "\n".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    scope = ' scope="col"'
    top = f"<thead><tr>{cells('th', heads, scope)}</tr></thead>"
    own = f' class="{style}"' if style else ""
    return f'<div class="wide"><table{own}>\n{top}\n<tbody>\n{body}\n</tbody></table></div>'


def picture(page: Page, path: str) -> Markup:
    """An image that travels inside the page; nothing for one that does not."""
    source = page.background.pictures.get(path)
    if source is None:
        return Markup("")
    return Markup(f'<img class="picture" src="{escape(source)}" alt="{escape(PurePath(path).name)}">')


def fold(summary: str, content: str) -> str:
    """Content that is folded away."""
    return f"\n<details><summary>{text(summary)}</summary>\n{content}\n</details>"


def definitions(facts: Mapping[str, str], inline: bool = False) -> str:
    """Facts by name: one below the other, or `inline` beside each other as far as there is room."""
    pairs = [f"<dt>{escape(name)}</dt><dd>{text(value)}</dd>" for name, value in facts.items()]
    if inline:
        pairs = [f"<div>{pair}</div>" for pair in pairs]
    items, style = "\n".join(pairs), ' class="inline"' if inline else ""
    return f"<dl{style}>\n{items}\n</dl>\n" if items else ""


def plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
