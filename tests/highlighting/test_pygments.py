"""The Pygments lexer: texts come out as they went in, and programs hold no errors."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pygments.formatters import HtmlFormatter
from pygments.token import Comment, Error, Keyword, Name, Number, Operator, Punctuation, String

from steerlang.highlighting.pygments_lexer import TOKEN_OF, SteerLexer
from steerlang.highlighting.roles import Role
from steerlang.source import Source
from steerlang.syntax import parse

from .highlighting_corpus import ROOT, files, programs

PROGRAM = '''\
# About.
steerlang 1
import common = "common.steer"
model base = hf("m", task = causal)
vector last = extract(base, common.manners, method = pca(center = mean), tokens = last)
let where = glob("**.mlp.**")
data said = texts(["""two
lines""", r"\\d+"])
expect good = not (last[8..16] <= 50%) or true
'''
PIECES = ['"', "model a = ", "'", '"""', "(", "1..", "\r\n", "é", "#"]


def _tokens(text: str) -> list[tuple[object, str]]:
    return [(kind, value) for _, kind, value in SteerLexer().get_tokens_unprocessed(text)]


def test_every_role_has_a_token() -> None:
    assert set(TOKEN_OF) == set(Role)


def test_what_is_what() -> None:
    found = [(k, v) for k, v in _tokens(PROGRAM) if v.strip()]
    assert found[:3] == [(Comment.Single, "# About."), (Keyword.Namespace, "steerlang"), (Number.Integer, "1")]
    kinds = [v for k, v in found if k is Keyword.Declaration]
    assert kinds == ["import", "model", "vector", "let", "data", "expect"]
    assert [v for k, v in found if k is Name.Variable] == ["common", "base", "last", "where", "said", "good"]
    assert [v for k, v in found if k is Name.Function] == ["hf", "extract", "glob", "texts"]
    assert [v for k, v in found if k is Name.Attribute] == ["task", "method", "center", "tokens"]
    assert [v for k, v in found if k is Name.Builtin] == ["causal", "pca", "mean"]  # `last` is defined, so a name
    assert (String.Heredoc, '"""two\nlines"""') in found
    assert (String.Regex, r'r"\d+"') in found
    assert [v for k, v in found if k in Operator] == ["not", "..", "<=", "or"]
    assert (Number, "50%") in found
    assert (Keyword.Constant, "true") in found
    assert (Punctuation, ")") in found


@pytest.mark.parametrize("name", sorted(programs()))
def test_programs_come_out_whole(name: str) -> None:
    text = programs()[name]
    assert "".join(v for _, v in _tokens(text)) == text


@pytest.mark.parametrize("name", sorted(files()))
def test_no_errors_where_a_program_is_well_formed(name: str) -> None:
    text = files()[name]
    _, diagnostics = parse(Source(name, text))
    assert diagnostics or not [v for k, v in _tokens(text) if k is Error]


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.text() | st.lists(st.sampled_from(PIECES)).map("".join))
def test_any_text_comes_out_whole(text: str) -> None:
    found = list(SteerLexer().get_tokens_unprocessed(text))
    assert "".join(v for _, _, v in found) == text
    assert [i for i, _, _ in found] == [sum(len(v) for _, _, v in found[:n]) for n in range(len(found))]


def test_malformed_tokens_are_errors() -> None:
    assert (Error, "'") in [(k, v[:1]) for k, v in _tokens("steerlang 1\nlet a = 'x'\n")]


def test_guessed_by_the_header() -> None:
    assert SteerLexer.analyse_text(PROGRAM) == 1.0
    assert SteerLexer.analyse_text("import os\n") == 0.0


def test_as_html() -> None:
    from pygments import highlight

    page = highlight(PROGRAM, SteerLexer(), HtmlFormatter())
    assert '<span class="kd">vector</span>' in page
    assert 'class="err"' not in page


@pytest.mark.skipif(sys.version_info < (3, 11), reason="needs tomllib")
def test_the_entry_point_leads_to_the_lexer() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    module, _, name = project["entry-points"]["pygments.lexers"]["steerlang"].partition(":")
    assert (module, name) == (SteerLexer.__module__, SteerLexer.__name__)
    assert Path(ROOT / (module.replace(".", "/") + ".py")).exists()
