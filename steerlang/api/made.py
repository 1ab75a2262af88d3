"""What the operations of a run made, definition by definition."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any

from steerlang.diagnostics import Label
from steerlang.engine.payload import Payload
from steerlang.language.compiling import cells_of

if TYPE_CHECKING:
    from .results import Run


def made_by(
    run: Run, kinds: tuple[type[Any], ...], operations: Collection[str]
) -> Iterator[tuple[str, Any, Payload, Label]]:
    """Label, value, result and place of each value of some kinds that some operations made, equal ones once."""
    seen: set[str] = set()
    for table in run.program.compiled.tables.values():
        for label, cell in cells_of(table):
            value = cell.value
            if not isinstance(value, kinds) or value.node.key in seen:
                continue
            seen.add(value.node.key)
            payload = run.payload(value.node) if value.node.operation in operations else None
            if payload is not None:
                yield label, value, payload, Label(cell.symbol.span)
