"""What holds for every text and every program."""

from __future__ import annotations

from collections import Counter

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from lark import Lark

from steerlang.source import Source
from steerlang.syntax import parse, parse_expression, tree
from steerlang.syntax.expressions import expression_text
from steerlang.syntax.lexing import significant, tokenize
from steerlang.syntax.printing import format_source
from steerlang.syntax.tables import grammar_text

from .syntax_strategies import characters, definitions, expressions, program_texts

steady = settings(
    max_examples=120, deadline=None, derandomize=True, phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
fragments = st.sampled_from([
    '"', '"""', "'", "\\", "\r", "\r\n", "\n", "#", "//", "(", ")", "[", "]", "{", "}", "=", "==", "..", "..<", ".",
    ",", "-", "1", "1.5", "50%", "8..", "model", "a", "steerlang 1\n", "model a = ", "not", "\ufeff", "“", "：",
    "\0", "😀",
])
texts = st.one_of(st.text(characters), st.lists(fragments | st.text(characters, max_size=3), max_size=40).map("".join))


@steady
@given(texts)
def test_tokens_join_to_the_text(text: str) -> None:
    tokens = tokenize(Source("any", text))
    assert "".join(token.text for token in tokens) == text
    assert [token.start for token in tokens[1:]] == [token.end for token in tokens[:-1]]


@settings(steady, max_examples=400)
@given(texts)
def test_any_text_parses_without_an_exception(text: str) -> None:
    source = Source("any", text)
    _, diagnostics = parse(source)
    parse_expression(source)
    for diagnostic in diagnostics:
        assert diagnostic.message[0] == "`" or diagnostic.message[0].islower(), diagnostic.message
        assert not diagnostic.message.endswith(".")
        assert diagnostic.primary is None or 0 <= diagnostic.primary.span.start <= diagnostic.primary.span.end
        assert diagnostic.primary is None or diagnostic.primary.span.end <= len(text)


@settings(steady, max_examples=300)
@given(expressions)
def test_printed_expressions_read_as_they_were(expression: tree.Expr) -> None:
    read, diagnostics = parse_expression(Source("printed", expression_text(expression)))
    assert not diagnostics
    assert _plain(read) == _plain(expression)


def _plain(expression: tree.Expr) -> str:
    """The tree as text, blind to how texts were written."""
    return repr(expression).replace("style='raw'", "style='plain'")


@settings(steady, max_examples=100)
@given(program_texts())
def test_fmt_keeps_meaning_and_comments_and_is_stable(text: str) -> None:
    source = Source("generated", text)
    program, diagnostics = parse(source)
    assert not diagnostics
    formatted, found = format_source(source)
    assert formatted is not None, found
    again = Source("formatted", formatted)
    assert parse(again)[0] == program
    assert _comments(again) == _comments(source)
    assert format_source(again)[0] == formatted
    if '"""' not in formatted:
        lines = formatted.replace("\r\n", "\n").split("\n")
        assert not any(line != line.rstrip() for line in lines)
        assert "\n\n\n" not in formatted


def _comments(source: Source) -> Counter[str]:
    return Counter(token.text.rstrip() for token in tokenize(source) if token.type == "COMMENT")


@settings(steady, max_examples=60)
@given(st.lists(definitions, max_size=4))
def test_item_wise_parsing_agrees_with_the_grammar(items: list[tree.Definition]) -> None:
    """Cutting items by our rule finds the same items as Lark does with the whole grammar, in any layout."""
    text = "steerlang 1 " + " ".join(f"{d.kind.id} {d.name.id} = {expression_text(d.value)}" for d in items)
    program, diagnostics = parse(Source("one line", text))
    whole = _whole_grammar.parse(text)
    assert not diagnostics
    assert len(list(whole.find_data("item"))) == len(program.definitions) == len(items)


_whole_grammar = Lark(grammar_text(), parser="lalr", lexer="contextual", keep_all_tokens=True)


@settings(steady, max_examples=50)
@given(program_texts())
def test_the_lexer_agrees_with_lark(text: str) -> None:
    """Our one-pass lexer finds the tokens Lark's own contextual lexer finds."""
    ours = [token.text for token in significant(tokenize(Source("generated", text)))]
    tokens = _whole_grammar.parse(text).scan_values(lambda _: True)
    assert [str(token) for token in tokens] == ours
