"""What the headers of checkpoints say about a program's edits: patterns that match nothing, blocks that overlap."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from importlib.util import find_spec

from steerlang.diagnostics import Diagnostic, error, ordered
from steerlang.graph.node import Node, walk
from steerlang.language.compiling import Compiled, cells_of
from steerlang.language.modules import Symbol
from steerlang.language.values import node_of


def with_edits_checked(compiled: Compiled) -> Compiled:
    """The program with what is wrong with its edited models. It is as it was where nothing can be looked at: it has
    errors already, models are not on this machine, or numpy is not installed."""
    if not compiled.ok or compiled.absent:
        return compiled
    edits = _edits(compiled)
    if not edits or find_spec("numpy") is None:
        return compiled
    found = list(dict.fromkeys(_problems(edits)))
    return replace(compiled, diagnostics=tuple(ordered([*compiled.diagnostics, *found]))) if found else compiled


def _edits(compiled: Compiled) -> dict[Node, Symbol]:
    """Every edited model with the definition it is written in: its own, or the first that uses it."""
    own: dict[Node, Symbol] = {}
    using: dict[Node, Symbol] = {}
    for table in compiled.tables.values():
        for _, cell in cells_of(table):
            root = node_of(cell.value)
            if root is None:
                continue
            own.setdefault(root, table.symbol)
            for node in walk([root]):
                using.setdefault(node, table.symbol)
    return {node: own.get(node, symbol) for node, symbol in using.items() if node.operation in _CHECKED}


def _problems(edits: dict[Node, Symbol]) -> Iterator[Diagnostic]:
    from steerlang.weights.errors import WeightsError

    for node, symbol in edits.items():
        try:
            _CHECKED[node.operation](node)
        except WeightsError as e:
            yield error(e.code, symbol.definition.value.span, e.message, help=e.help, notes=e.notes)


def _check_edit(node: Node) -> None:
    from steerlang.operations.editing import plan_of

    plan_of(node)


def _check_pool(node: Node) -> None:
    from steerlang.operations.pooling import check_pool

    check_pool(node)


# What looks at the headers for a node of each operation that reads weights; raises WeightsError.
_CHECKED: Mapping[str, Callable[[Node], None]] = {
    "model.edit": _check_edit,
    "learn": _check_pool,
    "search": _check_pool,
}
