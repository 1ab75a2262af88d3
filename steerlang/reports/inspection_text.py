"""An inspection on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from .findings import number
from .inspection import QUALITY_HEADS, Between, Inspected, Inspection, Tokens, Words
from .layout import Screen, columns, text_width


def render_inspection(found: Inspection, screen: Screen) -> str:
    """All of it as text that ends with a line break."""
    sections = [lines for vector in found.vectors for lines in _vector(vector, screen)]
    if found.between:
        sections.append(_between(found.between, screen))
    return "\n".join("\n".join(lines) + "\n" for lines in sections)


def _vector(vector: Inspected, screen: Screen) -> list[list[str]]:
    table = vector.table
    facts = [[screen.clean(name), screen.clean(value)] for name, value in (table.facts or {}).items()]
    head = [screen.paint(screen.clean(table.name), "bold"), *columns(facts, [False, False])]
    parts = [head, _layers(vector, screen)]
    if vector.tokens:
        parts.append(_tokens(vector.tokens, screen))
    return parts


def _layers(vector: Inspected, screen: Screen) -> list[str]:
    table = vector.table
    quality = {name: (table.quality or {})[name] for name in QUALITY_HEADS if name in (table.quality or {})}
    heads = ["layer", "length", "of the states", "to the next layer", *(QUALITY_HEADS[name] for name in quality)]
    rows = [heads]
    for i, layer in enumerate(table.layers):
        share = vector.shares[i]
        cells = [str(layer), number(table.norms[i]), "" if share is None else f"{100 * share:.3g}%"]
        cells.append(_cosine(vector.to_next[i]))
        rows.append([*cells, *(number(values[i]) for values in quality.values())])
    rows = _pointed(rows)
    filled = [i for i in range(len(heads)) if i < 2 or any(row[i].strip() for row in rows[1:])]
    while len(filled) > 2:
        lines = columns([[row[i] for i in filled] for row in rows], [True] * len(filled))
        if max(map(text_width, lines)) <= screen.width:
            break
        filled = filled[:-1]
    else:
        lines = columns([[row[i] for i in filled] for row in rows], [True] * len(filled))
    return [screen.paint(lines[0], "dim"), *lines[1:]]


def _pointed(rows: list[list[str]]) -> list[list[str]]:
    """The rows with the numbers of each column filled up on the right, so that their decimal points stand below each
    other; numbers in scientific notation are left as they are."""
    made = [list(row) for row in rows]
    for i in range(len(rows[0])):
        behind = [_behind(row[i]) for row in rows[1:]]
        most = max(behind, default=0)
        for row, own in zip(made[1:], behind, strict=True):
            row[i] += " " * (most - own) if row[i] and "e" not in row[i] else ""
    return made


def _behind(cell: str) -> int:
    """How many characters a number has from its decimal point on; a `%` is not one of its digits."""
    number_ = cell.rstrip("%")
    return 0 if "e" in number_ or "." not in number_ else len(number_) - number_.index(".")


def _cosine(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _tokens(tokens: Sequence[Tokens], screen: Screen) -> list[str]:
    room = max(20, (screen.width - 14) // 2)
    rows = [["layer", "raises", "lowers"]]
    rows += [[str(t.layer), _listed(t.raised, room, screen), _listed(t.lowered, room, screen)] for t in tokens]
    lines = columns(rows, [True, False, False])
    return [screen.paint(lines[0], "dim"), *lines[1:]]


def _listed(words: Words, room: int, screen: Screen) -> str:
    return screen.cut(" ".join(screen.clean(token.strip()) or screen.sign("line") for token, _ in words), room)


def _between(found: Sequence[Between], screen: Screen) -> list[str]:
    layers = sorted({layer for b in found for layer in b.layers})
    shown = layers if len(layers) <= 12 else layers[:: -(-len(layers) // 12)]
    rows = [["layer", *map(str, shown)]]
    for b in found:
        by_layer = dict(zip(b.layers, b.cosines, strict=True))
        name = screen.cut(f"{screen.clean(b.first)}, {screen.clean(b.second)}", 40)
        rows.append([name, *(_cosine(by_layer.get(layer)) or screen.sign("rule") for layer in shown)])
    lines = columns(rows, [False, *[True] * len(shown)])
    return [screen.paint("cosines between vectors", "bold"), screen.paint(lines[0], "dim"), *lines[1:]]
