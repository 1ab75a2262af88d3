"""What a long step keeps to go on from: there again after it was stopped, gone once its result is stored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from steerlang.engine.operation import Context, Task
from steerlang.engine.payload import Payload
from steerlang.engine.scheduler import execute
from steerlang.engine.store import Store
from steerlang.graph.node import Node
from steerlang.graph.plan import LabelledGraph

from engine_fakes import node, planned  # isort: skip


class Counting:
    """Counts to ten, one more each time it is let; says where it began."""

    def __init__(self, stop_at: int | None) -> None:
        self.stop_at = stop_at
        self.began = -1

    def run(self, tasks: Sequence[Task], context: Context) -> Iterator[tuple[Node, Payload]]:
        (task,) = tasks
        place = context.unfinished(task.node)
        file = place / "count"
        self.began = count = int(file.read_text()) if file.exists() else 0
        while count < 10:
            if count == self.stop_at:
                raise KeyboardInterrupt
            count += 1
            place.mkdir(parents=True, exist_ok=True)
            file.write_text(str(count))
        yield task.node, Payload("rows", {"total": count})


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store", durable=False)


def test_a_stopped_step_goes_on_where_it_was(store: Store) -> None:
    graph = LabelledGraph({"count": node("count", operation="count")})
    first = Counting(4)
    execute(planned(graph, store), {"count": first}, store)
    assert first.began == 0
    assert [p.name for p in store.layout.unfinished.iterdir()] == [graph.roots["count"].key]
    second = Counting(None)
    results = execute(planned(graph, store), {"count": second}, store)
    assert second.began == 4
    assert results.payload(graph.roots["count"]).meta["total"] == 10
    assert list(store.layout.unfinished.iterdir()) == []


def test_clearing_the_store_removes_it(store: Store) -> None:
    graph = LabelledGraph({"count": node("count", operation="count")})
    execute(planned(graph, store), {"count": Counting(4)}, store)
    cleared = store.gc()
    assert cleared.leftovers == (graph.roots["count"].key,)
    assert list(store.layout.unfinished.iterdir()) == []
