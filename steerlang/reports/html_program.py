"""The program on the page: its text with highlighting, and its graph."""

from __future__ import annotations

from html import escape

from .drawing_svg import as_part
from .highlighting import Piece, highlighted
from .html_parts import Markup, Page, anchor, fold, grid, named


def program(page: Page) -> str:
    """The text, line by line: definitions are anchors, and their uses lead to them."""
    findings = page.findings
    if not findings.text:
        return ""
    text = findings.text.removeprefix("\ufeff")
    if findings.program.endswith((".yaml", ".yml", ".json")):
        lines = _plain(text, page)
    else:
        lines = ["".join(_piece(p, page) for p in line) for line in highlighted(text, frozenset(page.lines))]
    shown = "\n".join(f'<span class="line" id="L{n}">{line}</span>' for n, line in enumerate(lines, 1))
    return f'<pre class="program"><code>{shown}</code></pre>'


def _plain(text: str, page: Page) -> list[str]:
    """The lines of a program in YAML or JSON, with the anchors of what is defined on them."""
    names: dict[int, str] = {}
    for name, line in page.lines.items():
        names[line] = names.get(line, "") + f'<b id="{anchor("d", name)}"></b>'
    return [names.get(n, "") + escape(line) for n, line in enumerate(text.splitlines(), 1)]


def _piece(piece: Piece, page: Page) -> str:
    words = escape(piece.text)
    if piece.style == "name" and piece.target in page.lines:
        own = f'<b class="h-name" id="{anchor("d", piece.target)}">'
        if piece.target in page.results:
            return f'{own}<a href="#{anchor("r", piece.target)}">{words}</a></b>'
        return f"{own}{words}</b>"
    if piece.style == "use":
        return f'<a class="h-use" href="#{anchor("d", piece.target)}">{words}</a>'
    return f'<span class="h-{piece.style}">{words}</span>' if piece.style else words


def graph(page: Page) -> str:
    """What is made of what, drawn, and the same as a table for those who cannot see it."""
    drawing = page.background.drawing
    if drawing is None or len(drawing.vertices) < 2:
        return ""
    rows = []
    for vertex in drawing.vertices:
        inputs = Markup(", ".join(named(page, name) for name in drawing.inputs(vertex.name)))
        rows.append([vertex.kind, named(page, vertex.name), inputs])
    links = {v.name: f"#{anchor('d', v.name)}" for v in drawing.vertices if v.name in page.lines}
    table = fold("the graph as a table", grid(["kind", "definition", "made of"], rows, 3))
    return f'<div class="wide">{as_part(drawing, links)}</div>{table}'
