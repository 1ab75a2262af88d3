"""Data that coefficients were found on, and that a metric is measured on as well: no honest measure of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from steerlang.diagnostics import Diagnostic, Label, codes
from steerlang.graph.node import Node

from .lowering import Table
from .types import METRIC
from .values import POISON, node_of

FOUND = "coefficients"
ROWS = "rows"


def reused_data(tables: Mapping[str, Table]) -> list[Diagnostic]:
    """A warning for each metric that is measured on rows which coefficients in its models were found on."""
    names = _names(tables)
    return [
        _warning(table, names.get(found.key, "coefficients"))
        for table in tables.values()
        if table.symbol.kind == METRIC.name and (found := _reused_by(table)) is not None
    ]


def _names(tables: Mapping[str, Table]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, table in tables.items():
        for cell in table.cells:
            node = None if cell.value is POISON else node_of(cell.value)
            if node is not None:
                found.setdefault(node.key, name)
    return found


def _reused_by(table: Table) -> Node | None:
    """What found coefficients on rows that the metric measures on."""
    for cell in table.cells:
        root = None if cell.value is POISON else node_of(cell.value)
        if root is None:
            continue
        measured, finders = _needed(root)
        for finder in finders:
            seen = [n for n in finder.inputs if n.result == ROWS]
            if any(_same_rows(a, b) for a in measured for b in seen):
                return finder
    return None


def _needed(root: Node) -> tuple[list[Node], list[Node]]:
    """The rows a metric reads, and what found coefficients of its models; what that read is not looked at."""
    rows: dict[str, Node] = {}
    finders: dict[str, Node] = {}
    stack, seen = [root], set[str]()
    while stack:
        node = stack.pop()
        if node.key in seen:
            continue
        seen.add(node.key)
        if node.result == FOUND:
            finders[node.key] = node
        elif node.result == ROWS:
            rows[node.key] = node
        else:
            stack.extend(node.inputs)
    return list(rows.values()), list(finders.values())


def _same_rows(first: Node, second: Node) -> bool:
    """Whether one is surely drawn from the other, or both are the same rows."""
    return any(n == second for n in _sources(first)) or any(n == first for n in _sources(second))


def _sources(rows: Node) -> Iterator[Node]:
    """Some rows, and those they were drawn from."""
    yield rows
    for node in rows.inputs:
        if node.result == ROWS:
            yield from _sources(node)


def _warning(table: Table, found: str) -> Diagnostic:
    return Diagnostic(
        codes.DATA_USED_TWICE,
        f"`{table.symbol.name}` is measured on rows that `{found}` was found on",
        Label(table.symbol.definition.value.span),
        help=("measure on other rows: another file, or the other part of a `split(…)`",),
    )
