"""Vectors on the page: length by layer beside the states, cosines between layers and between vectors, quality."""

from __future__ import annotations

from collections.abc import Sequence

from .cosines import between_vectors, cosine_map
from .findings import VectorTable, number
from .html_parts import Page, base_name, definitions, fold, grid, heading
from .inspection import QUALITY_HEADS, Inspected, Inspection
from .svg import Point, Series, chart
from .terminal import layers_text

# Facts that few look for; they are folded away.
_FOLDED = ("model identity", "method version", "made of")


def vectors(page: Page) -> str:
    """Every vector; random directions are one table, since nothing of them is read from a model."""
    tables = page.findings.vectors
    inspected = {v.table.name: v for v in page.background.inspection.vectors} if page.background.inspection else {}
    seen = {base_name(t.name) for t in page.findings.details}  # shifts of concepts have a table of their own
    parts = []
    for table in tables:
        if table.random:
            continue
        parts.append(_vector(page, table, inspected.get(table.name), base_name(table.name) not in seen))
        seen.add(base_name(table.name))
    parts.append(_between(page.background.inspection))
    random = [t for t in tables if t.random]
    if random:
        parts.append(_random(page, random))
    return "\n".join(part for part in parts if part)


def _vector(page: Page, table: VectorTable, found: Inspected | None, first: bool) -> str:
    facts = {"layers": layers_text(table.layers), **(table.facts or {})}
    shown = {name: value for name, value in facts.items() if name not in _FOLDED}
    folded = {name: value for name, value in facts.items() if name in _FOLDED}
    if found is not None and len(table.layers) > 1:
        figures = f'<div class="figures">{_length(table)}{cosine_map(found)}</div>\n'
    else:
        figures = _length(table)
    more = fold("more", definitions(folded)) if folded else ""
    table_ = _table(table, found)
    long = fold(f"table of {len(table.layers)} layers", table_) if len(table.layers) > 16 else table_
    return heading(page, table.name, table.description, first) + definitions(shown, inline=True) + figures + long + more


def _length(table: VectorTable) -> str:
    """The length of the direction by layer, as a share of the states where their norms are known."""
    known = [(layer, n, s) for layer, n, s in zip(table.layers, table.norms, table.state_norms, strict=False) if s]
    if known:
        series = Series("share", tuple(Point(float(layer), n / s) for layer, n, s in known))
        return chart([series], f"length of {table.name} by layer", "layer", "length / mean norm of the states")
    series = Series("length", tuple(Point(float(layer), n) for layer, n in zip(table.layers, table.norms, strict=True)))
    return chart([series], f"length of {table.name} by layer", "layer", "length")


def _table(table: VectorTable, found: Inspected | None) -> str:
    quality = {name: (table.quality or {})[name] for name in QUALITY_HEADS if name in (table.quality or {})}
    heads = ["layer", "length", *(["of the states"] if table.state_norms else [])]
    heads += [*(["to next layer"] if found is not None else []), *(QUALITY_HEADS[name] for name in quality)]
    rows = []
    for i, layer in enumerate(table.layers):
        row = [str(layer), number(table.norms[i])]
        if table.state_norms:
            row.append(f"{100 * table.norms[i] / table.state_norms[i]:.3g} %" if table.state_norms[i] else "")
        if found is not None:
            row.append(number(found.to_next[i]))
        rows.append([*row, *(number(values[i]) for values in quality.values())])
    return grid(heads, rows, 1)


def _between(found: Inspection | None) -> str:
    if found is None or not any(b.layers for b in found.between):
        return ""
    return f"<h3>Cosines between vectors</h3>\n{between_vectors([b for b in found.between if b.layers])}"


def _random(page: Page, tables: Sequence[VectorTable]) -> str:
    names = list(dict.fromkeys(base_name(t.name) for t in tables))
    heads = "".join(heading(page, name) for name in names)
    rows = [[t.name, layers_text(t.layers), _range(t.norms)] for t in tables]
    what = "1 random direction" if len(tables) == 1 else f"{len(tables)} random directions"
    return heads + fold(what, grid(["vector", "layers", "length"], rows, 2))


def _range(values: Sequence[float]) -> str:
    low, high = number(min(values, default=None)), number(max(values, default=None))
    return low if low == high else f"{low} … {high}"
