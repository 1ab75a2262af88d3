"""The results that a run has at hand: found whole in the store, read lazily, let go after their last use."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from steerlang.graph.node import Node, carried_out_inputs

from .errors import Damaged
from .outcome import Vanished
from .payload import Payload
from .record import Record
from .store import Store


@dataclass
class Shelf:
    """Results by key. `found` is told once of every stored result that is used, `damaged` of every damaged one."""

    store: Store
    found: Callable[[Node, Record], None]
    damaged: Callable[[Node, str], None]
    records: dict[str, Record] = field(default_factory=dict)
    _values: dict[str, Payload] = field(default_factory=dict)
    _uses: Counter[str] = field(default_factory=Counter)
    _readers: set[str] = field(default_factory=set)

    def is_whole(self, node: Node) -> bool:
        """Whether the result is in the store and undamaged. A damaged one is put aside and counts as missing."""
        if node.key in self.records:
            # Looked at before; but another process may have cleared it since.
            if self.store.has(node.key):
                return True
            del self.records[node.key]
        problem = self.store.damage(node.key)
        if problem is not None:
            self.store.quarantine(node.key)
            self.damaged(node, problem)
            return False
        try:
            record = self.store.record(node.key)
        except Damaged:
            record = None
        if record is None:
            return False
        self.records[node.key] = record
        self.found(node, record)
        return True

    def digest(self, node: Node) -> str | None:
        """Digest of the content that is stored for a node now, or None."""
        try:
            record = self.store.record(node.key)
        except Damaged:
            return None
        return record.content if record is not None else None

    def keep(self, node: Node, record: Record) -> None:
        """Takes note of a result that was just stored."""
        self.records[node.key] = record
        self._values.pop(node.key, None)

    def value(self, node: Node) -> Payload:
        """The result of a node, read from the store at its first use. Raises Vanished."""
        if node.key not in self._values:
            payload = self.store.get(node.key, check=False)
            if payload is None:
                self.records.pop(node.key, None)
                raise Vanished(node.key[:12])
            self._values[node.key] = payload
        return self._values[node.key]

    def reserve(self, nodes: Iterable[Node]) -> None:
        """Says that `nodes` will read their inputs. Saying it twice of a node is as good as once."""
        for node in nodes:
            if node.key not in self._readers:
                self._readers.add(node.key)
                self._uses.update(i.key for i in carried_out_inputs(node))

    def release(self, nodes: Iterable[Node]) -> None:
        """Says that `nodes` will not read their inputs any more: what nobody else reads is let go."""
        for node in nodes:
            if node.key not in self._readers:
                continue
            self._readers.remove(node.key)
            for i in carried_out_inputs(node):
                self._uses[i.key] -= 1
                if self._uses[i.key] <= 0:
                    del self._uses[i.key]
                    self._values.pop(i.key, None)
