"""Run by `test_crash` in processes of its own: a program of many nodes in the store that the first argument names.

Every execution appends the node's name to the file of the second argument; the third is how long a node takes.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

from steerlang.engine.payload import Payload
from steerlang.engine.scheduler import execute
from steerlang.engine.sinks import ListSink
from steerlang.engine.store import Store
from steerlang.engine.tensors import draft
from steerlang.graph.node import Node, carried_out_inputs
from steerlang.graph.plan import LabelledGraph, make_plan

COUNT = 24


def program() -> LabelledGraph:
    """A source, a group of captures on it, and a node on each of them."""
    source = Node("work", 1, {"name": "source"}, (), "rows")
    captures = [Node("work", 1, {"name": f"capture{i}"}, (source,), "states", group="work:m") for i in range(COUNT)]
    tops = [Node("work", 1, {"name": f"top{i}"}, (c,), "rows") for i, c in enumerate(captures)]
    return LabelledGraph({str(n.options["name"]): n for n in (source, *captures, *tops)})


class Slow:
    def __init__(self, log: str, seconds: float) -> None:
        self.log, self.seconds = log, seconds

    def run(self, tasks, context):  # type: ignore[no-untyped-def]
        for n, task in enumerate(tasks):
            total = 1 + sum(int(task.value(i).meta["total"]) for i in carried_out_inputs(task.node))
            tensors = draft(context.temp, str(n), {"t": ((5000,), np.float32)})
            tensors["t"][:] = total
            time.sleep(self.seconds)
            with open(self.log, "a", encoding="ascii") as file:
                file.write(f"{task.node.options['name']}\n")
            yield task.node, Payload("states", {"total": total}, tensors, ({"n": total},))


def main() -> None:
    root, log, seconds = sys.argv[1:]
    store, sink = Store(Path(root), durable=False), ListSink()
    graph = program()
    results = execute(make_plan(graph, store.view("/p.steer")), {"work": Slow(log, float(seconds))}, store, sink=sink,
                      program="/p.steer")
    expected = {"s": 1, "c": 2, "t": 3}
    right = all(results.payload(n).meta["total"] == expected[label[0]] for label, n in graph.roots.items())
    waited = sum(e.type == "waiting" for e in sink.events)
    sys.stdout.write(f"{results.outcome.value} {right} {len(results.made)} {len(results.cached)} {waited}\n")


if __name__ == "__main__":
    main()
