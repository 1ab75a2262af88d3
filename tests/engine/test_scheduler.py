"""Runs with operations that count: what is carried out, what is kept, what is said when something goes wrong."""

from __future__ import annotations

import errno
import gc
import random
import weakref
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steerlang.diagnostics import codes, error
from steerlang.engine import events as ev
from steerlang.engine import store as store_module
from steerlang.engine.errors import OperationError
from steerlang.engine.operation import Context, Task
from steerlang.engine.outcome import Outcome, RunResults
from steerlang.engine.payload import Payload
from steerlang.engine.scheduler import execute
from steerlang.engine.sinks import ListSink
from steerlang.engine.store import Store
from steerlang.graph.node import Node, carried_out_inputs, walk
from steerlang.graph.plan import LabelledGraph

from engine_fakes import Work, diamond, go, node, planned  # isort: skip


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store", durable=False)


def total(results: RunResults, found: Node) -> Any:
    return results.payload(found).meta["total"]


def labels(nodes: Sequence[Node]) -> list[str]:
    return sorted(str(n.options["name"]) for n in nodes)


def test_a_run_and_its_results(store: Store) -> None:
    graph, work = diamond(), Work()
    results = go(graph, store, work)
    assert results.ok
    assert sorted(work.seen) == ["aside", "left", "low", "right", "top"]
    assert total(results, graph.roots["top"]) == 5
    assert np.array_equal(results.payload(graph.roots["top"]).tensors["t"], [5, 5, 5])
    assert not list(store.layout.temp.iterdir())
    record = store.record(graph.roots["top"].key)
    assert record is not None
    assert (record.labels, record.program) == (("top",), "/p/a.steer")
    assert record.inputs == (graph.roots["left"].key, graph.roots["right"].key)


def test_a_second_run_does_nothing(store: Store) -> None:
    go(diamond(), store, Work())
    work = Work()
    results = go(diamond(), store, work)
    assert (work.seen, results.ok, results.made) == ([], True, ())
    assert labels(results.cached) == ["aside", "left", "low", "right", "top"]
    assert total(results, diamond().roots["top"]) == 5


@pytest.mark.parametrize(("change", "again"), [
    ({"low": 2}, ["left", "low", "right", "top"]), ({"right": 2}, ["right", "top"]), ({}, []),
])
def test_a_changed_option_reruns_exactly_what_depends_on_it(store: Store, change: dict, again: list[str]) -> None:
    go(diamond(), store, Work())
    work = Work()
    go(diamond(**change), store, work)
    assert sorted(work.seen) == again


def test_only_what_a_target_needs(store: Store) -> None:
    work = Work()
    go(diamond(), store, work, targets=["left"])
    assert work.seen == ["low", "left"]
    store.quarantine(diamond().roots["low"].key)
    go(diamond(), store, work, targets=["left"])
    assert work.seen == ["low", "left"]


def test_groups_run_in_one_call(store: Store) -> None:
    low = node("low")
    graph = LabelledGraph({f"out[s = {i}]": node(f"n{i}", low, group="g:m") for i in range(4)})
    work = Work()
    go(graph, store, work)
    assert work.steps == [["low"], ["n0", "n1", "n2", "n3"]]


def test_the_rest_of_a_group_runs_when_some_are_stored(store: Store) -> None:
    def graph(n: int) -> LabelledGraph:
        return LabelledGraph({f"out[s = {i}]": node(f"n{i}", group="g:m") for i in range(n)})

    go(graph(2), store, Work())
    work = Work()
    go(graph(4), store, work)
    assert work.steps == [["n2", "n3"]]


def stop_at(name: str, raised: BaseException) -> Callable[[Node], None]:
    def trouble(n: Node) -> None:
        if n.options["name"] == name:
            raise raised

    return trouble


def test_an_interrupted_run_keeps_what_is_done_and_goes_on(store: Store) -> None:
    graph = LabelledGraph({f"out[s = {i}]": node(f"n{i}", group="g:m") for i in range(5)})
    work = Work(stop_at("n3", KeyboardInterrupt()))
    results = go(graph, store, work)
    assert results.outcome is Outcome.INTERRUPTED
    assert (labels(results.made), labels(results.skipped)) == (["n0", "n1", "n2"], ["n3", "n4"])
    [diagnostic] = results.diagnostics
    assert diagnostic.code is codes.INTERRUPTED
    assert diagnostic.notes == ("kept: out[s = 0], out[s = 1], out[s = 2]",)
    assert not list(store.verify())
    assert not list(store.layout.temp.iterdir())
    again = Work()
    assert go(graph, store, again).ok
    assert again.steps == [["n3", "n4"]]


def test_an_interruption_while_a_result_is_written(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(store_module, "write_record", interrupted)
        results = go(diamond(), store, Work())
    assert results.outcome is Outcome.INTERRUPTED
    assert (results.made, list(store.layout.temp.iterdir())) == ((), [])
    assert go(diamond(), store, Work()).ok


class OutOfMemoryError(RuntimeError):
    """As torch's is called."""


def told() -> OperationError:
    return OperationError(error(codes.NON_FINITE, None, "NaN in layer 3", place="x"))


@pytest.mark.parametrize(("raised", "code"), [
    (told(), "SL802"), (MemoryError(), "SL801"), (OutOfMemoryError("CUDA"), "SL801"),
    (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), "SL801"),
    (OSError(errno.ENOSPC, "No space left on device"), "SL511"), (ZeroDivisionError("x / 0"), "SL900"),
    (OSError(errno.EFBIG, "File too large"), "SL806"), (OSError(errno.EIO, "Input/output error"), "SL806"),
    (RuntimeError("shapes differ"), "SL900"), (StopIteration(), "SL900"), (FileNotFoundError(2, "gone", "f"), "SL900"),
], ids=lambda v: v if isinstance(v, str) else type(v).__name__)
def test_what_failures_are_called(store: Store, raised: BaseException, code: str) -> None:
    sink = ListSink()
    results = go(diamond(), store, Work(stop_at("right", raised)), sink=sink)
    assert results.outcome is Outcome.FAILED
    [failure] = results.failures
    assert (failure.diagnostic.code.id, labels(failure.nodes)) == (code, ["right"])
    assert "trouble" in failure.traceback
    assert labels((*results.made, *results.skipped)) == ["aside", "left", "low", "top"]
    assert "top" in labels(results.skipped)
    failed = [e for e in sink.events if isinstance(e, ev.NodeFailed)]
    assert [(e.label, e.code) for e in failed] == [("right", code)]
    assert isinstance(sink.events[-1], ev.Summary)
    assert sink.events[-1].outcome == "failed"
    if code == "SL900":
        assert "right" in failure.diagnostic.message
    work = Work()
    assert go(diamond(), store, work).ok
    assert sorted(work.seen) == sorted({"aside", "left", "low", "right", "top"} - set(labels(results.made)))


def wide() -> LabelledGraph:
    """Two chains a → b and c → d beside each other."""
    a, c = node("a"), node("c")
    return LabelledGraph({"a": a, "b": node("b", a), "c": c, "d": node("d", c)})


def test_a_failure_ends_the_run(store: Store) -> None:
    work = Work(stop_at("a", told()))
    results = go(wide(), store, work)
    assert (work.seen, labels(results.skipped)) == ([], ["b", "c", "d"])


def test_keep_going_skips_only_dependents(store: Store) -> None:
    work = Work(stop_at("a", told()))
    results = go(wide(), store, work, keep_going=True)
    assert (work.seen, labels(results.made), labels(results.skipped)) == (["c", "d"], ["c", "d"], ["b"])
    assert results.outcome is Outcome.FAILED


def test_keep_going_looks_through_virtual_nodes(store: Store) -> None:
    a = node("a")
    b = node("b", node("model", a, virtual=True))
    results = go(LabelledGraph({"b": b, "c": node("c")}), store, Work(stop_at("a", told())), keep_going=True)
    assert (labels(results.made), labels(results.skipped)) == (["c"], ["b"])


def test_a_group_keeps_what_came_before_its_failure(store: Store) -> None:
    members = [node(f"n{i}", group="g:m") for i in range(3)]
    tops = {f"t{i}": node(f"t{i}", m) for i, m in enumerate(members)}
    results = go(LabelledGraph(tops), store, Work(stop_at("n1", told())), keep_going=True)
    assert labels(results.made) == ["n0", "t0"]
    assert labels(results.failures[0].nodes) == ["n1", "n2"]
    assert labels(results.skipped) == ["t1", "t2"]


def test_a_full_disk_ends_the_run_even_with_keep_going(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(store_module, "write_payload", full)
    work = Work()
    results = go(wide(), store, work, keep_going=True)
    assert [f.diagnostic.code.id for f in results.failures] == ["SL511"]
    assert (len(work.seen), len(results.skipped)) == (1, 3)
    assert not list(store.layout.temp.iterdir())


def test_a_store_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "f").touch()
    results = go(diamond(), Store(tmp_path / "f"), Work())
    assert [f.diagnostic.code.id for f in results.failures] == ["SL510"]
    assert str(tmp_path / "f") in results.failures[0].diagnostic.message


@pytest.mark.parametrize("name", ["low", "left", "top"])
@pytest.mark.parametrize("file", ["record.json", "meta.json", "tensors.safetensors"])
def test_damaged_results_are_made_again_when_they_are_needed(store: Store, name: str, file: str) -> None:
    graph = diamond()
    go(graph, store, Work())
    path = store.layout.object(graph.roots[name].key) / file
    path.write_bytes(path.read_bytes()[:-1] + b"~")
    work = Work()
    bigger = LabelledGraph({**graph.roots, "more": node("more", graph.roots[name])})
    results = go(bigger, store, work)
    assert results.ok
    assert sorted(work.seen) == sorted([name, "more"])
    assert total(results, graph.roots["top"]) == 5
    assert not list(store.verify())


def test_a_damage_that_planning_cannot_see_is_told(store: Store) -> None:
    graph = diamond()
    go(graph, store, Work())
    path = store.layout.object(graph.roots["top"].key) / "meta.json"
    path.write_bytes(path.read_bytes().replace(b'"total":5', b'"total":6'))
    assert planned(graph, store).nothing_to_do
    sink, work = ListSink(), Work()
    results = go(graph, store, work, sink=sink)
    assert (work.seen, total(results, graph.roots["top"])) == (["top"], 5)
    [note] = results.notes
    assert "the stored result of `top` is damaged and is made again" in note.message
    assert not note.is_error
    assert any(isinstance(e, ev.DiagnosticEvent) for e in sink.events)


def vanishing(store: Store, during: str, *gone: str) -> Callable[[Node], None]:
    """Makes stored results of the diamond vanish while a node is carried out."""
    def trouble(n: Node) -> None:
        if n.options["name"] == during:
            for name in gone:
                store.quarantine(diamond().roots[name].key)

    return trouble


def test_results_that_vanish_before_they_are_read_are_made_again(store: Store) -> None:
    go(diamond(), store, Work(), targets=["left"])
    work = Work(vanishing(store, "right", "left"))
    results = go(diamond(), store, work, targets=["top"])
    assert (work.seen, results.ok) == (["right", "left", "top"], True)
    assert total(results, diamond().roots["top"]) == 5


def test_a_result_that_vanishes_just_when_it_is_read(store: Store) -> None:
    go(diamond(), store, Work(), targets=["left"])
    results = go(diamond(), store, Work(vanishing(store, "right", "low")), targets=["top"])
    assert [f.diagnostic.code.id for f in results.failures] == ["SL806"]
    assert go(diamond(), store, Work(), targets=["top"]).ok


def test_forced_nodes_run_and_dependents_stay_when_nothing_changed(store: Store) -> None:
    go(diamond(), store, Work())
    work = Work()
    results = go(diamond(), store, work, force=["low"])
    assert (work.seen, results.ok) == (["low"], True)


def test_dependents_of_a_forced_node_run_when_its_result_changed(store: Store) -> None:
    go(diamond(), store, Work())
    work = Work(salt=10)
    results = go(diamond(), store, work, force=["low"])
    assert sorted(work.seen) == ["left", "low", "right", "top"]
    assert total(results, diamond().roots["top"]) == 55
    assert go(diamond(), store, Work()).made == ()


def test_a_damaged_result_above_a_forced_node_is_made_again(store: Store) -> None:
    graph = diamond()
    go(graph, store, Work())
    path = store.layout.object(graph.roots["top"].key) / "meta.json"
    path.write_bytes(path.read_bytes().replace(b'"total":5', b'"total":6'))
    work = Work()
    results = go(graph, store, work, force=["low"])
    assert (work.seen, results.ok, total(results, graph.roots["top"])) == (["low", "top"], True, 5)


class Broken:
    """Operations that break their promise."""

    def __init__(self, how: str) -> None:
        self.how = how

    def run(self, tasks: Sequence[Task], context: Context) -> Iterator[tuple[Node, Payload]]:
        result = Payload("rows", {"total": 1})
        if self.how == "stranger":
            yield node("stranger"), result
        elif self.how == "twice":
            yield tasks[0].node, result
            yield tasks[0].node, result
        elif self.how == "peeks":
            tasks[0].value(node("stranger"))
        elif self.how == "not json":
            yield tasks[0].node, Payload("rows", {"total": {1}})  # type: ignore[dict-item]


@pytest.mark.parametrize("how", ["stranger", "twice", "nothing", "peeks", "not json"])
def test_operations_are_checked(store: Store, how: str) -> None:
    graph = LabelledGraph({"a": node("a")})
    results = execute(planned(graph, store), {"work": Broken(how)}, store)
    assert [f.diagnostic.code.id for f in results.failures] == ["SL900"]
    assert not list(store.verify())
    assert not list(store.layout.temp.iterdir())


def test_an_unknown_operation(store: Store) -> None:
    results = execute(planned(diamond(), store), {}, store)
    assert "nothing carries out the operation `work`" in results.failures[0].diagnostic.message


def test_operations_see_what_they_are_given(store: Store) -> None:
    seen: dict[str, Any] = {}

    class Look:
        def run(self, tasks: Sequence[Task], context: Context) -> Iterator[tuple[Node, Payload]]:
            seen["resources"], seen["folder"] = context.resources, context.temp
            (context.temp / "scratch").write_text("x")
            for i in range(1000):
                context.progress(i, 1000, "rows")
            context.progress(1000, 1000, "rows")
            context.events.emit(ev.ArtifactWritten(label="a", path="out", bytes=1))
            yield tasks[0].node, Payload("rows", {"pair": (1, 2)})  # type: ignore[dict-item]

    sink = ListSink()
    graph = LabelledGraph({"a": node("a")})
    results = execute(planned(graph, store), {"work": Look()}, store, {"device": "cpu"}, sink)
    assert seen["resources"] == {"device": "cpu"}
    assert store.root in seen["folder"].parents
    assert not seen["folder"].exists()
    assert results.payload(graph.roots["a"]).meta == {"pair": [1, 2]}
    progress = [e for e in sink.events if isinstance(e, ev.StepProgress)]
    assert progress[-1].done == 1000
    assert len(progress) < 50
    assert [e.type for e in sink.events if e.type != "step_progress"] == [
        "plan", "step_start", "artifact", "node_done", "step_done", "summary",
    ]


def test_values_are_let_go_after_their_last_use(store: Store) -> None:
    """Of a chain, no more than the value in use is alive when a step begins."""
    alive: list[weakref.ref[Payload]] = []
    most = 0

    class Watch(Work):
        def run(self, tasks: Sequence[Task], context: Context) -> Iterator[tuple[Node, Payload]]:
            nonlocal most
            gc.collect()
            for task in tasks:
                alive.extend(weakref.ref(task.value(i)) for i in carried_out_inputs(task.node))
            most = max(most, sum(r() is not None for r in alive))
            yield from super().run(tasks, context)

    top = node("n0")
    for i in range(1, 8):
        top = node(f"n{i}", top)
    assert go(LabelledGraph({"top": top}), store, Watch()).ok
    assert most == 1


@st.composite
def programs(draw: st.DrawFn) -> list[Node]:
    nodes: list[Node] = []
    for i in range(draw(st.integers(1, 12))):
        inputs = draw(st.lists(st.sampled_from(nodes), max_size=3, unique=True)) if nodes else []
        group = draw(st.sampled_from([None, "a:m1", "b:m2"]))
        nodes.append(node(f"n{i}", *inputs, group=group, add=draw(st.integers(0, 3))))
    return nodes


@given(programs(), st.randoms(use_true_random=False))
@settings(max_examples=25, deadline=None)
def test_runs_that_fail_anywhere_end_in_the_same_results(
    tmp_path_factory: pytest.TempPathFactory, nodes: list[Node], chance: random.Random
) -> None:
    """Failures, interruptions, damage and losses between runs: each time the next run completes, each node right."""
    store = Store(tmp_path_factory.mktemp("s"), durable=False)
    graph = LabelledGraph({str(n.options["name"]): n for n in nodes})

    def trouble(_: Node) -> None:
        draw = chance.random()
        if draw < 0.2:
            raise KeyboardInterrupt if draw < 0.1 else ValueError("bad luck")

    for _ in range(3):
        results = go(graph, store, Work(trouble), keep_going=chance.random() < 0.5)
        known = {n.key for n in (*results.made, *results.cached, *results.skipped)}
        assert known | {n.key for f in results.failures for n in f.nodes} == {n.key for n in nodes}
        victim = store.layout.object(chance.choice(nodes).key) / chance.choice(["meta.json", "record.json"])
        if victim.exists():
            victim.write_bytes(victim.read_bytes()[:-5])
    results = go(graph, store, Work())
    assert results.ok
    expected: dict[str, int] = {}
    for n in walk(nodes):
        expected[n.key] = int(n.options["add"]) + sum(expected[i.key] for i in n.inputs)  # type: ignore[arg-type]
    assert {n.key: total(results, n) for n in nodes} == expected
    assert not list(store.verify())


def test_a_broken_pipe_costs_no_results(store: Store) -> None:
    class Closed(ListSink):
        def emit(self, event: ev.Event) -> None:
            super().emit(event)
            if len(self.events) == 4:
                raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    sink = Closed()
    results = go(diamond(), store, Work(), sink=sink)
    assert (results.ok, len(results.made), len(sink.events)) == (True, 5, 4)
    assert isinstance(results.muted, BrokenPipeError)


def test_the_caller_may_end_the_events_itself(store: Store) -> None:
    sink = ListSink()
    results = go(diamond(), store, Work(), sink=sink, final=False)
    assert not any(isinstance(e, ev.Summary) for e in sink.events)
    summary = results.summary(expectations=3)
    assert (summary.done, summary.outcome, summary.document()["extra"]) == (5, "done", {"expectations": 3})


def test_within_a_group_values_are_let_go_node_by_node(store: Store) -> None:
    lows = [node(f"low{i}") for i in range(5)]
    graph = LabelledGraph({f"t{i}": node(f"top{i}", low, group="g:m") for i, low in enumerate(lows)})
    alive: list[weakref.ref[Payload]] = []
    counts: list[int] = []

    class Watch(Work):
        def run(self, tasks: Sequence[Task], context: Context) -> Iterator[tuple[Node, Payload]]:
            for task in tasks:
                for i in carried_out_inputs(task.node):
                    alive.append(weakref.ref(task.value(i)))
                gc.collect()
                counts.append(sum(r() is not None for r in alive))
                yield task.node, Payload("rows", {"total": 1})

    assert go(graph, store, Watch()).ok
    assert max(counts) == 1


def test_values_of_failed_nodes_are_let_go(store: Store) -> None:
    low = node("a")
    alive: list[weakref.ref[Payload]] = []
    later: list[bool] = []

    class Fail(Work):
        def run(self, tasks: Sequence[Task], context: Context) -> Iterator[tuple[Node, Payload]]:
            name = tasks[0].node.options["name"]
            if name == "b":
                alive.append(weakref.ref(tasks[0].value(low)))
                raise told()
            if name == "d":
                gc.collect()
                later.extend(r() is not None for r in alive)
            yield from super().run(tasks, context)

    results = go(LabelledGraph({"b": node("b", low), "d": node("d", node("c"))}), store, Fail(), keep_going=True)
    assert labels(results.made) == ["a", "c", "d"]
    assert later == [False]


def test_a_large_number_of_payloads_keeps_few_files_open(store: Store) -> None:
    lows = [node(f"low{i}") for i in range(300)]
    opened = 0

    class Open(Work):
        def run(self, tasks: Sequence[Task], context: Context) -> Iterator[tuple[Node, Payload]]:
            nonlocal opened
            if tasks[0].node.options["name"] != "top":
                yield from super().run(tasks, context)
                return
            kept = [tasks[0].value(i).tensors["t"] for i in lows]
            folder = Path("/proc/self/fd")
            opened = len(list(folder.iterdir())) if folder.is_dir() else 0
            yield tasks[0].node, Payload("rows", {"total": len(kept)})

    results = go(LabelledGraph({"top": node("top", *lows)}), store, Open())
    assert results.ok
    assert opened < 100
