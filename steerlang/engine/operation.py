"""What the scheduler asks of the code that carries nodes out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from steerlang.graph.node import Node

from .events import EventSink
from .payload import Payload

Progress = Callable[[int, "int | None", str], None]


@dataclass(frozen=True)
class Task:
    """One node to carry out. `value(input)` gives the result of any node it needs (looking through virtual ones).

    What `value` gives was read back from the store, so an operation sees the same whether an input was made in this run
    or in an earlier one: tuples are lists, tensors are read-only maps.
    """

    node: Node
    value: Callable[[Node], Payload]


@dataclass(frozen=True)
class Context:
    """What an operation has around it.

    progress   `progress(done, total or None, unit)`; may be called as often as one likes
    temp       a folder on the disk of the store, removed after the step: for `tensors.draft` and `scratch_array`
    unfinished a folder of a node's own (not yet there) that outlives a kill: what a long step goes on from. Removed
               once the node's result is stored, and by `cache gc`
    resources  whatever the caller of `execute` passed: model pool, device, …
    events     for events of the operation's own
    """

    progress: Progress
    temp: Path
    resources: object
    events: EventSink
    unfinished: Callable[[Node], Path]


class Operation(Protocol):
    """Carries out the nodes of one kind of operation."""

    def run(self, tasks: Sequence[Task], context: Context) -> Iterator[tuple[Node, Payload]]:
        """Gives the result of every task, in any order, each as soon as it is ready: a killed run keeps those.

        Raises OperationError for what the user must be told; anything else that is raised is a bug.
        """
