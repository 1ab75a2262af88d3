"""The vocabulary as a whole: every entry says what it is, and no call ignores anything."""

from __future__ import annotations

from itertools import chain

import pytest
from language.language_programs import body, found

from steerlang.functions import registry
from steerlang.functions.selectors import READ_WORDS, SITES, STEER_WORDS, TOKENS_READ, TOKENS_STEERED
from steerlang.language.parameter_types import Choice, ListOf, Methods, Number, Selector
from steerlang.language.signature import Function, Parameter
from steerlang.operations.table import OPERATIONS

FUNCTIONS = sorted(registry().functions.values(), key=lambda f: f.name)


def parameters() -> list[tuple[str, Parameter]]:
    own = [(f.name, p) for f in FUNCTIONS for p in f.all_parameters]
    methods = [p.type.methods for _, p in own if isinstance(p.type, Methods)]
    return own + [(m.name, p) for m in chain(*methods) for p in m.parameters]


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.name)
def test_a_function_says_what_it_does(function: Function) -> None:
    assert function.help
    assert not function.help.endswith(".")
    assert function.help[0].islower() or not function.help[0].isalpha()
    assert len(function.subjects) <= 2
    assert len({p.name for p in function.all_parameters}) == len(function.all_parameters)


@pytest.mark.parametrize(("owner", "parameter"), parameters(), ids=lambda x: getattr(x, "name", x))
def test_a_parameter_says_what_it_takes_and_has_a_fitting_default(owner: str, parameter: Parameter) -> None:
    assert parameter.help
    assert parameter.type.phrase
    if parameter.required:
        return
    assert parameter.default is None or parameter.type.problem(parameter.default) is None
    kind = parameter.type
    if isinstance(kind, Choice):
        assert parameter.default in kind.words
    if isinstance(kind, Selector):
        assert isinstance(parameter.default, dict)
        assert parameter.default["select"] in kind.words
    if isinstance(kind, (Number, ListOf)) and parameter.default is not None:
        assert kind.settled(parameter.default) == parameter.default or parameter.default == ()


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.name)
def test_no_call_ignores_an_argument(function: Function) -> None:
    result = body(f"let x = {function.name}(surely_not_one = 3)")
    assert found(result)[0] in ("SL303", "SL312"), found(result)


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.name)
def test_no_call_takes_more_by_position_than_its_subjects(function: Function) -> None:
    if any(p.many for p in function.subjects) or function.family == "parameters":
        return
    arguments = ", ".join(["nothing"] * len(function.subjects) + ["1"])
    assert "SL306" in found(body(f"let x = {function.name}({arguments})"))


def test_every_selector_that_is_offered_exists() -> None:
    for selector in (TOKENS_READ, TOKENS_STEERED, SITES):
        for name in selector.calls:
            function = registry().function(name)
            assert function is not None, name
            assert function.result == selector.type
    assert set(READ_WORDS) == set(TOKENS_READ.words)
    assert set(STEER_WORDS) == set(TOKENS_STEERED.words)


PROGRAM = """model k = apply(m, replace(v), add(v), rotate(v), ablate(v), clamp(v, to = 1))
vector w = 0.5 * v + mix([v, unit(v)]) - orthogonalize(v, to = random_like(v))[3]
vector w2 = 0.5 * v + mix([v, unit(v)]) - orthogonalize(v, to = random_like(v))
vector w3 = w2[3..4]
vector w4 = extract(capture(m, words), capture(k, words))
sweep s = [1, 2]
samples x = generate(apply(m, add(v, scale = s)), sample(words, k = 2))
samples z = generate(m, split(words, fraction = 0.5, part = first))
metric a = word_share(x, words = words) + contains_rate(x, words = ["a"]) * distinct(x)
metric b = perplexity(words, by = m) - kl_from(k, words, base = m)
metric b2 = logit_difference(k, words, target = "a", source = "b")
let best = argmax(a, over = s, where = not (a < 0.5) and a > 0)
metric c = a[s = best]
"""


def test_every_node_that_a_program_makes_can_be_carried_out() -> None:
    from steerlang.graph.node import walk

    result = body(PROGRAM.replace(" - orthogonalize(v, to = random_like(v))[3]", ""))
    assert found(result) == []
    met = {n.operation for n in walk(list(result.graph.roots.values())) if not n.virtual}
    assert met - set(OPERATIONS) == set()
    assert len(met) > 20
