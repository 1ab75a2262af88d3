"""What pieces of text become which tokens."""

from __future__ import annotations

import pytest

from steerlang.source import Source
from steerlang.syntax.lexing import significant, tokenize
from steerlang.syntax.tables import tables

from .corpus import programs

TABLE = [
    ("8..16", "INT RANGE INT"), ("8..<16", "INT UNTIL INT"), ("8.5..9", "FLOAT RANGE INT"), ("8 .. 1", "INT RANGE INT"),
    ("25%..75%", "QUANTITY RANGE QUANTITY"), ("12.5%", "QUANTITY"), ("50 %", "INT BAD_CHARACTER"),
    ("2_000", "INT"), ("1_000.5", "FLOAT"), ("1e-3", "FLOAT"), ("1E3", "FLOAT"), ("1.5e+3", "FLOAT"),
    ("2GiB", "QUANTITY"), ("0.5h", "QUANTITY"), ("30min", "QUANTITY"), ("30ms", "QUANTITY"), ("2s", "QUANTITY"),
    ("2sx", "BAD_NUMBER"), ("5m", "BAD_NUMBER"), ("1__0", "BAD_NUMBER"), ("1_", "BAD_NUMBER"), ("1.2.3", "BAD_NUMBER"),
    ("0x1F", "BAD_NUMBER"), ("1e", "BAD_NUMBER"), ("5.", "INT DOT"), (".5", "DOT INT"), ("v.5", "NAME DOT INT"),
    ("last - 2", "NAME MINUS INT"), ("last-2", "NAME MINUS INT"), ("-1", "MINUS INT"), ("a.b", "NAME DOT NAME"),
    ("a<-b", "NAME COMPARE MINUS NAME"), ("a<=b", "NAME COMPARE NAME"), ("a==b", "NAME COMPARE NAME"),
    ("a = b", "NAME EQUAL NAME"), ("a=>b", "NAME BAD_OPERATOR NAME"), ("a!b", "NAME BAD_CHARACTER NAME"),
    ("not notes", "NOT NAME"), ("order or and_", "NAME OR NAME"), ("true none None", "TRUE NONE NAME"),
    ("steerlang 1", "NAME INT"), ("r", "NAME"), ('r"\\d"', "RAW_STRING"), ('r "x"', "NAME STRING"),
    ('"a\\"b"', "STRING"), ('""', "STRING"), ('"" ""', "STRING STRING"), ('"""a"b""c"""', "TEXT"), ('""""""', "TEXT"),
    ('"""a\\""""', "TEXT"), ('"open', "BAD_STRING"), ('"""open', "BAD_TEXT"), ("'a'", "BAD_QUOTES"),
    ("“a”", "BAD_QUOTES"),
    ('r"""a"""', "BAD_TEXT"), ("a # b", "NAME"), ("a // b", "NAME BAD_COMMENT"), ("naïve", "BAD_NAME"),
    ("日本", "BAD_NAME"),
    ("\ufeffa", "NAME"), ("a\ufeff", "NAME BAD_CHARACTER"), ("a\r\nb", "NAME NAME"),
    ("a\rb", "NAME BAD_CHARACTER NAME"),
    ("#a\rb", "BAD_CHARACTER NAME"), ("a&&b", "NAME BAD_OPERATOR NAME"), ("\0", "BAD_CHARACTER"),
]


@pytest.mark.parametrize(("text", "types"), TABLE)
def test_token_types(text: str, types: str) -> None:
    tokens = tokenize(Source("case", text))
    assert " ".join(token.type for token in significant(tokens)) == types
    assert "".join(token.text for token in tokens) == text


def test_reserved_words() -> None:
    assert set(tables().keywords) == {"and", "or", "not", "true", "false", "none"}


def test_every_terminal_occurs_in_the_programs() -> None:
    seen = {token.type for source in programs() for token in tokenize(source)}
    assert {name for name, _ in tables().terminals} | set(tables().keywords.values()) == seen


def test_no_program_has_malformed_tokens() -> None:
    assert not [token for source in programs() for token in tokenize(source) if token.is_bad]


def test_an_unclosed_text_ends_before_the_next_definition() -> None:
    source = Source("case", 'let a = """\n  open\nlet b = 1\n')
    assert [token.type for token in significant(tokenize(source))][:4] == ["NAME", "NAME", "EQUAL", "BAD_TEXT"]
    assert [token.text for token in significant(tokenize(source))][4:] == ["let", "b", "=", "1"]


def test_a_range_of_a_text_keeps_its_positions() -> None:
    tokens = tokenize(Source("case", "x: a + b # c"), 3, 8)
    assert [(token.text, token.start) for token in significant(tokens)] == [("a", 3), ("+", 5), ("b", 7)]
