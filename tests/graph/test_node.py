"""Keys of nodes: what changes them and what does not."""

from __future__ import annotations

import hashlib
import math
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steerlang.graph.node import Node, canonical, carried_out_inputs, digest, walk

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=12)
options = st.dictionaries(st.text(min_size=1), values, max_size=5)


def node(operation: str = "op", version: int = 1, options: dict | None = None, inputs: tuple[Node, ...] = (),
         result: str = "rows", **rest: object) -> Node:
    return Node(operation, version, options or {}, inputs, result, **rest)  # type: ignore[arg-type]


@given(options, st.randoms())
def test_order_of_options_does_not_matter(given_options: dict, random: object) -> None:
    items = list(given_options.items())
    random.shuffle(items)  # type: ignore[attr-defined]
    assert node(options=given_options).key == node(options=dict(items)).key


@given(options)
def test_lists_and_tuples_are_one(given_options: dict) -> None:
    def frozen(value: object) -> object:
        if isinstance(value, list):
            return tuple(frozen(v) for v in value)
        return {k: frozen(v) for k, v in value.items()} if isinstance(value, dict) else value

    assert node(options=given_options).key == node(options=frozen(given_options)).key  # type: ignore[arg-type]


@given(st.text(), st.dictionaries(st.text(), st.text()), st.booleans())
def test_what_does_not_change_the_result_is_not_in_the_key(group: str, locators: dict, virtual: bool) -> None:
    plain = node(options={"a": 1})
    assert replace(plain, group=group, locators=locators, virtual=virtual).key == plain.key


@given(options, st.text(min_size=1), values)
def test_every_option_is_in_the_key(given_options: dict, name: str, value: object) -> None:
    changed = {**given_options, name: value}
    same = digest(changed) == digest(given_options)
    assert (node(options=changed).key == node(options=given_options).key) == same
    assert same == (repr(canonical(changed)) == repr(canonical(given_options)))


INPUT, OTHER = node("source", options={"n": 1}), node("source", options={"n": 2})
BASE = node("op", 1, {"a": 1}, (INPUT, OTHER), "rows")


@pytest.mark.parametrize("change", [
    {"operation": "other"}, {"version": 2}, {"options": {"a": 2}}, {"options": {"a": 1, "b": None}}, {"options": {}},
    {"options": {"b": 1}}, {"options": {"a": 1.0}}, {"options": {"a": True}}, {"options": {"a": "1"}},
    {"options": {"a": [1]}}, {"inputs": (OTHER, INPUT)}, {"inputs": (INPUT,)}, {"inputs": (INPUT, INPUT)},
    {"inputs": ()}, {"result": "states"},
], ids=str)
def test_every_semantic_attribute_is_in_the_key(change: dict) -> None:
    assert replace(BASE, **change).key != BASE.key


@pytest.mark.parametrize(("one", "other"), [
    (0.1 + 0.2, 0.3), (0.0, -0.0), (math.nan, math.inf), (1, 1.0), (1, True), ("", None), ([], {}),
    ([[1], 2], [1, [2]]),
])
def test_values_that_look_alike_differ(one: object, other: object) -> None:
    assert digest({"a": one}) != digest({"a": other})


def test_keys_do_not_depend_on_the_process() -> None:
    code = "from steerlang.graph.node import digest; print(digest({'b': [1, 2.5, None], 'a': {'y': 'ü', 'x': True}}))"
    found = {
        subprocess.run([sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True,
                       check=True).stdout for seed in ("0", "1")
    }
    assert len(found) == 1


def test_the_form_that_is_hashed_is_fixed() -> None:
    """Results stored today must be found tomorrow: a change here needs a new KEY_VERSION."""
    text = '[1,"capture",2,{"layers":[1,2],"scale":{"float":"0x1.999999999999ap-4"}},[],"rows"]'
    expected = hashlib.sha256(text.encode("ascii")).hexdigest()
    assert node("capture", 2, {"scale": 0.1, "layers": [1, 2]}).key == expected


def test_options_must_be_json_like() -> None:
    with pytest.raises(TypeError, match="set cannot stand"):
        node(options={"a": {1, 2}})


def test_walk_gives_inputs_first_and_each_once_at_any_depth() -> None:
    chain = node("n", options={"i": 0})
    for i in range(1, 5000):
        chain = node("n", options={"i": i}, inputs=(chain, chain))
    order = walk([chain, chain])
    assert [n.options["i"] for n in order] == list(range(5000))


def test_carried_out_inputs_look_through_virtual_nodes() -> None:
    vector = node("icv")
    base = node("hf", virtual=True)
    edited = node("apply", options={"scale": 1.0}, inputs=(base, vector), virtual=True)
    data = node("jsonl")
    generate = node("generate", inputs=(edited, data, edited, base))
    assert carried_out_inputs(generate) == [vector, data]
