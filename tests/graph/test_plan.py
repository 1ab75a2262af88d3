"""Plans: what runs, why, and what the plan document says."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from steerlang.graph.naming import definition, name_nodes
from steerlang.graph.node import Node, walk
from steerlang.graph.plan import Cost, LabelledGraph, Plan, make_plan, plan_document
from steerlang.graph.reasons import Past, differences, show
from steerlang.source import Source, Span


@dataclass
class FakeStore:
    keys: set[str] = field(default_factory=set)
    past: Mapping[str, Past] = field(default_factory=dict)

    def has(self, key: str) -> bool:
        return key in self.keys

    def history(self) -> Mapping[str, Past]:
        return self.past


def courtesy(**change: Any) -> LabelledGraph:
    """The first program of the design page in small, with any of its options changed."""
    o = {"digest": "a" * 64, "columns": ["rude", "polite"], "layers": list(range(8, 17)), "scale": 0.1, "version": 3,
         "method": "icv", "tokens": "last", "path": "data/manners.jsonl", "requests": "b" * 64, "max_new_tokens": 32}
    unknown = change.keys() - o.keys()
    assert not unknown, unknown
    o.update(change)
    base = Node("hf", 1, {"digest": "c" * 64}, (), "model", virtual=True)
    manners = Node("jsonl", 1, {"digest": o["digest"], "columns": o["columns"]}, (), "rows")
    requests = Node("lines", 1, {"digest": o["requests"]}, (), "rows")
    captures = tuple(
        Node("capture", 1, {"layers": o["layers"], "tokens": o["tokens"], "column": c}, (base, manners), "states",
             group=f"capture:{base.key[:8]}")
        for c in ("source", "target")
    )
    polite = Node(o["method"], o["version"], {}, captures, "vector")
    kind = Node("apply", 1, {"actions": [{"kind": "rotate", "scale": o["scale"]}]}, (base, polite), "model",
                virtual=True)
    replies = Node("generate", 1, {"max_new_tokens": o["max_new_tokens"]}, (kind, requests), "samples")
    share = Node("word_share", 1, {"words": ["please"]}, (replies,), "metric")
    roots = {"base": base, "manners": manners, "polite": polite, "kind": kind, "replies": replies, "politeness": share}
    sources = {manners.key: o["path"], requests.key: "data/requests.txt"}
    return LabelledGraph(roots, sources=sources)


def ran(graph: LabelledGraph) -> FakeStore:
    """The store after a complete run of a graph."""
    plan = make_plan(graph, FakeStore())
    keys = {e.node.key for e in plan.entries}
    return FakeStore(keys, plan.history(keys, {}))


def reasons(plan: Plan, needed: bool = True) -> dict[str, str]:
    return {e.label: str(e.reason) for e in plan.entries if e.needed or not needed}


def test_everything_is_new_at_first_and_captures_share_a_step() -> None:
    plan = make_plan(courtesy(), FakeStore())
    assert set(reasons(plan).values()) == {"new"}
    assert all(e.run for e in plan.entries)
    assert [len(s.nodes) for s in plan.steps if s.operation == "capture"] == [2]


def test_nothing_runs_twice() -> None:
    graph = courtesy()
    plan = make_plan(graph, ran(graph))
    assert plan.nothing_to_do
    assert set(reasons(plan).values()) == {"cached"}


DOWN = {"replies": "input changed: kind", "politeness": "input changed: replies"}
CAPTURES = ("polite/capture", "polite/capture#2")


@pytest.mark.parametrize(("change", "expected"), [
    ({"layers": list(range(8, 21))},
     {**dict.fromkeys((*CAPTURES, "polite"), "recipe changed: layers 8..16 → 8..20"), **DOWN}),
    ({"layers": [3], "tokens": "mean"},
     {**dict.fromkeys((*CAPTURES, "polite"), "recipe changed: layers 8..16 → [3], tokens last → mean"), **DOWN}),
    ({"digest": "d" * 64},
     {**dict.fromkeys(("manners", *CAPTURES, "polite"), "input changed: data/manners.jsonl"), **DOWN}),
    ({"columns": ["rude", "kind"]},
     {"manners": "recipe changed: columns [rude, polite] → [rude, kind]",
      **dict.fromkeys((*CAPTURES, "polite"), "input changed: manners"), **DOWN}),
    ({"version": 4}, {"polite": "operation version 3 → 4", **DOWN}),
    ({"method": "pca"}, {"polite": "recipe changed: operation icv → pca", **DOWN}),
    ({"scale": 0.2}, {**DOWN, "replies": "input changed: kind (actions.scale 0.1 → 0.2)"}),
    ({"requests": "e" * 64}, {
        "replies/lines": "input changed: data/requests.txt", "replies": "input changed: data/requests.txt",
        "politeness": "input changed: replies"}),
    ({"max_new_tokens": 48},
     {"replies": "recipe changed: max_new_tokens 32 → 48", "politeness": "input changed: replies"}),
    ({"scale": 0.2, "requests": "e" * 64}, {
        "replies/lines": "input changed: data/requests.txt",
        "replies": "input changed: kind (actions.scale 0.1 → 0.2), data/requests.txt",
        "politeness": "input changed: replies"}),
    ({"path": "elsewhere/manners.jsonl"}, {}),
], ids=lambda v: ",".join(v) if isinstance(v, dict) else None)
def test_reasons(change: dict[str, Any], expected: dict[str, str]) -> None:
    plan = make_plan(courtesy(**change), ran(courtesy()))
    running = {e.label: str(e.reason) for e in plan.entries if e.run}
    assert running == expected
    assert all(str(e.reason) == "cached" for e in plan.entries if not e.run)
    assert sorted(n.key for s in plan.steps for n in s.nodes) == sorted(e.node.key for e in plan.entries if e.run)


def test_an_unnamed_model_is_looked_through() -> None:
    def graph(scale: float) -> LabelledGraph:
        named = courtesy(scale=scale).roots
        return LabelledGraph({"politeness": named["politeness"]})

    plan = make_plan(graph(0.2), ran(graph(0.1)))
    assert {e.label: str(e.reason) for e in plan.entries if e.run} == {
        "politeness/generate": "recipe changed: actions.scale 0.1 → 0.2",
        "politeness": "recipe changed: actions.scale 0.1 → 0.2",
    }


def test_missing_artifact_when_it_ran_with_this_very_key() -> None:
    graph = courtesy()
    store = ran(graph)
    store.keys.discard(graph.roots["replies"].key)
    store.keys.discard(graph.roots["politeness"].key)
    plan = make_plan(graph, store)
    assert {e.label: str(e.reason) for e in plan.entries if e.run} == {
        "replies": "missing artifact", "politeness": "missing artifact",
    }


def test_a_renamed_definition_whose_result_is_gone_is_missing_and_not_new() -> None:
    graph = courtesy()
    store = ran(graph)
    store.keys.clear()
    renamed = replace(graph, roots={k.replace("polite", "courteous"): v for k, v in graph.roots.items()})
    assert set(reasons(make_plan(renamed, store)).values()) == {"missing artifact"}


def test_a_new_definition_beside_old_ones_is_new() -> None:
    old = courtesy()
    extra = Node("perplexity", 1, {}, (old.roots["replies"],), "metric")
    plan = make_plan(replace(old, roots={**old.roots, "fluency": extra}), ran(old))
    assert {e.label: str(e.reason) for e in plan.entries if e.run} == {"fluency": "new"}


def test_what_a_stored_result_needs_is_not_made_again() -> None:
    graph = courtesy()
    store = ran(graph)
    store.keys = {graph.roots["polite"].key}
    plan = make_plan(graph, store, targets=["replies"])
    assert {e.label: e.needed for e in plan.entries} == {
        "manners": False, "polite/capture": False, "polite/capture#2": False, "polite": True, "replies/lines": True,
        "replies": True,
    }
    assert [e.label for e in plan.entries if e.run] == ["replies/lines", "replies"]


def test_targets_leave_the_rest_out() -> None:
    plan = make_plan(courtesy(), FakeStore(), targets=["polite"])
    assert {e.label for e in plan.entries} == {"manners", *CAPTURES, "polite"}
    assert make_plan(courtesy(), FakeStore(), targets=[]).nothing_to_do


def test_a_virtual_target_needs_what_it_is_made_of() -> None:
    plan = make_plan(courtesy(), FakeStore(), targets=["kind"])
    assert {e.label for e in plan.entries if e.run} == {"manners", *CAPTURES, "polite"}


def test_sweep_points_are_chosen_by_label_or_all_by_name() -> None:
    points = {f"out[s = {s}]": Node("generate", 1, {"s": s}, (), "samples", group="generate:m") for s in (0.0, 0.1)}
    graph = LabelledGraph(points)
    assert [len(s.nodes) for s in make_plan(graph, FakeStore(), targets=["out"]).steps] == [2]
    assert [len(s.nodes) for s in make_plan(graph, FakeStore(), targets=["out[s = 0.1]"]).steps] == [1]
    with pytest.raises(LookupError, match=r"no definition is called out\[s = 0.2\]"):
        make_plan(graph, FakeStore(), targets=["out[s = 0.2]"])


def test_forced_definitions_run_with_their_inner_nodes_and_nothing_else() -> None:
    graph = courtesy()
    plan = make_plan(graph, ran(graph), force=["polite"])
    running = {e.label: str(e.reason) for e in plan.entries if e.run}
    assert running == dict.fromkeys((*CAPTURES, "polite"), "forced")
    with pytest.raises(LookupError):
        make_plan(graph, ran(graph), force=["nobody"])


def test_after_a_failure_the_next_plan_still_says_what_changed() -> None:
    old, new = courtesy(), courtesy(layers=[1, 2])
    store = ran(old)
    plan = make_plan(new, store)
    made = {e.node.key for e in plan.entries if e.node.operation in {"capture", "jsonl", "lines"}}
    store.keys |= made
    store.past = plan.history(made, store.past)
    again = make_plan(new, store)
    assert {e.label: str(e.reason) for e in again.entries if e.run} == {
        "polite": "recipe changed: layers 8..16 → 1..2", **DOWN,
    }


def test_history_forgets_labels_that_the_program_lost() -> None:
    graph = courtesy()
    store = ran(graph)
    smaller = replace(graph, roots={k: v for k, v in graph.roots.items() if k != "politeness"})
    plan = make_plan(smaller, store)
    assert "politeness" not in plan.history(set(), store.past)
    assert "replies" in plan.history(set(), store.past)


def test_names_do_not_depend_on_the_order_of_definitions() -> None:
    graph = courtesy()
    backwards = replace(graph, roots=dict(reversed(list(graph.roots.items()))))
    assert name_nodes(graph) == name_nodes(backwards)


def test_two_names_for_one_node_are_both_remembered() -> None:
    one = Node("op", 1, {"a": 1}, (), "rows")
    both = LabelledGraph({"x": one, "y": one})
    store = ran(both)
    changed = LabelledGraph({"x": one, "y": Node("op", 1, {"a": 2}, (), "rows")})
    assert reasons(make_plan(changed, store)) == {"x": "cached", "y": "recipe changed: a 1 → 2"}


def test_a_long_chain_of_unnamed_nodes() -> None:
    def chain(first: int) -> LabelledGraph:
        top = Node("n", 1, {"first": first}, (), "rows")
        for i in range(3000):
            top = Node("n", 1, {"i": i}, (top,), "rows")
        return LabelledGraph({"top": top})

    plan = make_plan(chain(2), ran(chain(1)))
    assert set(reasons(plan).values()) == {"recipe changed: first 1 → 2"}
    assert len(plan.steps) == 3001


def test_the_span_of_an_inner_node_is_that_of_its_definition() -> None:
    text = Source("a.steer", "vector polite = …")
    graph = replace(courtesy(), spans={"polite": Span(text, 7, 13)})
    plan = make_plan(graph, FakeStore())
    spans = {e.label: plan.span(e.node) for e in plan.entries}
    assert spans["polite/capture"] == Span(text, 7, 13)
    assert spans["replies"] is None
    assert definition("out[s = 0.1]") == "out"


def test_the_plan_document_is_plain_json_and_the_same_every_time() -> None:
    graph = courtesy()
    costs = {graph.roots["replies"].key: Cost(tokens=1200, bytes=4096, note="2 models")}
    store = ran(courtesy(max_new_tokens=8))
    document = plan_document(make_plan(graph, store), costs)
    text = json.dumps(document, allow_nan=False)
    assert json.loads(text) == document
    assert text == json.dumps(plan_document(make_plan(courtesy(), store), costs), allow_nan=False)
    assert (document["run"], document["cached"]) == (2, 3)
    nodes = {n["label"]: n for n in document["nodes"]}  # type: ignore[union-attr, index, call-overload]
    replies = nodes["replies"]
    assert replies["cost"] == {"tokens": 1200, "bytes": 4096, "note": "2 models"}
    assert replies["reason"] == {"cause": "recipe changed", "text": "recipe changed: max_new_tokens 8 → 32"}
    assert [i["label"] for i in replies["inputs"]] == ["kind", "replies/lines"]
    assert len(replies["key"]) == 12
    assert nodes["manners"]["source"] == "data/manners.jsonl"
    assert document["steps"] == [
        {"operation": "generate", "model": None, "nodes": [graph.roots["replies"].key[:12]]},
        {"operation": "word_share", "model": None, "nodes": [graph.roots["politeness"].key[:12]]},
    ]


def test_infinite_options_stand_as_text() -> None:
    graph = LabelledGraph({"x": Node("op", 1, {"a": [float("inf")], "b": {"c": float("nan")}}, (), "rows")})
    document = plan_document(make_plan(graph, FakeStore()))
    assert document["nodes"][0]["options"] == {"a": ["inf"], "b": {"c": "nan"}}  # type: ignore[index, call-overload]


@pytest.mark.parametrize(("value", "shown"), [
    (None, "none"), (True, "true"), (0.1, "0.1"), (3, "3"), ("", '""'), ("a" * 64, "a" * 11 + "…"),
    ("word " * 20, ("word " * 20)[:39] + "…"), ([8, 9, 10], "8..10"), ([8, 10], "[8, 10]"), ([8], "[8]"), ([], "[]"),
    ([True, False], "[true, false]"), ([1, 5, 7, 9, 11, 13, 20], "[1, 5, 7, …, 20]"),
    ({"b": 1, "a": [1, 2]}, "{a = 1..2, b = 1}"), ("two\nlines", "two⏎lines"),
])
def test_values_are_shown_short(value: object, shown: str) -> None:
    assert show(value) == shown


@pytest.mark.parametrize(("before", "after", "expected"), [
    ({"a": 1}, {"a": 1}, []), ({"a": (1, 2)}, {"a": [1, 2]}, []), ({"a": 1}, {}, ["a 1 → unset"]),
    ({}, {"a": None}, ["a unset → none"]), ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}, ["a.c 2 → 3"]),
    ({"a": [{"b": 1}, {"b": 2}]}, {"a": [{"b": 1}, {"b": 3}]}, ["a[1].b 2 → 3"]),
    ({"a": [{"b": 1}]}, {"a": []}, ["a [{b = 1}] → []"]), ({"a": 1}, {"a": 1.0}, ["a 1 → 1.0"]),
])
def test_differences(before: dict, after: dict, expected: list[str]) -> None:
    assert [str(d) for d in differences(before, after)] == expected


def test_planning_loads_no_heavy_package() -> None:
    code = (
        "import sys, steerlang.graph.plan\n"
        "print([m for m in ('torch', 'transformers', 'numpy') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_every_node_is_named() -> None:
    graph = courtesy()
    assert {n.key for n in walk(list(graph.roots.values()))} == set(name_nodes(graph).by_key)
