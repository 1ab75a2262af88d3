"""Random programs that are well typed and well scoped have no mistakes, and mean the same in any order."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st
from language.language_programs import HEAD, compiled

NUMBERS = st.one_of(st.integers(1, 9).map(str), st.sampled_from(["0.5", "1e-1", "s", "p", "n0"]))


def numbers(depth: int) -> st.SearchStrategy[str]:
    if depth == 0:
        return NUMBERS
    inner = numbers(depth - 1)
    return st.one_of(
        NUMBERS,
        st.builds(lambda a, o, b: f"({a} {o} {b})", inner, st.sampled_from("+-*"), inner),
        inner.map(lambda a: f"-{a}"),
    )


def vectors(names: list[str], depth: int) -> st.SearchStrategy[str]:
    leaf = st.sampled_from(names)
    if depth == 0:
        return leaf
    inner = vectors(names, depth - 1)
    return st.one_of(
        leaf,
        st.builds(lambda a, o, b: f"{a} {o} ({b})", inner, st.sampled_from("+-"), inner),
        st.builds(lambda n, a: f"{n} * ({a})", numbers(1), inner),
        inner.map(lambda a: f"unit({a})"),
        st.builds(lambda a, b: f"orthogonalize({a}, to = {b})", inner, inner),
        st.builds(lambda a, b, w: f"mix([{a}, {b}], weights = [{w}, 1])", inner, inner, numbers(0)),
        st.builds(lambda a, k: f"random_like({a}, seed = {k})", inner, st.integers(0, 5)),
    )


ACTIONS = [
    "add({v}, scale = {n}, norm = keep)",
    "add([{v}], unit = residual, tokens = generated)",
    "rotate({v}, scale = {n})",
    "ablate({v})",
    "add({v}, layers = 25%..75%)",
    "add({v}, layers = [first, last - 2..last])",
]
METRICS = [
    "distinct(generate({m}, words))",
    "perplexity(words, by = {m})",
    'word_share(generate([m, {m}], words), words = ["a"])[m]',
    "kl_from({m}, words, base = m)",
]


@st.composite
def programs(draw: st.DrawFn) -> list[str]:
    """Definitions, each of which names only earlier ones."""
    lines = ["sweep s = [0.5, 1]", "param p = number(default = 2)", f"let n0 = {draw(st.integers(1, 5))}"]
    names = ["v"]
    for i in range(draw(st.integers(1, 3))):
        lines.append(f"vector v{i} = {draw(vectors(names, 2))}")
        names.append(f"v{i}")
    models = ["m"]
    for i in range(draw(st.integers(1, 2))):
        action = draw(st.sampled_from(ACTIONS)).format(v=draw(st.sampled_from(names)), n=draw(numbers(1)))
        lines.append(f"model k{i} = apply({draw(st.sampled_from(models))}, {action})")
        models.append(f"k{i}")
    metric = draw(st.sampled_from(METRICS)).format(m=draw(st.sampled_from(models[1:])))
    lines += [f"metric x = {metric}", "metric y = 2 * x - x / 3", f"expect e = y <= {draw(numbers(0))} or x > 0"]
    return lines


@settings(max_examples=30, deadline=None)
@given(programs(), st.randoms(use_true_random=False))
def test_typed_programs_check_and_their_order_does_not_matter(lines: list[str], chance: random.Random) -> None:
    plain = compiled(HEAD + "\n".join(lines))
    assert [(d.code.id, d.message) for d in plain.diagnostics if d.is_error] == []
    head, *rest = (HEAD.strip() + "\n" + "\n".join(lines)).splitlines()
    chance.shuffle(rest)
    shuffled = compiled("\n".join([head, *rest]))
    assert {k: n.key for k, n in plain.graph.roots.items()} == {k: n.key for k, n in shuffled.graph.roots.items()}


@settings(max_examples=30, deadline=None)
@given(programs(), st.data())
def test_a_definition_taken_out_is_missed_where_it_was_used(lines: list[str], data: st.DataObject) -> None:
    gone = data.draw(st.sampled_from(lines))
    name = gone.split()[1]
    rest = [x for x in lines if x != gone]
    result = compiled(HEAD + "\n".join(rest))
    codes = {d.code.id for d in result.diagnostics if d.is_error}
    import re

    used = any(re.search(rf"(?<![\w\"]){name}\b", x.split("=", 1)[1]) for x in rest)
    assert codes == ({"SL201"} if used else set())
