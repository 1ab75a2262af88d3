"""Names, kinds and types: what is an error, what is warned of, and that one mistake is reported once."""

from __future__ import annotations

import pytest

from steerlang.functions import registry
from steerlang.language.types import MODEL, NUMBER, TEXT, list_of

from .language_programs import HEAD, accepted, body, compiled, found, only, said

VALUES = {
    "number": "3",
    "ratio": "50%",
    "size": "2GiB",
    "duration": "30min",
    "text": '"a"',
    "bool": "true",
    "range": "1..2",
    "model": "m",
    "vector": "v",
    "texts": "words",
    "pairs": "pairs",
    "activations": "capture(m, words)",
    "samples": "generate(m, words)",
    "metric": "perplexity(words, by = m)",
    "condition": "perplexity(words, by = m) < 3",
    "action": "add(v)",
    "export": 'vector_file(v, to = "v.safetensors")',
    "report": 'html(to = "r.html")',
}
KIND_OF = {
    "let": {"number", "ratio", "size", "duration", "text", "bool", "range", "metric"},
    "model": {"model"},
    "data": {"texts", "pairs"},
    "activations": {"activations"},
    "vector": {"vector"},
    "steering": {"action"},
    "samples": {"samples"},
    "metric": {"metric"},
    "expect": {"bool", "condition"},
    "export": {"export"},
    "report": {"report"},
    "concepts": set(),
    "taskvector": set(),
    "coefficients": set(),
}


@pytest.mark.parametrize("kind", sorted(KIND_OF))
def test_a_kind_holds_its_types_and_no_others(kind: str) -> None:
    for type, value in VALUES.items():
        result = body(f"{kind} x = {value}")
        assert found(result) == ([] if type in KIND_OF[kind] else ["SL312"]), (kind, type)


BINARY = {
    "+": {("number", "number"), ("vector", "vector"), ("metric", "metric"), ("metric", "number"), ("number", "metric")},
    "*": {("number", "number"), ("number", "vector"), ("vector", "number"), ("metric", "metric"), ("metric", "number"),
          ("number", "metric")},
    "/": {("number", "number"), ("vector", "number"), ("metric", "metric"), ("metric", "number"), ("number", "metric")},
    "<": {("number", "number"), ("metric", "metric"), ("metric", "number"), ("number", "metric")},
    "and": {("bool", "bool"), ("condition", "condition"), ("condition", "bool"), ("bool", "condition")},
}  # fmt: skip


@pytest.mark.parametrize("symbol", sorted(BINARY))
def test_operators_type_as_the_table_says(symbol: str) -> None:
    for left, a in VALUES.items():
        for right, b in VALUES.items():
            if "range" in (left, right):  # a range in an operand needs brackets, which the table leaves out
                continue
            result = body(f"let x = ({a}) {symbol} ({b})")
            expected = set() if (left, right) in BINARY[symbol] else {"SL301"}
            assert set(found(result)) - {"SL312"} == expected, (left, symbol, right)


def test_an_operator_that_does_not_type_shows_where_both_operands_came_from() -> None:
    diagnostic = only(body("vector w = v + m"))
    assert diagnostic.primary is not None
    assert diagnostic.primary.span.text == "+"
    assert [(label.span.text, label.message) for label in diagnostic.secondary] == [
        ("v", "this is a vector"),
        ("m", "this is a model"),
    ]
    assert all(label.span.first.line < 6 for label in diagnostic.secondary)


def test_order_of_definitions_does_not_matter() -> None:
    head, *lines = (HEAD + "vector w = 2 * v\nvector u = unit(w)").strip().splitlines()
    accepted(compiled("\n".join([head, *reversed(lines)])))


def test_bare_words_are_options_before_they_are_names() -> None:
    accepted(
        body(
            "vector last = unit(v)\nvector icv = unit(last)\nvector w = extract(m, pairs, method = icv, tokens = last)"
        )
    )


def test_functions_may_lend_their_names_to_definitions() -> None:
    accepted(body("vector unit = 2 * v\nvector w = unit(unit)"))


@pytest.mark.parametrize(
    "text",
    [
        "vector a = b\nvector b = a",
        "vector a = unit(a)",
        "vector a = unit(b)\nvector b = unit(c)\nvector c = a + v",
        "let x = y + 1\nlet y = 2 * x",
        "sweep s = [s]",
    ],
)
def test_a_circle_is_one_error_that_names_it(text: str) -> None:
    code, _, message = said(body(text))
    assert code == "SL205"
    assert "→" in message


def test_what_depends_on_a_mistake_says_nothing_more() -> None:
    text = (
        "vector w = v + m\nvector u = unit(w)\nmodel k = apply(m, add(u))\nmetric x = distinct(generate([m, k], words))"
    )
    assert said(body(text + "\nlet best = argmax(x, over = s)\nexpect e = x[k] > x[m]\nsweep s = [1]"))[0] == "SL301"


def test_a_name_that_nothing_defines_is_reported_once() -> None:
    assert said(body("vector w = 2 * nothing_like\nvector u = 3 * nothing_like"))[:2] == ("SL201", "nothing_like")


def test_a_definition_with_a_mistake_of_form_says_nothing_else() -> None:
    assert len(found(body("vector w = extract(m pairs, methd = icv, layers = 99)\nvector u = 2 * w"))) == 1


def test_a_misspelt_argument_is_not_also_a_missing_one() -> None:
    assert said(body("vector w = orthogonalize(v, too = v)"))[:2] == ("SL303", "too")


def test_unused_definitions_are_warned_of_where_something_runs() -> None:
    result = body('let x = 3\nvector w = 2 * v\nexport f = vector_file(w, to = "w.safetensors")')
    assert [(d.code.id, d.primary.span.text) for d in result.diagnostics if d.primary] == [
        ("SL209", "words"),
        ("SL209", "x"),
    ]
    assert body("vector w = 2 * v").diagnostics == ()


def test_nothing_is_said_of_unused_definitions_while_there_are_errors() -> None:
    result = body('let x = 3\nvector w = 2 * vv\nexport f = vector_file(w, to = "w.safetensors")')
    assert [d.code.id for d in result.diagnostics] == ["SL201"]


def test_a_report_uses_all_metrics_and_samples() -> None:
    result = body('samples x = generate(m, words)\nmetric y = distinct(x)\nreport r = html(to = "r.html")')
    assert [d.primary.span.text for d in result.diagnostics if d.primary] == ["pairs", "v"]


def test_suggestions_come_from_names_that_fit() -> None:
    text = "model  peter = m\nvector petra = 2 * v\n"
    assert only(body(text + "vector w = 2 * petro")).help == ("did you mean `petra`?",)
    assert only(body(text + "model k = apply(petro, add(v))")).help[0].startswith("did you mean `pet")
    fix = only(body("vector w = extract(m, pairs, methd = icv)")).fixes[0]
    assert (fix.edits[0].span.text, fix.edits[0].text) == ("methd", "method")


def test_long_and_deep_programs_do_not_overflow() -> None:
    deep = [
        "vector w = " + " + ".join(["v"] * 190),
        "vector w = " + "(" * 150 + "v" + ")" * 150,
        "vector w = " + "unit(" * 150 + "v" + ")" * 150,
        "vector w = " + "-" * 150 + "v",
        "model w = " + "apply(" * 150 + "m" + ", add(v))" * 150,
        "\n".join([*(f"vector a{i} = unit(a{i - 1})" for i in range(600, 0, -1)), "vector a0 = v"]),
    ]
    for text in deep:
        accepted(body(text))
    assert found(body("vector w = " + " + ".join(["v"] * 500))) == ["SL113"]
    for count in (300, 1200):
        circle = "\n".join(f"vector a{i} = unit(a{(i + 1) % count})" for i in range(count))
        assert found(body(circle)) == ["SL205"]


def test_deep_programs_leave_the_recursion_limit_as_it_was() -> None:
    import sys

    before = sys.getrecursionlimit()
    body("vector w = " + "unit(" * 150 + "v" + ")" * 150)
    assert sys.getrecursionlimit() == before


def test_lists_accept_lists_of_what_they_hold() -> None:
    assert list_of(NUMBER).accepts(list_of(NUMBER))
    assert not list_of(NUMBER).accepts(list_of(TEXT))
    assert not list_of(MODEL).accepts(MODEL)


def test_every_kind_has_an_example() -> None:
    assert set(KIND_OF) | {"import", "param", "sweep"} == set(registry().kinds)
    for kind in registry().kinds.values():
        assert kind.example.startswith(f"{kind.name} "), kind.name
