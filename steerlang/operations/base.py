"""Operations that work on one node at a time, and what goes wrong in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from steerlang.diagnostics import error
from steerlang.diagnostics.codes import Code
from steerlang.engine.errors import OperationError
from steerlang.engine.operation import Context, Task
from steerlang.engine.payload import Payload
from steerlang.graph.node import Node


@dataclass(frozen=True)
class Single:
    """An operation given by a function of one task."""

    function: Callable[[Task, Context], Payload]

    def run(self, tasks: Sequence[Task], context: Context) -> Iterator[tuple[Node, Payload]]:
        for task in tasks:
            yield task.node, self.function(task, context)


def fail(
    code: Code, message: str, help: str = "", notes: tuple[str, ...] = (), place: str | None = None
) -> OperationError:
    """An error to raise: what went wrong while a node was carried out."""
    return OperationError(error(code, None, message, help=help or (), notes=notes, place=place))


def inputs(task: Task) -> list[Payload]:
    """The results of a task's inputs, in order."""
    return [task.value(n) for n in task.node.inputs]
