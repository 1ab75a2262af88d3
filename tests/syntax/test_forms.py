"""Mistakes in the YAML and JSON form: the codes of the text form, at the place in the YAML or JSON text."""

from __future__ import annotations

import time

import pytest
import yaml

from steerlang.functions import registry
from steerlang.language.text_places import TextPlaces
from steerlang.source import Source
from steerlang.syntax import tree
from steerlang.syntax.forms import parse_form, program_text
from steerlang.syntax.forms.yaml_text import LONG, loader_for

HEAD = "steerlang: 1\ndefinitions:\n"


def read(text: str, form: str = "yaml") -> tuple[tree.Program, list[tuple[str, int, int]]]:
    """The program, and each mistake's code, line and column."""
    program, found = parse_form(Source(f"p.{form}", text), form, TextPlaces(registry()))
    places = [(d.code.id, d.primary.span.first) for d in found if d.primary is not None]
    assert len(places) == len(found)
    return program, [(code, place.line, place.column) for code, place in places]


@pytest.mark.parametrize(("text", "expected"), [
    ("", ("SL111", 1, 1)),
    ("# nothing\n", ("SL111", 1, 1)),
    ("[1]\n", ("SL111", 1, 1)),
    ("definitions: {}\n", ("SL111", 1, 1)),
    ("steerlang: one\n", ("SL111", 1, 12)),
    ("steerlang:\n", ("SL111", 1, 1)),
    ("steerlang: 2\n", ("SL621", 1, 12)),
    ("steerlang: 1\nmodel: {a: 1}\n", ("SL110", 2, 1)),
    ("steerlang: 1\nsteerlang: 1\n", ("SL118", 2, 1)),
    ("steerlang: 1\ndefinitions: [a]\n", ("SL117", 2, 14)),
    (HEAD + "  a:\n", ("SL103", 3, 3)),
    (HEAD + "  a: 3\n", ("SL117", 3, 6)),
    (HEAD + "  a: {let: 1, model: 2}\n", ("SL117", 3, 6)),
    (HEAD + "  a: {let: }\n", ("SL103", 3, 7)),
    (HEAD + "  a: {let: ''}\n", ("SL103", 3, 12)),
    (HEAD + "  not: {let: 1}\n", ("SL204", 3, 3)),
    (HEAD + "  a b: {let: 1}\n", ("SL108", 3, 3)),
    (HEAD + "  a: {vector: {extract: [base manners]}}\n", ("SL117", 3, 31)),
    (HEAD + "  a: {vector: {extract: [base, manners], layers: 25%..}}\n", ("SL106", 3, 53)),
    (HEAD + "  a: {let: '(1 + 2'}\n", ("SL104", 3, 19)),
    (HEAD + '  a: {let: "1 + \\u0028 2"}\n', ("SL104", 3, 25)),
    (HEAD + "  a:\n    let: >\n      1 +\n      2 *\n", ("SL106", 6, 9)),
    (HEAD + "  a: {vector: {extract: }}\n", ("SL117", 3, 16)),
    (HEAD + "  a: {let: {}}\n", ("SL103", 3, 12)),
    (HEAD + "  a: {let: {$text: [1]}}\n", ("SL117", 3, 12)),
    (HEAD + "  a: {let: {$txt: b}}\n", ("SL117", 3, 12)),
    (HEAD + "  a: {let: {$text: 1}}\n", ("SL117", 3, 20)),
    (HEAD + "  a: {let: &x 1}\n", ("SL118", 3, 12)),
    (HEAD + "  a: {let: *x}\n", ("SL118", 3, 12)),
    (HEAD + "  a: {let: !!int 1}\n", ("SL118", 3, 12)),
    (HEAD + "  a: {let: !!python/object:os.system x}\n", ("SL118", 3, 12)),
    (HEAD + "  a: {let: 1\n", ("SL118", 4, 1)),
    (HEAD + "\ta: 1\n", ("SL118", 3, 1)),
    (HEAD + "  ? [a]\n  : 1\n", ("SL118", 3, 5)),
    (HEAD + "  a: {let: 1}\n---\nb: 1\n", ("SL118", 4, 1)),
    (HEAD + "  a: {let: '\x07'}\n", ("SL118", 3, 13)),
    (HEAD + '  a: {let: "\\ud83d"}\n', ("SL118", 3, 12)),
    (HEAD + "  a: {let: " + "[" * 300 + "1" + "]" * 300 + "}\n", ("SL113", 3, 210)),
    (HEAD + "  a: {let: '" + "(" * 300 + "1" + ")" * 300 + "'}\n", ("SL113", 3, 213)),
], ids=range(39))  # fmt: skip
def test_mistakes_in_yaml(text: str, expected: tuple[str, int, int]) -> None:
    assert read(text)[1] == [expected]


@pytest.mark.parametrize(("text", "expected"), [
    ('{"steerlang": 1, "definitions": {"a": {"let": 1}}', ("SL118", 1, 50)),
    ('{"steerlang": 1,\n "definitions": {"a": {"let": NaN}}}', ("SL118", 2, 31)),
    ('{"steerlang": 1,\n "definitions": {"a": {"let": "(\\"x\\""}}}', ("SL104", 2, 38)),
    ('{"steerlang": 1,\n "definitions": {"a": {"let": "\\ud83d"}}}', ("SL118", 2, 31)),
    ('{"steerlang": 1,\n "definitions": {"a": {"let": "\\ud83d\\ude00 + ("}}}', ("SL108", 2, 32)),
    ("steerlang: 1\n", ("SL118", 1, 1)),
    ("[" * 100_000, ("SL113", 1, 1)),
    ('{"steerlang": 1, "definitions": {"a": {"let": ' + "[" * 300 + "]" * 300 + "}}}", ("SL113", 1, 245)),
], ids=range(8))  # fmt: skip
def test_mistakes_in_json(text: str, expected: tuple[str, int, int]) -> None:
    assert expected in read(text, "json")[1]


def test_many_mistakes_are_all_told() -> None:
    text = HEAD + "  a: {let: 1 +}\n  b: {let: (}\n  c: 2\n  d: {let: 1}\n"
    program, found = read(text)
    assert [(code, line) for code, line, _ in found] == [("SL106", 3), ("SL104", 4), ("SL117", 5)]
    assert [d.name.id for d in program.definitions] == ["a", "b", "d"]


def test_repeated_definitions_and_arguments_are_left_to_the_checker() -> None:
    program, found = read(HEAD + "  a: {let: 1}\n  a: {data: {jsonl: [x.jsonl], text: a, text: b}}\n")
    assert not found
    assert [d.name.id for d in program.definitions] == ["a", "a"]


def test_what_values_mean() -> None:
    program, found = read(HEAD + """\
  a: {model: {hf: [models/courtesy], dtype: float32}}
  b: {model: {hf: {$expr: where}}}
  c: {let: {$text: "it's"}}
  d: {data: ["one", 2]}
  e: {data: {pairs: [[[so rude, very kind]]]}}
  f: {vector: {extract: [a, e], method: {pca: [], center: mean}, layers: [1, last - 2], tokens: null}}
  g: {import: common.steer}
  h: {sweep: [-0.5, 1e3, yes, "true", 50%]}
  i:
    data:
      lines: [x.txt]
      template: |
        Q: {text}
        A:
""")
    assert not found
    text = program_text(program, "steer")
    for line in (
        'a = hf("models/courtesy", dtype = float32)', "b = hf(where)", 'c = "it\'s"', 'd = ["one", 2]',
        'e = pairs([["so rude", "very kind"]])', "g = \"common.steer\"", "h = [-0.5, 1000.0, yes, true, 50%]",
        "f = extract(a, e, method = pca(center = mean), layers = [1, last - 2], tokens = none)",
        'template = """\nQ: {text}\nA:\n\n""")',
    ):
        assert line in text.replace("  ", " ").replace("  ", " "), text


LONG_TEXT = HEAD + "".join(f"  a{i}: {{let: 'é😀 + {i}'}}\n" for i in range(2000))


def test_long_texts_are_read_alike_and_quickly() -> None:
    """libyaml, where it is there, finds the same events at the same places."""
    assert len(LONG_TEXT) > LONG
    folded = HEAD + "  a:\n    let: |-\n      x 😀\n      y\n  b: {let: \"\\U0001F600 \\\n     x\"}\n  c: [1,\n   2]\n"
    for text in (LONG_TEXT, folded):
        first, second = (
            [(type(e), e.start_mark.index, e.end_mark.index, getattr(e, "value", None), getattr(e, "style", None) or "")
             for e in yaml.parse(text, Loader=loader)]
            for loader in (yaml.SafeLoader, loader_for(LONG_TEXT))
        )  # fmt: skip
        assert first == second
    start = time.perf_counter()
    _, found = read(LONG_TEXT.replace("é😀", "x") + "  a: {let: 1 +}\n  b: {let: &x 1}\n")
    assert found == [("SL118", 2004, 12)]
    assert time.perf_counter() - start < 20


def test_windows_line_breaks_and_a_small_text() -> None:
    program, found = read("steerlang: 1\r\ndefinitions:\r\n  a: {let: 1 +\r\n    2}\r\n  b: {let: )}\r\n")
    assert found == [("SL105", 5, 12)]
    assert isinstance(program.definitions[0].value, tree.Binary)
