"""The TextMate grammar says of every word what the language's own lexer says of it."""

from __future__ import annotations

import json
import re

import pytest

from steerlang.functions import registry
from steerlang.highlighting.roles import Role, parts
from steerlang.highlighting.textmate import grammar, to_json
from steerlang.source import Source
from steerlang.syntax import parse

from .highlighting_corpus import ROOT, programs
from .textmate_reader import Reader

GRAMMAR = grammar(registry())
READER = Reader(GRAMMAR)
# Scopes that a token of a role may have; several where neighbouring lines would have to be looked at.
SCOPES = {
    Role.COMMENT: ("comment.line",), Role.HEADER: ("keyword.control",), Role.EDITION: ("constant.numeric.edition",),
    Role.KIND: ("storage.type",), Role.DEFINED: ("variable.other.definition",),
    Role.FUNCTION: ("support.function", "entity.name.function"), Role.METHOD: ("support.constant.option",),
    Role.ARGUMENT: ("variable.parameter",), Role.OPTION: ("support.constant.option",),
    Role.NAME: ("variable.other", "support.constant.option"), Role.MEMBER: ("variable.other.member",),
    Role.CONSTANT: ("constant.language",), Role.OPERATOR_WORD: ("keyword.operator.word",),
    Role.OPERATOR: ("keyword.operator",), Role.NUMBER: ("constant.numeric",),
    Role.QUANTITY: ("constant.numeric.quantity",),
    Role.TEXT: ("string.quoted.double", "constant.character.escape", "invalid.illegal.escape"),
    Role.RAW: ("string.regexp",),
    Role.BLOCK: ("string.quoted.triple", "constant.character.escape", "invalid.illegal.escape"),
    Role.PUNCTUATION: ("punctuation", "keyword.operator.assignment"),
}  # fmt: skip


def _differences(text: str) -> list[str]:
    scopes = [""] * len(text)
    for piece in READER.pieces(text):
        scopes[piece.start : piece.end] = [piece.scope] * (piece.end - piece.start)
    wrong = []
    for part in parts(Source("x", text)):
        allowed = SCOPES.get(part.role)
        places = range(part.token.start, part.token.end)
        found = {scopes[i] for i in places if text[i].strip()}
        if allowed is not None and not all(s.startswith(allowed) for s in found):
            wrong.append(f"{part.role}: {part.token.written!r} is {sorted(found)}")
    return wrong


WELL_FORMED = sorted(name for name, text in programs().items() if not parse(Source(name, text))[1])


@pytest.mark.parametrize("name", WELL_FORMED)
def test_words_are_coloured_as_they_are_read(name: str) -> None:
    assert _differences(programs()[name]) == []


def test_every_role_occurs() -> None:
    """The corpus has a word of every role, so that none is untested."""
    met = {p.role for name in WELL_FORMED for p in parts(Source(name, programs()[name]))}
    assert set(SCOPES) <= met


@pytest.mark.parametrize(
    ("text", "scope"),
    [
        ("let a = 8..16", "keyword.operator"),
        ("let a = 2GiB", "constant.numeric.quantity"),
        ("let a = 25%..75%", "constant.numeric.quantity"),
        ("let a = 1_000.5e-3", "constant.numeric.float"),
        ('let a = "a \\n b"', "constant.character.escape"),
        ('let a = "a \\q b"', "invalid.illegal.escape"),
        ('let a = r"\\d"', "string.regexp"),
        ("strange a = 1", "storage.type.unknown"),
    ],
)
def test_pieces(text: str, scope: str) -> None:
    assert scope in {p.scope for p in READER.pieces(text)}


def test_a_text_that_is_not_closed_ends_with_its_line() -> None:
    found = READER.pieces('let a = "open\nlet b = 1\n')
    assert "storage.type.kind" in {p.scope for p in found if p.start >= 14}


def test_expressions_are_plain() -> None:
    """Nothing that Oniguruma and `re` read differently: no possessive or named groups, no lookbehind of any width."""
    text = json.dumps(GRAMMAR)
    assert not re.search(r"\(\?<[A-Za-z]|\(\?P|\+\+|\*\+|\\h|\\A|\\z|\\G", text)


def test_every_kind_and_function_is_in_it() -> None:
    repository = GRAMMAR["repository"]
    for name in registry().kinds:
        assert re.search(rf"\b{name}\b", repository["definition"]["match"])
    for name in registry().functions:
        assert re.search(rf"\b{name}\b", repository["function"]["match"])


def test_the_files_are_current() -> None:
    for place in ("grammar", "editors/vscode/syntaxes"):
        text = (ROOT / place / "steerlang.tmLanguage.json").read_text(encoding="utf-8")
        assert text == to_json(GRAMMAR), "run docs/generate.py"
