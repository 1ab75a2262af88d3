"""Cuts the graph where results are already there: what only they need does not run."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from steerlang.graph.node import Node, carried_out_inputs


@dataclass(frozen=True)
class Cut:
    """Keys of the nodes that run, and of the stored results that are read instead of being made."""

    run: frozenset[str]
    read: frozenset[str]


def cut(targets: Iterable[Node], has: Callable[[str], bool], forced: Collection[Node] = ()) -> Cut:
    """What must run so that the result of every target exists, given what the store `has`.

    A virtual target stands for the results it is described by. Forced nodes run even when their result is there and
    even when only results that are there need them; `has` is asked at most once a node.
    """
    run: set[str] = set()
    read: set[str] = set()
    must = {node.key for node in forced}
    stack: list[Node] = []
    for node in (*targets, *forced):
        stack.extend(carried_out_inputs(node) if node.virtual else [node])
    while stack:
        node = stack.pop()
        if node.key in run or node.key in read:
            continue
        if node.key not in must and has(node.key):
            read.add(node.key)
            continue
        run.add(node.key)
        stack.extend(carried_out_inputs(node))
    return Cut(frozenset(run), frozenset(read))
