"""Orders nodes into steps; nodes of one operation and group share a step wherever their inputs allow it.

List scheduling: single nodes run as soon as they are ready; a group waits until nothing else is ready, so that as many
of its nodes as possible are, and then takes all that are. Among waiting groups those go first that are complete, then
those whose model is the one in memory, then the one met first. Costs O(n log n).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush

from steerlang.graph.node import Node, walk


@dataclass(frozen=True)
class Step:
    """Nodes of one operation that are carried out together. None of them needs another."""

    operation: str
    nodes: tuple[Node, ...]
    group: str | None = None

    @property
    def model(self) -> str | None:
        """What must be in memory for this step: the part of the group after the first colon."""
        return model_of(self.group)


def model_of(group: str | None) -> str | None:
    """The model that a group names: `capture:3fa9` → `3fa9`."""
    return (group.partition(":")[2] or None) if group is not None else None


def dependencies(nodes: Sequence[Node]) -> dict[str, tuple[str, ...]]:
    """Key of each of `nodes` → keys of those among them that it needs, looking through all other nodes."""
    chosen = {n.key for n in nodes}
    through: dict[str, tuple[str, ...]] = {}
    for node in walk(list(nodes)):
        found: dict[str, None] = {}
        for i in node.inputs:
            found.update({i.key: None} if i.key in chosen else dict.fromkeys(through[i.key]))
        through[node.key] = tuple(found)
    return {n.key: through[n.key] for n in nodes}


def fuse(nodes: Sequence[Node]) -> list[Step]:
    """Steps that carry out each of `nodes` once, inputs before users. Ties go by the order of `nodes`."""
    unique = list({n.key: n for n in nodes}.values())
    needs = dependencies(unique)
    users: dict[str, list[str]] = {n.key: [] for n in unique}
    for key, needed in needs.items():
        for other in needed:
            users[other].append(key)
    waiting = {key: len(needed) for key, needed in needs.items()}
    queue = _Ready(unique)
    for n in unique:
        if not waiting[n.key]:
            queue.add(n.key)
    steps: list[Step] = []
    while (step := queue.take(steps[-1].model if steps else None)) is not None:
        steps.append(step)
        for node in step.nodes:
            for user in users[node.key]:
                waiting[user] -= 1
                if not waiting[user]:
                    queue.add(user)
    return steps


GroupId = tuple[str, str]


@dataclass
class _Group:
    """The members of one group that are ready, by rank, and how many are still to come."""

    id: GroupId
    missing: int = 0
    ready: list[int] = field(default_factory=list)


class _Ready:
    """What can run now. Groups stand in heaps; an entry that no longer says how a group stands is passed over."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self._nodes = nodes
        self._rank = {n.key: i for i, n in enumerate(nodes)}
        self._singles: list[int] = []
        self._groups: dict[GroupId, _Group] = {}
        # (complete, model) → heap of (rank of the first ready member, group); model None stands for any.
        self._heaps: dict[tuple[bool, str | None], list[tuple[int, GroupId]]] = {}
        for n in nodes:
            if n.group is not None:
                self._groups.setdefault((n.operation, n.group), _Group((n.operation, n.group))).missing += 1

    def add(self, key: str) -> None:
        rank = self._rank[key]
        node = self._nodes[rank]
        if node.group is None:
            heappush(self._singles, rank)
            return
        group = self._groups[(node.operation, node.group)]
        group.missing -= 1
        heappush(group.ready, rank)
        complete = not group.missing
        for model in (None, model_of(node.group)):
            heappush(self._heaps.setdefault((complete, model), []), (group.ready[0], group.id))

    def take(self, model: str | None) -> Step | None:
        """The next step, given the model in memory; None when nothing is left."""
        if self._singles:
            node = self._nodes[heappop(self._singles)]
            return Step(node.operation, (node,))
        for complete in (True, False):
            for wanted in dict.fromkeys((model, None)):
                group = self._first(complete, wanted)
                if group is not None:
                    members = tuple(self._nodes[r] for r in sorted(group.ready))
                    group.ready.clear()
                    return Step(group.id[0], members, group.id[1])
        return None

    def _first(self, complete: bool, model: str | None) -> _Group | None:
        heap = self._heaps.get((complete, model), [])
        while heap:
            rank, name = heap[0]
            group = self._groups[name]
            if group.ready and group.ready[0] == rank and (not group.missing) == complete:
                return group
            heappop(heap)
        return None
