"""A program's graph as text, and in the languages of Graphviz and Mermaid."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from .layout import Screen, columns

#: Colours of kinds (and of kinds of results), light enough for black text.
COLOURS = {
    "model": "#cfe2f3", "data": "#e2efda", "rows": "#e2efda", "vector": "#fde9d0", "states": "#fff2cc",
    "activations": "#fff2cc", "concepts": "#fde9d0", "taskvector": "#f8d7da", "coefficients": "#f3d9ec",
    "steering": "#fde9d0", "samples": "#e6e0f8", "metric": "#d5f0ee", "expect": "#d9d9d9", "export": "#d9d9d9",
    "report": "#d9d9d9",
}  # fmt: skip
PLAIN = "#f5f5f5"


@dataclass(frozen=True)
class Vertex:
    """A definition or an operation. `kind` is the kind of definition, or the kind of result."""

    name: str
    kind: str
    detail: str = ""


@dataclass(frozen=True)
class Drawing:
    """Vertices, inputs before users, and edges from what is used to what uses it."""

    title: str
    vertices: tuple[Vertex, ...]
    edges: tuple[tuple[str, str], ...]

    def inputs(self, name: str) -> list[str]:
        return [a for a, b in self.edges if b == name]


def as_text(drawing: Drawing, screen: Screen) -> str:
    """One row a definition, inputs before users: kind, name, and what it is made of."""
    arrow = "←" if screen.unicode else "<-"
    rows = [
        [screen.clean(v.kind), screen.paint(screen.clean(v.name), "bold"),
         f"{arrow} {', '.join(inputs)}" if (inputs := drawing.inputs(v.name)) else ""]
        for v in drawing.vertices
    ]  # fmt: skip
    return "\n".join(columns(rows, [False, False, False], indent="")) + "\n" if rows else ""


def as_dot(drawing: Drawing) -> str:
    """For Graphviz: `dot -Tsvg`."""
    numbers = {v.name: i for i, v in enumerate(drawing.vertices)}
    lines = [f"digraph {_dot(drawing.title)} {{", "  rankdir = TB;",
             '  node [shape = box, style = "rounded,filled", fontname = "Helvetica"];']
    lines += [
        f"  n{numbers[v.name]} [label = {_dot(f'{v.kind}{chr(10)}{v.name}')}, "
        f"fillcolor = {_dot(COLOURS.get(v.kind, PLAIN))}];"
        for v in drawing.vertices
    ]
    lines += [f"  n{numbers[a]} -> n{numbers[b]};" for a, b in drawing.edges]
    return "\n".join([*lines, "}"]) + "\n"


def _dot(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def as_mermaid(drawing: Drawing) -> str:
    """For Mermaid, as GitHub and many editors draw it in Markdown."""
    numbers = {v.name: i for i, v in enumerate(drawing.vertices)}
    lines = ["flowchart TD"]
    lines += [f'  n{numbers[v.name]}["{_mermaid(v.kind)}<br>{_mermaid(v.name)}"]' for v in drawing.vertices]
    lines += [f"  n{numbers[a]} --> n{numbers[b]}" for a, b in drawing.edges]
    for kind in dict.fromkeys(v.kind for v in drawing.vertices):
        members = ",".join(f"n{numbers[v.name]}" for v in drawing.vertices if v.kind == kind)
        lines += [f"  classDef {kind} fill:{COLOURS.get(kind, PLAIN)},color:#000", f"  class {members} {kind}"]
    return "\n".join(lines) + "\n"


def _mermaid(text: str) -> str:
    return re.sub(r'["\[\]{}<>#&]', lambda m: f"#{ord(m.group())};", text)
