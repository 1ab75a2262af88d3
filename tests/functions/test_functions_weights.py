"""Task vectors, composition and edits as they are written: what they mean, what their keys cover, what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from language.language_programs import FACTS, TALKS, Compiled, accepted, compiled, found, only, said

from steerlang.graph.facts import FakeFacts, TensorFacts, fake_model

BASE = fake_model("base", tokenizer=TALKS)
NAME = "model.layers.1.mlp.up_proj.weight"


def _without(name: str) -> dict[str, TensorFacts]:
    return {n: t for n, t in BASE.tensors.items() if n != name}


WORLD = FakeFacts(
    models={
        "base": BASE,
        "again": BASE,
        **{id: fake_model(id, seed=seed) for seed, id in enumerate(("a", "b", "c"), start=1)},
        "wide": fake_model("wide", width=64),
        "short": replace(fake_model("short", tensors=_without(NAME), seed=4), tied=False),
        "renamed": replace(
            fake_model("renamed", tensors={**_without(NAME), NAME.replace("up_", "op_"): BASE.tensors[NAME]}, seed=5),
            tied=False,
        ),
    },
    data=FACTS._data,
)
HEAD = """steerlang 1
model base = hf("base")
model a    = hf("a")
model b    = hf("b")
taskvector t = a - base
taskvector u = b - base
"""


def body(text: str) -> Compiled:
    return compiled(HEAD + text, facts=WORLD)


def term(text: str) -> Any:
    """The term of a task vector, models by their names."""
    result = accepted(body(f"taskvector x = {text}"))
    keys = {result.graph.roots[name].key: name for name in ("base", "a", "b")}
    return _named(result.graph.roots["x"].options["term"], keys)


def _named(value: Any, keys: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {k: _named(v, keys) for k, v in value.items()}
    if isinstance(value, list):
        return [_named(v, keys) for v in value]
    return keys.get(value, value) if isinstance(value, str) else value


def key(text: str, kind: str = "taskvector") -> str:
    return accepted(body(f"{kind} x = {text}")).graph.roots["x"].key


# ---- algebra -------------------------------------------------------------------------------------------------------

T = {"is": "Difference", "tuned": "a", "base": "base", "missing": "error", "vocabulary": "error"}
U = {**T, "tuned": "b"}


def test_a_difference_names_both_models() -> None:
    assert term("a - base") == T
    assert term("subtract(a, base, missing = skip)") == {**T, "missing": "skip"}


@pytest.mark.parametrize(("text", "by"), [("2 * t", 2.0), ("t * 2", 2.0), ("t / 4", 0.25), ("-t", -1.0)])
def test_scaling(text: str, by: float) -> None:
    assert term(text) == {"is": "Scaled", "vector": T, "by": by}


def test_sums() -> None:
    found = term("t + u - 0.5 * t")
    assert found["is"] == "Sum"
    assert sorted(map(str, found["vectors"])) == sorted(
        map(str, [T, U, {"is": "Scaled", "vector": T, "by": -0.5}])
    )


@pytest.mark.parametrize(("one", "other"), [
    ("t + u", "u + t"), ("(t + u) + t / 2", "t / 2 + (u + t)"), ("t - u", "t + -1 * u"), ("t / 2", "0.5 * t"),
    ("2 * (0.5 * t)", "t"), ("-(-t)", "t"), ("a - base", "subtract(a, base)"),
    ("compose([t, u])", "compose([t, u], coefficients = [1, 1], method = linear)"),
    ("compose([t, u], coefficients = 0.5)", "compose([t, u], coefficients = [0.5, 0.5])"),
    ("compose([t, u], method = ties)", "compose([t, u], method = ties(density = 0.2, normalize = count))"),
    ("top(t, keep = 0.1)", "top(t, keep = 0.1, scope = tensor)"),
])
def test_what_means_the_same_is_one(one: str, other: str) -> None:
    assert key(one) == key(other)


@pytest.mark.parametrize(("one", "other"), [
    ("base + t + u", "base + (u + t)"), ("base - t", "base + -1 * t"), ("edit(base, t)", "base + t"),
    ("base + t + u", "base + u + t"),
])
def test_edits_that_mean_the_same_are_one(one: str, other: str) -> None:
    assert key(one, "model") == key(other, "model")


VECTORS = [
    "t", "u", "-t", "t + u", "t - u", "0.5 * t", "0.25 * t", "base - a", "subtract(a, base, missing = skip)",
    "top(t, keep = 0.1)", "top(t, keep = 0.2)", "top(t, keep = 0.1, scope = all)",
    "compose([t])", "compose([t, u])", "compose([u, t])", "compose([t, u], coefficients = [1, 0.5])",
    *(f"compose([t, u], method = {m})" for m in (
        "ties", "ties(density = 0.3)", "ties(normalize = weights)", "ties(scope = all)", "dare", "dare(seed = 1)",
        "dare(rescale = false)", "dare(density = 0.3)", "dare_ties", "della", "della(epsilon = 0.2)", "breadcrumbs",
        "breadcrumbs(gamma = 0.02)", "consensus", "consensus(agree = 1)", "consensus(strictness = 0.5)",
    )),
    *(f"{c} * t" for c in (
        'blockwise(set(glob("**.mlp.**"), 0.5))', 'blockwise(set(glob("**.mlp.**"), 0.6))',
        'blockwise(set(glob("**.mlp.**"), 0.5), rest = 1)', 'blockwise(set(regex(".*mlp.*"), 0.5))',
        "over_depth([0, 1])", "over_depth([0, 1, 0])", 'over_depth([0, 1], outside = [set(glob("model.norm.*"), 1)])',
    )),
]  # fmt: skip


def test_keys_differ_where_meanings_do() -> None:
    keys = [key(text) for text in VECTORS]
    assert len(set(keys)) == len(VECTORS)


def test_keys_of_edits_differ_where_meanings_do() -> None:
    texts = ["base + t", "base - t", "base + 0.5 * t", "base + t + t", "slerp(base, a, t = 0.5)",
             "slerp(base, a, t = 0.4)", "slerp(a, base, t = 0.5)", "slerp(base, a, t = over_depth([0, 1]))",
             "edit(base, t, across = true)"]  # fmt: skip
    assert len({key(text, "model") for text in texts}) == len(texts)


def test_names_and_order_of_definitions_do_not_count() -> None:
    one = accepted(body("model x = base + 0.4 * t - u"))
    lines = HEAD.strip().splitlines()
    other = "\n".join([lines[0], "model x = plain + 0.4 * first - u", *reversed(lines[1:])])
    for old, new in (("model base", "model plain"), ("- base", "- plain"), ("taskvector t", "taskvector first")):
        other = other.replace(old, new)
    assert accepted(compiled(other, facts=WORLD)).graph.roots["x"].key == one.graph.roots["x"].key


def test_the_precision_of_the_base_counts() -> None:
    other = HEAD.replace('hf("base")', 'hf("base", dtype = bfloat16)') + "model x = base + t"
    assert compiled(other, facts=WORLD).graph.roots["x"].key != key("base + t", "model")


# ---- provenance ----------------------------------------------------------------------------------------------------


def test_the_base_is_known_by_its_digest_not_its_name() -> None:
    accepted(body('model same = hf("again")\nmodel x = same + t'))


@pytest.mark.parametrize("text", [
    "model x = b + (a - base)", "model x = b - t", "model x = a + t", "model x = edit(b, t)",
    "model x = edit(b, a - base, across = false)", "model x = base + (base - a)",
])
def test_a_task_vector_of_another_base_is_refused(text: str) -> None:
    code, where, message = said(body(text))
    assert code == "SL313", message
    assert where
    assert "was taken from" in message


def test_analogies_are_allowed_in_so_many_words() -> None:
    result = accepted(body("model x = edit(b, a - base, across = true)"))
    expression: Any = result.graph.roots["x"].options["expression"]
    assert expression["across"] is True
    assert expression["base"] == result.graph.roots["b"].key


@pytest.mark.parametrize("text", ["t + (a - b)", "t - (a - b)", "compose([t, a - b])"])
def test_task_vectors_of_two_bases_do_not_combine(text: str) -> None:
    code, _, message = said(body(f"taskvector x = {text}"))
    assert code == "SL313"
    assert "`base` and `b`" in message


# ---- what headers tell ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("id", "code", "words"), [
    ("wide", "SL513", "has two shapes"), ("short", "SL505", "but not in `short`"), ("renamed", "SL505", "`renamed`"),
])
def test_checkpoints_that_do_not_match(id: str, code: str, words: str) -> None:
    result = body(f'model other = hf("{id}")\ntaskvector x = other - base')
    one = only(result)
    assert words in one.message
    assert one.code.id == code
    assert one.primary is not None
    assert one.primary.span.text == "other - base"


def test_missing_tensors_may_be_skipped() -> None:
    accepted(body('model other = hf("short")\nmodel x = base + subtract(other, base, missing = skip)'))


def test_a_name_that_is_near_is_offered() -> None:
    one = only(body('model other = hf("renamed")\ntaskvector x = other - base'))
    assert "op_proj" in one.help[0] or "up_proj" in one.help[0]


# ---- what is refused -----------------------------------------------------------------------------------------------

STEERED = 'data pairs = jsonl("pairs.jsonl", source = "rude", target = "polite")\n' \
          "vector v = extract(base, pairs)\nmodel s = apply(base, add(v))\n"  # fmt: skip


@pytest.mark.parametrize(("text", "words"), [
    (STEERED + "model x = s + t", "a steered model cannot be edited"),
    (STEERED + "taskvector x = s - base", "edited or steered"),
    ("model e = base + t\ntaskvector x = e - base", "edited or steered"),
    ("model e = base + t\nmodel x = slerp(e, base, t = 0.5)", "works on checkpoints"),
    ("model e = slerp(base, a, t = 0.5)\nmodel x = e + t", "cannot be edited further"),
    (STEERED + 'model k = apply(base, rotate(v, across = true))\nexport x = checkpoint(k, to = "out/s")', "rotate"),
    ('export x = checkpoint(base + t, to = "out/s", form = adapter)', "is not steered"),
    ('export x = checkpoint(a, to = "out/a")', "is a checkpoint already"),
    ("taskvector x = t / 0", "division by zero"),
    ("taskvector x = compose([t, u], coefficients = [1, 2, 3])", "3 coefficients for 2 task vectors"),
    ("taskvector x = compose([t, u], coefficients = [1.0])", "1 coefficient for 2 task vectors"),
    ("taskvector x = top(t, keep = 0)", "`keep`"),
    ("taskvector x = top(t, keep = 1.5)", "`keep`"),
    ("taskvector x = compose([t, u], method = ties(density = 2.0))", "density"),
    ("taskvector x = compose([t, u], method = ties(density = -1))", "density"),
    ("taskvector x = compose([t, u], method = ties(densty = 0.2))", "densty"),
    ("taskvector x = compose([t, u], method = task_arithmatic)", "task_arithmatic"),
    ("taskvector x = compose([t, u], method = linear(density = 0.2))", "density"),
    ("taskvector x = compose([t, u], wieght = 0.7)", "wieght"),
    ("taskvector x = compose([])", ""),
    ('export x = checkpoint(base + t, to = "out", dtype = bf16)', "bf16"),
    ('export x = checkpoint(base + t, to = "out", dtpye = bfloat16)', "dtpye"),
    ("taskvector x = t * t", ""), ("taskvector x = t + base", ""), ("taskvector x = t + 1", ""),
    ("model x = a + b", ""),
])
def test_refusals(text: str, words: str) -> None:
    result = body(text)
    assert not result.ok
    assert len(found(result)) == 1, [d.message for d in result.diagnostics]
    one = only(result)
    assert words in one.message
    assert one.help
    assert one.primary is not None


def test_edits_of_edits_are_one_edit() -> None:
    result = accepted(body("model e = base + t\nmodel x = e - 0.5 * u"))
    node = result.graph.roots["x"]
    assert [n.operation for n in node.inputs] == ["model.load"] * 3
    expression: Any = node.options["expression"]
    assert len(expression["change"]["vectors"]) == 2


def test_a_vector_of_the_base_is_refused_on_an_edited_model() -> None:
    code, _, message = said(body(STEERED + "model x = apply(base + t, add(v))"))
    assert code == "SL313", message
    accepted(body(STEERED + "model x = apply(base + t, add(v, across = true))"))
    accepted(body(STEERED + "model e = base + t\nvector w = extract(e, pairs)\nmodel x = apply(e, add(w))"))


def test_a_bare_coefficient_is_that_of_all() -> None:
    assert term("compose([t, u], coefficients = 0.5)") == term("compose([t, u], coefficients = [0.5, 0.5])")
