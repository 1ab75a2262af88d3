"""The YAML and JSON forms say what the text form says, for every program."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from steerlang.api.forms import convert, parse_as
from steerlang.functions import registry
from steerlang.language.text_places import TextPlaces
from steerlang.source import Source, Span
from steerlang.syntax import parse_expression, tree
from steerlang.syntax.forms import ANYWHERE, Vocabulary, parse_form, plain_program, program_text
from steerlang.syntax.forms.nodes import Entries, Items, Scalar
from steerlang.syntax.forms.offsets import offsets
from steerlang.syntax.forms.yaml_text import read_yaml
from steerlang.syntax.literals import block, block_quoted

from .syntax_strategies import NOWHERE, characters, definitions, expressions, names, strings
from .test_syntax import steady

SPECS = sorted((Path(__file__).parents[2] / "specs").rglob("*.steer"))

#: Texts of every style, as arguments of functions that take texts there, or methods with options of their own.
_texts = strings | st.builds(tree.String, st.text(characters, max_size=30), st.just("block"), st.just(NOWHERE))
_named = st.sampled_from(["source", "template", "method", "layers", "words", "help", "to"]).map(
    lambda n: tree.Name(n, NOWHERE)
)
_callees = st.sampled_from(["hf", "jsonl", "pairs", "extract", "pca", "images", "glob"]).map(
    lambda n: tree.Name(n, NOWHERE)
)
_values = _texts | expressions | st.lists(_texts, max_size=3).map(lambda items: tree.ListOf(tuple(items), NOWHERE))
_calls = st.builds(
    tree.Call, _callees,
    st.tuples(
        st.lists(st.builds(tree.Argument, st.none(), _values, st.just(NOWHERE)), max_size=2),
        st.lists(st.builds(tree.Argument, _named, _values, st.just(NOWHERE)), max_size=3),
    ).map(lambda parts: (*parts[0], *parts[1])),
    st.just(NOWHERE),
)
_kinds = st.sampled_from(["import", "data", "model", "let"]).map(lambda n: tree.Name(n, NOWHERE))
_items = definitions | st.builds(tree.Definition, _kinds | names, names, _calls | _values, st.just(NOWHERE))
programs = st.lists(_items, max_size=5, unique_by=lambda d: d.name.id).map(
    lambda items: tree.Program(1, tuple(items), Span(Source("generated", ""), 0, 0))
)


@settings(steady, max_examples=120)
@given(programs, st.sampled_from(["yaml", "json"]), st.sampled_from([ANYWHERE, TextPlaces(registry())]))
def test_every_program_comes_back(program: tree.Program, form: str, vocabulary: Vocabulary) -> None:
    text = program_text(program, form, vocabulary)
    again, problems = parse_form(Source(f"p.{form}", text), form, vocabulary)
    assert not problems, text
    assert again == program, text


@settings(steady, max_examples=60)
@given(programs)
def test_texts_come_back_through_the_text_form(program: tree.Program) -> None:
    """Also the way in which texts were quoted, except raw ones that no raw text can hold."""
    text = program_text(program, "steer")
    again, problems = parse_as(Source("p.steer", text), "steer")
    assert not problems, text
    assert again == program, text


@settings(steady, max_examples=60)
@given(programs)
def test_other_readers_read_the_same(program: tree.Program) -> None:
    """PyYAML's own loader and the JSON module find the plain values that were written: no quotes are missing."""
    plain = plain_program(program, TextPlaces(registry()))
    found = yaml.safe_load(program_text(program, "yaml", TextPlaces(registry())))
    assert repr(_plainer(found)) == repr(_plainer(plain))
    assert json.loads(program_text(program, "json", TextPlaces(registry()))) == plain


def _plainer(value: object) -> object:
    """YAML 1.1 reads `1e+16` as a text."""
    if isinstance(value, dict):
        return {k: _plainer(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_plainer(v) for v in value]
    if isinstance(value, float) or (isinstance(value, str) and value[:1].isdigit() and "e" in value):
        try:
            return float(value)
        except ValueError:
            return value
    return value


@settings(steady, max_examples=200)
@given(st.text(characters | st.sampled_from(" \n\t\"\\"), max_size=30))
def test_blocks_hold_any_text(value: str) -> None:
    written = block_quoted(value)
    assert block(written) == value
    read, problems = parse_expression(Source("block", written))
    assert not problems
    assert read == tree.String(value, "block", NOWHERE)


@settings(steady, max_examples=200)
@given(st.text(characters | st.sampled_from(list("{}[]:,-&*!|>'\"%@#\n $")), max_size=60), st.booleans())
def test_any_text_is_read_without_an_exception(text: str, whole: bool) -> None:
    text = f"steerlang: 1\ndefinitions:\n  a: {{model: {text}}}\n" if whole else text
    for form in ("yaml", "json"):
        _, problems = parse_form(Source("any", text), form, TextPlaces(registry()))
        for problem in problems:
            assert problem.primary is not None
            assert 0 <= problem.primary.span.start <= problem.primary.span.end <= len(text)


@settings(steady, max_examples=200)
@given(st.text(st.sampled_from(list("abc 'é\"\\\n\t😀#:")) | characters, min_size=1, max_size=40), st.integers(0, 4),
       st.integers(20, 80))
def test_every_character_is_found_where_it_is_written(value: str, style: int, width: int) -> None:
    """However a value is quoted, escaped or folded."""
    styles = ["'", '"', "|", ">", None]
    text = yaml.dump({"k": [value]}, default_style=styles[style], allow_unicode=True, width=width)
    source = Source("p.yaml", text)
    document = read_yaml(source)
    assert isinstance(document, Entries)
    items = document.entries[0][1]
    assert isinstance(items, Items)
    scalar = items.items[0]
    assert isinstance(scalar, Scalar)
    assert scalar.value == value
    found = offsets(scalar)
    assert found == sorted(found)
    assert len(found) == len(value) + 1
    for character, at in zip(value, found, strict=False):
        escaped = scalar.style == '"' and text[at] == "\\"
        assert text[at] == character or escaped or character in " \t\r\n\x85\u2028\u2029"


@pytest.mark.parametrize("path", SPECS, ids=lambda p: p.stem)
def test_programs_that_are_used_come_back(path: Path) -> None:
    source = Source(path.name, path.read_text(encoding="utf-8"))
    program, _ = parse_as(source, "steer")
    for form in ("yaml", "json"):
        text, problems = convert(source, "steer", form)
        assert text is not None, problems
        assert parse_as(Source(f"p.{form}", text), form) == (program, [])
        back, problems = convert(Source(f"p.{form}", text), form, "steer")
        assert back is not None, problems
        assert parse_as(Source("p.steer", back), "steer") == (program, [])
