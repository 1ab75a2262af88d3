"""What the program calls the nodes of its graph. Names take no part in keys; history and messages go by them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from steerlang.source import Span

from .node import Node


@dataclass(frozen=True)
class LabelledGraph:
    """A graph and what the program calls its parts. Nothing here takes part in keys.

    roots    label (definition name and axis point: `replies`, `out[s = 0.1]`) → node
    labels   further names by node key; a node that only stands inside a definition needs none
    sources  what a node reads from outside, by key: `data/manners.jsonl`
    spans    where a label or definition is written, for diagnostics
    written  labels of what only writes another's result to a file: a node is called after it where nothing else has it
    """

    roots: Mapping[str, Node]
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    spans: Mapping[str, Span] = field(default_factory=dict)
    written: frozenset[str] = frozenset()

    def select(self, names: Collection[str] | None) -> dict[str, Node]:
        """The roots that labels or definition names choose, in the order of the roots; all of them for None.

        Raises LookupError for a name that chooses nothing.
        """
        if names is None:
            return dict(self.roots)
        known = set(self.roots) | {definition(label) for label in self.roots}
        if missing := sorted(set(names) - known):
            raise LookupError(f"no definition is called {', '.join(missing)}")
        return {label: n for label, n in self.roots.items() if label in names or definition(label) in names}


@dataclass(frozen=True)
class Names:
    """One label for every node by key, and the label of the definition each stands in.

    A node without a label of its own is called after its first user: `polite/capture#2`, owned by `polite`.
    """

    by_key: Mapping[str, str]
    owners: Mapping[str, str]
    all: Mapping[str, tuple[str, ...]]

    def is_named(self, key: str) -> bool:
        """Whether the program itself has a name for the node."""
        return self.by_key[key] == self.owners[key]


def definition(label: str) -> str:
    """The name of the definition a root's label belongs to: `out[s = 0.1]` → `out`."""
    return label.partition("[")[0]


def name_nodes(graph: LabelledGraph) -> Names:
    """Names every node of the graph. The order of the roots does not matter: the next run gives the same names."""
    given: dict[str, list[str]] = {}
    for label, node in sorted(graph.roots.items(), key=lambda root: (root[0] in graph.written, root[0])):
        given.setdefault(node.key, []).append(label)
    for key, labels in graph.labels.items():
        given.setdefault(key, []).extend(sorted(labels))
    by_key = {key: labels[0] for key, labels in given.items() if labels}
    owners = dict(by_key)
    taken = set(by_key.values())
    counts: dict[str, int] = {}
    stack = [node for _, node in sorted(graph.roots.items(), reverse=True)]
    seen: set[str] = set()
    while stack:
        node = stack.pop()
        if node.key in seen:
            continue
        seen.add(node.key)
        for i in node.inputs:
            if i.key not in by_key:
                by_key[i.key] = _fresh(f"{by_key[node.key]}/{i.operation}", taken, counts)
                owners[i.key] = owners[node.key]
        stack.extend(i for i in reversed(node.inputs) if i.key not in seen)
    every = {key: tuple(dict.fromkeys([name, *given.get(key, ())])) for key, name in by_key.items()}
    return Names(by_key, owners, every)


def _fresh(stem: str, taken: set[str], counts: dict[str, int]) -> str:
    name = stem
    while name in taken:
        counts[stem] = counts.get(stem, 1) + 1
        name = f"{stem}#{counts[stem]}"
    taken.add(name)
    return name
