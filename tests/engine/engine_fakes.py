"""Small graphs and operations that count how often they carry something out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from steerlang.engine.operation import Context, Task
from steerlang.engine.payload import Payload
from steerlang.engine.record import Record
from steerlang.engine.scheduler import execute
from steerlang.engine.store import Store
from steerlang.graph.node import Node, carried_out_inputs
from steerlang.graph.plan import LabelledGraph, Plan, make_plan


def key(name: object) -> str:
    return hashlib.sha256(str(name).encode()).hexdigest()


def node(name: str, *inputs: Node, operation: str = "work", group: str | None = None, virtual: bool = False,
         **options: object) -> Node:
    return Node(operation, 1, {"name": name, **options}, inputs, "rows", virtual=virtual, group=group)  # type: ignore[arg-type]


def payload(seed: int = 0, size: int = 100) -> Payload:
    random = np.random.default_rng(seed)
    tensors = {"a": random.normal(size=(size, 3)).astype(np.float32), "b": np.arange(seed, seed + 4)}
    return Payload("states", {"seed": seed, "unit": "raw"}, tensors, ({"text": "größe 🙂"}, {"n": seed, "x": 0.1}))


def record(name: str, **rest: object) -> Record:
    return Record(key(name), "work", 1, **rest)  # type: ignore[arg-type]


def same(one: Payload, other: Payload) -> bool:
    return (
        (one.kind, dict(one.meta), one.rows) == (other.kind, dict(other.meta), other.rows)
        and set(one.tensors) == set(other.tensors)
        and all(np.array_equal(one.tensors[n], other.tensors[n]) and one.tensors[n].dtype == other.tensors[n].dtype
                for n in one.tensors)
    )


@dataclass
class Work:
    """Gives each node the sum of its inputs' values plus its own option `add`; `trouble` may raise for a node."""

    trouble: Callable[[Node], None] = lambda _: None
    seen: list[str] = field(default_factory=list)
    steps: list[list[str]] = field(default_factory=list)
    salt: int = 0

    def run(self, tasks: Sequence[Task], context: Context) -> Iterator[tuple[Node, Payload]]:
        self.steps.append([str(t.node.options["name"]) for t in tasks])
        for n, task in enumerate(tasks):
            self.trouble(task.node)
            total = sum(int(task.value(i).meta["total"]) for i in carried_out_inputs(task.node))  # type: ignore[arg-type]
            self.seen.append(str(task.node.options["name"]))
            own = int(task.node.options.get("add", 1)) + self.salt  # type: ignore[arg-type]
            context.progress(n + 1, len(tasks), "nodes")
            yield task.node, Payload("rows", {"total": total + own}, {"t": np.full(3, total + own)})


def diamond(low: int = 1, right: int = 1) -> LabelledGraph:
    """top ← (left, right) ← low, and `aside`, which nothing else needs."""
    bottom = node("low", add=low)
    left, middle = node("left", bottom), node("right", bottom, add=right)
    return LabelledGraph({"low": bottom, "left": left, "right": middle, "top": node("top", left, middle),
                          "aside": node("aside")})


def planned(graph: LabelledGraph, store: Store, **options: object) -> Plan:
    return make_plan(graph, store.view("/p/a.steer"), **options)  # type: ignore[arg-type]


def go(graph: LabelledGraph, store: Store, work: Work, **options: object):  # type: ignore[no-untyped-def]
    """Plans and runs a graph."""
    kept = {k: options.pop(k) for k in ("force", "targets") if k in options}
    plan = planned(graph, store, **kept)
    return execute(plan, {"work": work}, store, program="/p/a.steer", **options)  # type: ignore[arg-type]
