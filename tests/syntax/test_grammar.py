"""The grammar file itself: no conflicts, no unused part, small, and the same as what is documented."""

from __future__ import annotations

import re
import subprocess
import sys

from lark import Lark, Tree
from lark.lexer import Lexer

from steerlang.syntax.build import TreeBuilder
from steerlang.syntax.generating import build_tables
from steerlang.syntax.tables import TABLES_FILE, folders, grammar_text, tables, to_json

from .corpus import programs


class _NoLexer(Lexer):
    def __init__(self, conf: object) -> None: ...

    def lex(self, lexer_state: object, parser_state: object) -> None: ...  # type: ignore[override]


def test_no_conflicts() -> None:
    Lark(grammar_text(), parser="lalr", strict=True, lexer=_NoLexer)


def test_the_kept_tables_are_current() -> None:
    made = build_tables(grammar_text())
    kept = (folders()[1] / TABLES_FILE).read_text(encoding="utf-8")
    assert kept == to_json(made), "run `python -m steerlang.syntax.generating`"
    assert tables() == made


def test_parsing_does_not_import_lark() -> None:
    code = (
        "import sys; from steerlang.source import Source; from steerlang.syntax import parse; "
        "from steerlang.syntax.printing import format_source; s = Source('a', 'steerlang 1\\nlet a = f(1, [2])\\n'); "
        "assert not parse(s)[1]; format_source(s); print([m for m in ('lark', 'rich', 'torch') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_the_grammar_stays_small_and_knows_no_vocabulary() -> None:
    lines = [line for line in grammar_text().splitlines() if line.strip() and not line.startswith("//")]
    assert len(lines) <= 50
    words = set(re.findall(r'"([a-z]+)"', grammar_text()))
    assert words == {"steerlang", "and", "or", "not", "true", "false", "none"}


def _built_rules(lark: Lark) -> set[str]:
    """Rules and aliases that reach the builder: neither helpers nor those that give way to a single child."""
    return {
        str(rule.alias or rule.origin.name) for rule in lark.rules
        if rule.alias or not (rule.options.expand1 or str(rule.origin.name).startswith("_"))
    }


def test_every_rule_occurs_in_the_programs() -> None:
    lark = Lark(grammar_text(), parser="lalr", lexer="contextual", keep_all_tokens=True)
    seen = {str(tree.data) for source in programs() for tree in lark.parse(source.text).iter_subtrees()}
    assert seen == _built_rules(lark) - {"broken"}


def test_every_rule_has_a_builder() -> None:
    lark = Lark(grammar_text(), parser="lalr", start=["item", "expr"])
    assert {name for name in _built_rules(lark) if not hasattr(TreeBuilder, name)} == set()


def test_whole_files_parse_with_the_grammar_alone() -> None:
    lark = Lark(grammar_text(), parser="lalr", lexer="contextual")
    for source in programs():
        assert isinstance(lark.parse(source.text), Tree)
