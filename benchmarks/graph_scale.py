"""How planning and the store scale: a graph of 10,000 nodes, first new, then cached, then with one option changed.

    python benchmarks/graph_scale.py [NODES]

Times are compared with the least work there is in each case: hashing the nodes' keys, and asking the file system
for one file a node.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from steerlang.engine.payload import Payload
from steerlang.engine.record import record_of
from steerlang.engine.store import Store
from steerlang.graph.node import Node
from steerlang.graph.plan import LabelledGraph, Plan, make_plan, plan_document


def program(nodes: int, layers: int) -> LabelledGraph:
    """A sweep: for each point two captures in a common group, a vector, a steered model, a generation, a metric."""
    base = Node("hf", 1, {"digest": "a" * 64}, (), "model", virtual=True)
    data = Node("jsonl", 1, {"digest": "b" * 64}, (), "rows")
    roots: dict[str, Node] = {"base": base, "data": data}
    for i in range(nodes // 5):
        pair = tuple(
            Node("capture", 1, {"layers": list(range(layers)), "column": c, "point": i}, (base, data), "states",
                 group="capture:base")
            for c in ("source", "target")
        )
        vector = Node("icv", 1, {}, pair, "vector")
        steered = Node("apply", 1, {"scale": 0.1}, (base, vector), "model", virtual=True)
        out = Node("generate", 1, {"max_new_tokens": 32}, (steered, data), "samples", group="generate:base")
        roots[f"share[s = {i}]"] = Node("word_share", 1, {}, (out,), "metric")
    return LabelledGraph(roots)


def timed(name: str, act: Callable[[], Any]) -> Any:
    started = time.perf_counter()
    result = act()
    print(f"{name:48} {time.perf_counter() - started:8.3f} s")
    return result


def fill(store: Store, plan: Plan) -> None:
    for entry in plan.entries:
        store.put(entry.node.key, Payload("rows", {"x": 1.0}), record_of(entry.node))
    store.write_history("/p.steer", plan.history({e.node.key for e in plan.entries}, {}))


def main() -> None:
    nodes = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder), durable=False)
        view = store.view("/p.steer")
        graph = timed(f"build and key {nodes} nodes", lambda: program(nodes, 16))
        plan = timed("plan, everything new", lambda: make_plan(graph, view))
        print(f"{'':48} {len(plan.entries)} nodes in {len(plan.steps)} steps")
        timed("plan document", lambda: plan_document(plan))
        timed("store every result", lambda: fill(store, plan))
        timed("one stat a node", lambda: [os.stat(store.layout.object(e.node.key)) for e in plan.entries])
        timed("plan, everything cached", lambda: make_plan(graph, view))
        changed = program(nodes, 24)
        again = timed("plan, one option changed everywhere", lambda: make_plan(changed, view))
        print(f"{'':48} {again.entries[-1].label}: {again.entries[-1].reason}")
        durable = Store(Path(folder) / "durable")
        one = plan.entries[:50]
        spent = time.perf_counter()
        for entry in one:
            durable.put(entry.node.key, Payload("rows", {"x": 1.0}), record_of(entry.node))
        print(f"{'one result written through to the disk':48} {(time.perf_counter() - spent) / len(one):8.4f} s")


if __name__ == "__main__":
    main()
