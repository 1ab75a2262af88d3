"""Trees: what programs mean, where nodes stand, and limits."""

from __future__ import annotations

import time

import pytest

from steerlang.source import Source
from steerlang.syntax import parse, parse_expression, tree
from steerlang.syntax.depth import children
from steerlang.syntax.expressions import expression_text
from steerlang.syntax.printing import format_source

from .corpus import program, programs


def read(text: str) -> tree.Expr:
    value, diagnostics = parse_expression(Source("case", text))
    assert not diagnostics, [d.message for d in diagnostics]
    return value


PRECEDENCE = [
    ("a or b and not c", "a or (b and (not c))"),
    ("not a == b", "not (a == b)"),
    ("not not a", "not (not a)"),
    ("a - b - c", "(a - b) - c"),
    ("a / b * c", "(a / b) * c"),
    ("a + b * -c", "a + (b * (-c))"),
    ("-a.b(c)[d]", "-(((a.b)(c))[d])"),
    ("last - 4..last + 1", "(last - 4)..(last + 1)"),
    ("a..b == c..d", "(a..b) == (c..d)"),
    ("a < b and c >= d or e", "((a < b) and (c >= d)) or e"),
    ("a - -b", "a - (-b)"),
    ("(a or b) and c", "((a or b)) and c"),
]


@pytest.mark.parametrize(("text", "bracketed"), PRECEDENCE)
def test_precedence(text: str, bracketed: str) -> None:
    assert read(text) == read(bracketed)


PRINTED = [
    "a or b and not c", "(a or b) and c", "-(a + b)", "(-a).b", "a - (b - c)", "a - b - c", "a / (b * c)", "-a * b",
    "(a == b) == (c == d)", "(a..b)..<c", "8..16", "25%..75%", "last - 4 .. last", "(8..16)[1]", "not (not a and b)",
    "f(x, y = 3)[s = 0.1, model].m", "[1, [2], {}]", "{a = 1, b = {c = 2}}", '"a\\n\\t\\"\\\\\\u{7}é"', r'r"\d+"',
    "2GiB", "0.5h", "1e-07", "1000000.0", "1e+16", "true", "none", "()" "", "not a == b", "(not a) == b", "- -a",
]


@pytest.mark.parametrize("text", [text for text in PRINTED if text != "()"])
def test_expressions_print_with_the_fewest_brackets(text: str) -> None:
    assert expression_text(read(text)) == text.replace("- -a", "--a")


STRINGS = [
    (r'"a\n\t\"\\\u{1F600}\u{e9}"', 'a\n\t"\\😀é'),
    (r'r"\n\\"', r"\n\\"),
    ('"""one line"""', "one line"),
    ('"""\n  a\n    b\n  """', "a\n  b"),
    ('"""\n  a\n\n  b\n\n  """', "a\n\nb\n"),
    ('"""first\n    second\n    third"""', "first\nsecond\nthird"),
    ('"""\r\n\ta\r\n\t\tb\r\n"""', "a\n\tb"),
    ('"""\n  \\ttab \\"""quoted\\"""\n"""', '\ttab """quoted"""'),
    ('""""""', ""),
    ('"""\n"""', ""),
]


@pytest.mark.parametrize(("literal", "value"), STRINGS)
def test_texts(literal: str, value: str) -> None:
    found = read(literal)
    assert isinstance(found, tree.String)
    assert found.value == value


def test_numbers() -> None:
    assert read("2_000") == tree.Integer(2000, read("1").span)
    assert read("1e-3") == tree.Float(0.001, read("1").span)
    assert read("12.5%") == tree.Quantity(12.5, "%", read("1").span)
    assert read("2GiB") == tree.Quantity(2.0, "GiB", read("1").span)


def test_the_examples_of_the_design() -> None:
    counts = {"courtesy.steer": 7, "task_vectors.steer": 13, "concept_shift.steer": 15, "sweep.steer": 13}
    for name, count in counts.items():
        found, diagnostics = parse(program(name))
        assert not diagnostics
        assert found.edition == 1
        assert len(found.definitions) == count


def test_every_span_holds_the_text_of_its_node() -> None:
    for source in programs():
        for definition in parse(source)[0].definitions:
            assert definition.span.text.startswith(definition.kind.span.text)
            waiting = [definition.value]
            while waiting:
                node = waiting.pop()
                assert read(node.span.text) == node
                waiting.extend(children(node))


def test_descriptions_are_the_comments_directly_above() -> None:
    text = "# file\nsteerlang 1\n# one\n#  two\nlet a = 1 # beside\n# apart\n\nlet b = 2\n"
    text += "  # indented\n  let c = 3 let d = 4"
    found, _ = parse(Source("case", text))
    assert [d.description for d in found.definitions] == ["one\n two", "", "indented", ""]


def test_line_breaks_mean_nothing() -> None:
    apart = "steerlang\n1\nmodel\na\n=\nf\n(\nx\n,\n)\n.\nb\nlet\nc = a +\nb"
    together = "steerlang 1 model a = f(x,).b let c = a + b"
    assert parse(Source("case", apart)) == parse(Source("case", together))


def test_crlf_and_byte_order_mark() -> None:
    found, diagnostics = parse(Source("case", "\ufeffsteerlang 1\r\n# why\r\nlet a = 1\r\n"))
    assert not diagnostics
    assert found.definitions[0].description == "why"


def test_broken_definitions_keep_their_names() -> None:
    text = "steerlang 1\nmodel a = f(x, y z, k = , w = 3)\nvector b = ???\nlet c 3\nd = 4\nlet e = (1, 2)\n"
    found, diagnostics = parse(Source("case", text))
    assert {d.name.id for d in found.definitions} == {"a", "b", "c", "d", "e"}
    call = found.definitions[0].value
    assert isinstance(call, tree.Call)
    assert [type(argument.value) for argument in call.arguments] == [
        tree.Name, tree.Name, tree.Name, tree.Broken, tree.Integer,
    ]
    assert [d.code.id for d in diagnostics] == ["SL101", "SL103", "SL108", "SL102", "SL110", "SL117"]


def test_an_unknown_edition_is_the_only_error() -> None:
    found, diagnostics = parse(Source("case", "steerlang 7\n((("))
    assert [d.code.id for d in diagnostics] == ["SL621"]
    assert found.edition == 7
    assert found.definitions == ()


def test_a_part_of_a_text_is_read_in_place() -> None:
    value, diagnostics = parse_expression(Source("case", "--set s=1 +"), 8)
    assert isinstance(value, tree.Binary)
    assert diagnostics[0].primary is not None
    assert diagnostics[0].primary.span.start == 10


@pytest.mark.parametrize("text", ["", "  # nothing", "a b", "a = 1", "1 +", ")", "(", "model a = 1", "'x'", "“"])
def test_bad_expressions_are_reported(text: str) -> None:
    assert parse_expression(Source("case", text))[1]


DEEP = [
    "(" * 20_000, "(" * 20_000 + "1" + ")" * 20_000, "[" * 20_000, "f(" * 20_000, " + ".join(["x"] * 500),
    "-" * 5000 + "1", "not " * 5000 + "a", "a" + ".b" * 5000, "f" + "()" * 5000,
    "{a=" * 3000, ")" * 20_000, "([{" * 5000, "]})" * 5000,
    "\"" * 9999, "'" * 9999, "\\" * 9999, "=" * 9999, "," * 9999, "a " * 9999, "1 " * 9999, "a=" * 5000,
    "é" * 9999, ": " * 9999,
    "[" + "1 " * 3000 + "]", "f(" + "a b," * 3000 + ")", "f(" + "= ," * 3000 + ")", "{" + "a," * 3000 + "}",
]


@pytest.mark.parametrize("text", DEEP, ids=lambda text: text[:6])
def test_deep_and_wild_texts_end_in_diagnostics(text: str) -> None:
    started = time.process_time()
    source = Source("case", f"steerlang 1\nlet a = {text}\nlet b = 1\n")
    found, diagnostics = parse(source)
    assert diagnostics
    assert len(diagnostics) <= 300
    assert found.definitions
    assert format_source(source)[0] is None
    parse_expression(Source("case", text))
    assert time.process_time() - started < 10


def test_what_nests_just_deep_enough_works_everywhere() -> None:
    nested = "f(" * 99 + "x" + ")" * 99 + " + 1"
    for value in (nested, "(" * 200 + "x" + ")" * 200, " + ".join(["x"] * 200), "[" * 199 + "]" * 199):
        source = Source("case", f"steerlang 1\nlet a = {value}\n")
        found, diagnostics = parse(source)
        assert not diagnostics
        assert read(expression_text(found.definitions[0].value)) == found.definitions[0].value
        formatted, problems = format_source(source)
        assert formatted is not None, problems


def test_comments_too_deep_to_lay_out_are_refused_not_lost() -> None:
    value = "[" * 199 + "1 # why\n" + "]" * 199
    formatted, problems = format_source(Source("case", f"steerlang 1\nlet a = {value}\n"))
    assert formatted is not None or [d.code.id for d in problems] == ["SL900"]


def test_files_above_the_limit_are_refused() -> None:
    _, diagnostics = parse(Source("big", "steerlang 1\n" + "#" * (1 << 20)))
    assert [d.code.id for d in diagnostics] == ["SL112"]
