"""The plan: which nodes run, in which steps, and why; the others with the reason why they need not."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from steerlang.source import Span

from .naming import LabelledGraph, Names, definition, name_nodes
from .node import Json, Node, walk
from .passes import Step, cut, fuse, used
from .reasons import Cause, Past, Reason, Reasoner, past_of, plain

__all__ = [
    "Cost", "Entry", "LabelledGraph", "Names", "Plan", "Step", "StoreView", "definition", "make_plan", "plan_document",
]

KEY_SHOWN = 12


class StoreView(Protocol):
    """What planning asks of a store."""

    def has(self, key: str) -> bool:
        """Whether the result under `key` is there."""

    def history(self) -> Mapping[str, Past]:
        """Label → what it stood for in the last run of this program."""


@dataclass(frozen=True)
class Cost:
    """What carrying a node out is expected to take. None where it is not known."""

    tokens: int | None = None
    bytes: int | None = None
    note: str = ""


@dataclass(frozen=True)
class Entry:
    """One node that could be carried out. `needed`: its result is made or read in this run."""

    node: Node
    label: str
    reason: Reason
    run: bool
    needed: bool


@dataclass(frozen=True)
class Plan:
    """What a run would do. `names` covers every node, also virtual and unnamed ones."""

    graph: LabelledGraph
    steps: tuple[Step, ...]
    entries: tuple[Entry, ...]
    targets: tuple[Node, ...]
    forced: frozenset[str]
    names: Names

    @property
    def nothing_to_do(self) -> bool:
        return not self.steps

    def label(self, node: Node) -> str:
        """What the node is called, whether or not the program has a name for it."""
        return self.names.by_key.get(node.key, node.key[:KEY_SHOWN])

    def labels(self, node: Node) -> tuple[str, ...]:
        """All names of a node."""
        return self.names.all.get(node.key, ())

    def span(self, node: Node) -> Span | None:
        """Where the definition stands that a node belongs to."""
        owner = self.names.owners.get(node.key, "")
        return self.graph.spans.get(owner) or self.graph.spans.get(definition(owner))

    def history(self, made: Collection[str], before: Mapping[str, Past]) -> dict[str, Past]:
        """What the next run shall compare itself with, when of the nodes that run only those in `made` were.

        A definition whose node was not made keeps, with all that stands inside it, what it was before, so that the
        next plan still says what changed. Labels that the program no longer has are dropped.
        """
        unmade = {e.node.key for e in self.entries if e.run and e.node.key not in made}
        stale = {label for key in unmade for label in self.names.all[key]}
        found: dict[str, Past] = {}
        for node in walk(list(self.graph.roots.values())):
            kept = node.key in unmade or self.names.owners[node.key] in stale
            for label in self.labels(node):
                if not kept:
                    found[label] = past_of(node, self.graph.sources.get(node.key))
                elif label in before:
                    found[label] = before[label]
        return found


def make_plan(
    graph: LabelledGraph, view: StoreView, force: Collection[str] = (), targets: Collection[str] | None = None
) -> Plan:
    """Plans what `targets` need (labels or definition names; None: every root), given what the store has.

    `force` names definitions that run whether or not their results are there. Raises LookupError for a name that is
    no label, which callers check beforehand.
    """
    names = name_nodes(graph)
    wanted = tuple(graph.select(targets).values())
    nodes = [n for n in used(wanted) if not n.virtual]
    history = view.history()
    there = {n.key: view.has(n.key) for n in nodes}
    forced = _forced(graph, nodes, names, force)
    cuts = cut(wanted, there.__getitem__, forced)
    reasoner = Reasoner(names, graph.sources, history)
    must = frozenset(n.key for n in forced)

    def reason(node: Node) -> Reason:
        if node.key in must:
            return Reason(Cause.FORCED)
        return Reason(Cause.CACHED) if there[node.key] else reasoner.reason(node)

    needed = cuts.run | cuts.read
    entries = tuple(Entry(n, names.by_key[n.key], reason(n), n.key in cuts.run, n.key in needed) for n in nodes)
    steps = fuse([n for n in nodes if n.key in cuts.run])
    return Plan(graph, tuple(steps), entries, wanted, must, names)


def _forced(graph: LabelledGraph, nodes: Sequence[Node], names: Names, force: Collection[str]) -> list[Node]:
    """The nodes that belong to forced definitions, their unnamed inner nodes included."""
    if not force:
        return []
    labels = set(graph.select(force))
    return [n for n in nodes if names.owners[n.key] in labels or labels.intersection(names.all[n.key])]


def plan_document(plan: Plan, costs: Mapping[str, Cost] | None = None) -> dict[str, Json]:
    """The plan as JSON, the same for the same plan. `costs` are by node key."""
    costs = costs or {}
    steps: list[Json] = [
        {"operation": s.operation, "model": s.model, "nodes": [n.key[:KEY_SHOWN] for n in s.nodes]} for s in plan.steps
    ]
    running = sum(e.run for e in plan.entries)
    return {
        "format": "steerlang.plan",
        "format_version": "1.0",
        "run": running,
        "cached": sum(e.needed for e in plan.entries) - running,
        "steps": steps,
        "nodes": [_entry_document(plan, e, costs.get(e.node.key)) for e in plan.entries],
    }


def _entry_document(plan: Plan, entry: Entry, cost: Cost | None) -> dict[str, Json]:
    node = entry.node
    return {
        "label": entry.label,
        "key": node.key[:KEY_SHOWN],
        "operation": node.operation,
        "version": node.version,
        "result": node.result,
        "options": {str(k): _finite(plain(v)) for k, v in sorted(node.options.items())},
        "inputs": [{"label": plan.label(i), "key": i.key[:KEY_SHOWN]} for i in node.inputs],
        "source": plan.graph.sources.get(node.key),
        "reason": {"cause": entry.reason.cause.value, "text": str(entry.reason)},
        "run": entry.run,
        "needed": entry.needed,
        "cost": {"tokens": cost.tokens, "bytes": cost.bytes, "note": cost.note} if cost is not None else None,
    }


def _finite(value: Json) -> Json:
    """JSON has no infinities: they stand as text."""
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return str(value)
    if isinstance(value, list):
        return [_finite(v) for v in value]
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    return value
