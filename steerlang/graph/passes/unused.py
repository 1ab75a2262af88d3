"""Drops what nobody needs."""

from __future__ import annotations

from collections.abc import Iterable

from steerlang.graph.node import Node, walk


def used(roots: Iterable[Node]) -> list[Node]:
    """The nodes that `roots` need, inputs before users. What no root reaches is gone; equal nodes are one."""
    return walk(list(roots))
