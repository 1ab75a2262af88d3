"""What a number is of, read from nodes made by hand: roles, and what may be held against each other."""

from __future__ import annotations

from typing import Any

import pytest

from steerlang.graph.node import Node
from steerlang.reports.measures import unit_of
from steerlang.reports.origins import Origin, is_random_vector, origin_of, role_of


def node(operation: str, *inputs: Node, result: str = "vector", **options: Any) -> Node:
    return Node(operation, 1, options, inputs, result)


BASE = node("model.load", result="model", identity="a")
OTHER = node("model.load", result="model", identity="b")
V = node("extract", BASE)
R = node("vector.random_like", V, seed=1)
ROWS, MORE = (node("data.rows", result="rows", digest=x) for x in "xy")


def steered(*vectors: Node, below: Node = BASE, scale: float = 0.5, operator: str = "add") -> Node:
    action = {"operator": operator, "scales": [scale] * len(vectors), "vectors": list(range(len(vectors)))}
    return node("model.steer", below, *vectors, result="model", actions=[action])


def generated(model: Node, rows: Node = ROWS, tokens: int = 8) -> Node:
    return node("generate", model, rows, result="samples", max_new_tokens=tokens)


def perplexity(model: Node, by: Node = BASE) -> Node:
    return node("metric.perplexity", generated(model), by, result="metric")


def told(model: Node) -> Node:
    return node("model.prompted", model, result="model", prompt="be kind")


def arithmetic(*metrics: Node, operator: str = "-") -> Node:
    return node("metric.arithmetic", *metrics, result="metric", operator=operator)


@pytest.mark.parametrize(
    ("model", "role"),
    [
        (BASE, "unsteered"),
        (steered(V), "steered"),
        (steered(R), "random"),
        (steered(V, R), "steered"),
        (steered(V, scale=0.0), "unsteered"),
        (steered(V, scale=0.0, operator="ablate"), "steered"),
        (steered(V, below=steered(R)), "steered"),
        (steered(R, below=steered(V, scale=0.0)), "random"),
        (told(BASE), "prompted"),
        (told(steered(V)), "steered"),
        (node("model.edit", BASE, result="model"), "edited"),
    ],
)
def test_roles(model: Node, role: str) -> None:
    assert role_of(model) == role


def test_random_vectors_are_those_made_of_random_ones_alone() -> None:
    assert is_random_vector(node("vector.sum", R, node("vector.restrict", R)))
    assert is_random_vector(node("vector.orthogonalize", R, V))
    assert not is_random_vector(node("vector.orthogonalize", V, R))
    assert not is_random_vector(node("vector.sum", R, V))


def origin(result: Node) -> Origin:
    found = origin_of(result)
    assert found is not None
    return found


def test_numbers_of_one_measure_differ_in_their_models_alone() -> None:
    base, kind, random = (origin(perplexity(m)) for m in (BASE, steered(V), steered(R)))
    assert base.measure == kind.measure == random.measure
    assert kind.recipe == random.recipe != ""
    assert base.recipe == ""
    assert {o.base for o in (base, kind, random)} == {BASE.key}
    # A judge, other prompts, or another length are another measure; another strength is another recipe.
    assert origin(perplexity(BASE, by=OTHER)).measure != base.measure
    assert origin(generated(BASE, MORE)).measure != origin(generated(BASE)).measure
    assert origin(generated(BASE, tokens=9)).measure != origin(generated(BASE)).measure
    assert origin(perplexity(steered(V, scale=0.1))).recipe != kind.recipe


def test_a_prompt_before_the_rows_is_no_other_measure() -> None:
    instructed = node("data.instructed", ROWS, result="rows", prompt="be kind")
    assert origin(generated(told(BASE), instructed)).measure == origin(generated(BASE)).measure


def test_texts_are_of_the_model_that_reads_them() -> None:
    read = node("metric.perplexity", ROWS, steered(V), result="metric")
    assert origin(read).role == "steered"
    moved = node("metric.kl_from", steered(R), BASE, ROWS, result="metric")
    assert origin(moved).role == "random"
    logits = node("logits", BASE, ROWS, result="logits")
    assert origin(node("metric.accuracy", logits, ROWS, result="metric")).role == "unsteered"


def test_arithmetic_is_of_a_model_where_all_of_it_is() -> None:
    own = arithmetic(perplexity(steered(V)), node("metric.word_share", generated(steered(V)), MORE, result="metric"))
    same = arithmetic(perplexity(BASE), node("metric.word_share", generated(BASE), MORE, result="metric"))
    assert origin(own).role == "steered"
    assert origin(own).measure == origin(same).measure
    assert origin_of(arithmetic(perplexity(steered(V)), perplexity(BASE))) is None
    assert origin_of(arithmetic(arithmetic(perplexity(steered(V)), perplexity(BASE)))) is None


def test_edited_models_are_held_against_what_they_were_made_from() -> None:
    edit = node("model.edit", BASE, result="model")
    found = origin(generated(edit))
    assert (found.weights, found.base) == (edit.key, BASE.key)
    above = origin(generated(steered(V, below=edit)))
    assert (above.weights, above.base, above.role) == (edit.key, edit.key, "steered")


def test_units_go_through_sums_only() -> None:
    share = node("metric.word_share", generated(BASE), MORE, result="metric")
    assert unit_of(share) == "share of replies"
    assert unit_of(arithmetic(share, share)) == "share of replies"
    assert unit_of(arithmetic(share, share, operator="/")) == ""
    assert unit_of(arithmetic(share, perplexity(BASE))) == ""
    assert unit_of(node("metric.extreme", share, share, result="metric")) == "share of replies"
