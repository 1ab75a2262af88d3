"""Passes: what is cut off, and how nodes become steps."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from steerlang.graph.node import Node, carried_out_inputs, walk
from steerlang.graph.passes import Step, cut, fuse, model_of, used


def node(name: str, *inputs: Node, operation: str | None = None, group: str | None = None,
         virtual: bool = False) -> Node:
    return Node(operation or name.rstrip("0123456789"), 1, {"name": name}, inputs, "rows", virtual=virtual, group=group)


def names(steps: Sequence[Step]) -> list[list[str]]:
    return [[str(n.options["name"]) for n in s.nodes] for s in steps]


@st.composite
def graphs(draw: st.DrawFn) -> list[Node]:
    """Random graphs of up to 25 nodes with virtual nodes, groups and several models; inputs come before users."""
    nodes: list[Node] = []
    for i in range(draw(st.integers(1, 25))):
        inputs = draw(st.lists(st.sampled_from(nodes), max_size=3)) if nodes else []
        operation = draw(st.sampled_from(["capture", "generate", "metric"]))
        group = draw(st.sampled_from([None, "a:m1", "a:m2", "b:m1", "b"]))
        virtual = draw(st.integers(0, 5)) == 0
        nodes.append(Node(operation, 1, {"i": i}, tuple(inputs), "rows", virtual=virtual, group=group))
    return nodes


def needed_below(node: Node, chosen: set[str]) -> set[str]:
    """Keys among `chosen` that a node needs, at any depth."""
    return {n.key for n in walk([node]) if n.key in chosen and n.key != node.key}


@given(graphs(), st.data())
@settings(max_examples=150, deadline=None)
def test_fuse_carries_out_every_node_once_after_all_it_needs(nodes: list[Node], data: st.DataObject) -> None:
    chosen = [n for n in nodes if not n.virtual and data.draw(st.booleans())]
    steps = fuse(chosen)
    assert sorted(n.key for s in steps for n in s.nodes) == sorted(n.key for n in chosen)
    done: set[str] = set()
    keys = {n.key for n in chosen}
    for step in steps:
        for n in step.nodes:
            assert needed_below(n, keys) <= done
            assert (n.operation, n.group) == (step.operation, step.group)
        assert len(step.nodes) == 1 or step.group is not None
        done.update(n.key for n in step.nodes)


@given(graphs())
@settings(max_examples=100, deadline=None)
def test_groups_are_split_only_where_their_nodes_need_each_other(nodes: list[Node]) -> None:
    """With one group in all, the number of its steps is the longest chain of its members."""
    single = [Node(n.operation, 1, n.options, (), "rows", group="g:m" if n.operation == "capture" else None)
              for n in nodes]
    rebuilt: dict[int, Node] = {}
    at = {n.key: i for i, n in enumerate(nodes)}
    for i, (old, new) in enumerate(zip(nodes, single, strict=True)):
        inputs = tuple(rebuilt[at[x.key]] for x in old.inputs)
        rebuilt[i] = Node(new.operation, 1, new.options, inputs, "rows", group=new.group)
    depth: dict[str, int] = {}
    for n in walk(list(rebuilt.values())):
        below = max((depth[x.key] for x in n.inputs), default=0)
        depth[n.key] = below + (n.group is not None)
    steps = [s for s in fuse(list(rebuilt.values())) if s.group is not None]
    assert len(steps) == max((d for d in depth.values()), default=0)


@given(graphs())
@settings(max_examples=50, deadline=None)
def test_fuse_is_deterministic(nodes: list[Node]) -> None:
    chosen = [n for n in nodes if not n.virtual]
    assert fuse(chosen) == fuse(list(chosen))


def test_captures_on_one_model_become_one_step() -> None:
    data = [node(f"data{i}") for i in range(3)]
    captures = [node(f"capture{i}", data[i], group="capture:base") for i in range(3)]
    vectors = [node(f"icv{i}", captures[i]) for i in range(3)]
    assert names(fuse(walk(vectors))) == [
        ["data0"], ["data1"], ["data2"], ["capture0", "capture1", "capture2"], ["icv0"], ["icv1"], ["icv2"],
    ]


def test_equal_groups_of_different_operations_do_not_mix() -> None:
    nodes = [node("capture1", group="x:m"), node("generate1", group="x:m"), node("capture2", group="x:m")]
    assert names(fuse(nodes)) == [["capture1", "capture2"], ["generate1"]]


def test_complete_groups_go_before_those_that_still_grow() -> None:
    first = node("capture1", group="capture:base")
    text = node("generate1", group="generate:other")
    second = node("capture2", text, group="capture:base")
    assert names(fuse([first, text, second])) == [["generate1"], ["capture1", "capture2"]]


def test_the_model_in_memory_goes_on() -> None:
    nodes = [
        node("capture1", group="capture:m1"), node("capture2", group="capture:m2"),
        node("generate1", group="generate:m2"), node("generate2", group="generate:m1"),
    ]
    assert [s.model for s in fuse(nodes)] == ["m1", "m1", "m2", "m2"]


def test_dependencies_are_seen_through_nodes_that_do_not_run() -> None:
    low = node("low", group="g:m")
    middle = node("middle", node("model", low, virtual=True))
    high = node("high", middle, group="g:m")
    assert names(fuse([high, low])) == [["low"], ["high"]]


def test_model_of_group() -> None:
    assert [model_of(g) for g in (None, "capture", "capture:", "capture:m", "capture:m:x")] == [
        None, None, None, "m", "m:x",
    ]


def test_used_drops_what_no_root_needs() -> None:
    a, b = node("a"), node("b")
    c = node("c", a)
    assert used([c]) == [a, c]
    assert b not in used([c])


@given(graphs(), st.data())
@settings(max_examples=150, deadline=None)
def test_cut_runs_exactly_what_is_needed(nodes: list[Node], data: st.DataObject) -> None:
    stored = {n.key for n in nodes if data.draw(st.booleans())}
    targets = data.draw(st.lists(st.sampled_from(nodes), max_size=3))
    found = cut(targets, stored.__contains__)
    by_key = {n.key: n for n in nodes}
    tops = {i.key for t in targets for i in (carried_out_inputs(t) if t.virtual else [t])}
    assert not found.run & stored
    assert found.read <= stored
    assert tops <= found.run | found.read
    for key in found.run:
        assert all(i.key in found.run | found.read for i in carried_out_inputs(by_key[key]))
    users = tops | {i.key for key in found.run for i in carried_out_inputs(by_key[key])}
    assert found.run | found.read <= users


def test_a_stored_result_makes_its_inputs_unnecessary() -> None:
    a = node("a")
    b = node("b", a)
    c, d = node("c", b), node("d", b)
    assert cut([c, d], {b.key}.__contains__) == (cut([c, d], {b.key, a.key}.__contains__))
    found = cut([c], {b.key}.__contains__)
    assert (found.run, found.read) == ({c.key}, {b.key})


def test_forced_nodes_run_under_stored_results() -> None:
    a = node("a")
    b = node("b", a)
    found = cut([b], {a.key, b.key}.__contains__, forced=[a])
    assert (found.run, found.read) == ({a.key}, {b.key})
