"""The tree-sitter grammar accepts what the language's own parser accepts, and nothing else."""

from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from steerlang.highlighting.roles import Role, parts
from steerlang.source import Source
from steerlang.syntax import parse
from steerlang.syntax.lexing import tokenize

from .conftest import GRAMMAR
from .highlighting_corpus import programs

# What no grammar says: limits of size, depth and numbers, and the edition.
BEYOND = {"SL112", "SL113", "SL621"}
TOO_LARGE = "too large to be represented"
# Pieces that are easily read otherwise.
PIECES = (
    '"', '"""', "'", "\\", "\r", "\r\n", "\n", "#", "//", "(", ")", "[", "]", "{", "}", "=", "==", "..", "..<", ".",
    ",", "-", "1", "1.5", "50%", "8..", "not", "true", "none", "and", 'r"', 'r""', "\t", "é", "5min", "1e5", "1_0",
    "1__0", "2GiB", "8abc", "steerlang 1\n", '"\\u{41}"', '"\\q"', "1.5.2", '"a\tb"', ":=", "...", "!=", "<", '"""a"""',
    "\f", "\v", "\ufeff", "1.", ".5", "steerlang", "0x1f", "50%a", "1e", "5m", '"\\u{110000}"', '"""\\', "r", "trues",
)  # fmt: skip


@pytest.fixture(scope="module")
def parser(language: Any) -> Any:
    import tree_sitter

    return tree_sitter.Parser(language)


def _difference(parser: Any, text: str) -> str:
    """What the two parsers disagree on; empty where they agree."""
    found = [d for d in parse(Source("x", text))[1] if d.is_error]
    if any(d.code.id in BEYOND or TOO_LARGE in d.message for d in found):
        return ""
    accepted = not parser.parse(text.encode("utf-8")).root_node.has_error
    if accepted == (not found):
        return ""
    return f"tree-sitter accepts it, and here is {found[0].message}" if found else "tree-sitter does not accept it"


def test_programs(parser: Any) -> None:
    """Every program of the checkout: whole ones, and those that are there to fail."""
    wrong = {name: said for name, text in programs().items() if (said := _difference(parser, text))}
    assert wrong == {}


def test_both_kinds_are_in_the_corpus() -> None:
    broken = [name for name, text in programs().items() if any(d.is_error for d in parse(Source(name, text))[1])]
    assert len(broken) >= 20
    assert len(programs()) - len(broken) >= 100


def _mutant(chance: random.Random, text: str, words: list[str]) -> str:
    tokens = [t.text for t in tokenize(Source("x", text))]
    for _ in range(chance.randrange(1, 4)):
        at = chance.randrange(len(tokens))
        match chance.randrange(5):
            case 0:
                tokens[at : at + 1] = [] if len(tokens) > 1 else tokens
            case 1:
                tokens.insert(at, chance.choice(PIECES))
            case 2:
                tokens[at] = chance.choice(words)
            case 3:
                tokens.insert(at, chance.choice(tokens))
            case _:
                other = chance.randrange(len(tokens))
                tokens[at], tokens[other] = tokens[other], tokens[at]
    return "".join(tokens)


@pytest.mark.parametrize("count", [600, pytest.param(20_000, marks=pytest.mark.slow)])
def test_broken_programs(parser: Any, count: int) -> None:
    chance = random.Random(count)
    texts = [text for text in programs().values() if 0 < len(text) < 3000]
    words = [t.text for text in texts for t in tokenize(Source("x", text)) if not t.is_trivia]
    accepted = 0
    for _ in range(count):
        mutant = _mutant(chance, chance.choice(texts), words)
        assert _difference(parser, mutant) == "", mutant
        accepted += not parser.parse(mutant.encode("utf-8")).root_node.has_error
    assert count // 20 < accepted < count // 2


@pytest.mark.parametrize("text", ["", "\ufeffsteerlang 1\n", "steerlang 1", "# only this", *PIECES])
def test_small_texts(parser: Any, text: str) -> None:
    assert _difference(parser, text) == ""
    assert _difference(parser, f"steerlang 1\nlet a = {text}") == ""
    assert _difference(parser, f"steerlang 1\nlet a = f({text})") == ""
    assert _difference(parser, f"steerlang 1\n{text} a = 1") == ""


# ---- queries -------------------------------------------------------------------------------------------------------

CAPTURES = {
    Role.COMMENT: {"comment"}, Role.HEADER: {"keyword"}, Role.EDITION: {"number"}, Role.KIND: {"keyword"},
    Role.DEFINED: {"variable"}, Role.FUNCTION: {"function"}, Role.METHOD: {"function"},
    Role.ARGUMENT: {"variable.parameter"}, Role.OPTION: {"variable"}, Role.NAME: {"variable"},
    Role.MEMBER: {"variable.member"}, Role.CONSTANT: {"boolean", "constant.builtin"},
    Role.OPERATOR_WORD: {"keyword.operator"}, Role.OPERATOR: {"operator"}, Role.NUMBER: {"number"},
    Role.QUANTITY: {"number"}, Role.TEXT: {"string"}, Role.RAW: {"string.regexp"}, Role.BLOCK: {"string"},
    Role.PUNCTUATION: {"operator", "punctuation.bracket", "punctuation.delimiter"},
}  # fmt: skip


def test_highlights_are_those_of_the_lexer(language: Any, parser: Any) -> None:
    import tree_sitter

    query = tree_sitter.Query(language, (GRAMMAR / "queries" / "highlights.scm").read_text(encoding="utf-8"))
    for name, text in programs().items():
        if parse(Source(name, text))[1]:
            continue
        data = text.encode("utf-8")
        matches = sorted(tree_sitter.QueryCursor(query).matches(parser.parse(data).root_node), key=lambda m: m[0])
        shown = {n.start_byte: capture for _, found in matches for capture, nodes in found.items() for n in nodes}
        for part in parts(Source(name, text)):
            at = len(text[: part.token.start].encode("utf-8"))
            if part.role is not Role.SPACE:
                assert shown.get(at) in CAPTURES[part.role], (name, part)


@pytest.mark.parametrize("path", sorted((GRAMMAR / "queries").glob("*.scm")), ids=lambda p: p.stem)
def test_queries_fit_the_grammar(language: Any, path: Path) -> None:
    import tree_sitter

    assert tree_sitter.Query(language, path.read_text(encoding="utf-8")).pattern_count > 0


@pytest.mark.skipif(shutil.which("tree-sitter") is None, reason="needs the tree-sitter command")
def test_the_parser_is_current(tmp_path: Path) -> None:
    shutil.copytree(GRAMMAR, tmp_path / "grammar")
    subprocess.run(["tree-sitter", "generate", "--no-bindings"], cwd=tmp_path / "grammar", check=True, timeout=300)
    for name in ("grammar.json", "node-types.json"):
        assert (tmp_path / "grammar" / "src" / name).read_text() == (GRAMMAR / "src" / name).read_text()
