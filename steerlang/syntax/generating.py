"""Lark at work: from the grammar file to LALR tables. The only module that imports Lark."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from lark import Lark
from lark.lexer import Lexer, PatternStr
from lark.parsers.lalr_analysis import Shift

from .tables import STARTS, TABLES_FILE, Rule, Tables, checksum, folders, grammar_text, to_json

#: Words the grammar writes as keywords but that are ordinary names everywhere except in the header.
SOFT_KEYWORDS = frozenset({"steerlang"})

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class _NoLexer(Lexer):
    """Stands where Lark wants a lexer: ours takes the patterns from the tables."""

    def __init__(self, conf: object) -> None:
        """Lark passes its lexer configuration; nothing of it is needed."""

    def lex(self, lexer_state: Any, parser_state: Any) -> Iterator[Any]:
        raise NotImplementedError("steerlang has its own lexer")


def build_tables(text: str) -> Tables:
    """The tables of a grammar; conflicts in it are errors."""
    lark = Lark(text, parser="lalr", lexer=_NoLexer, start=list(STARTS), strict=True, keep_all_tokens=True,
                maybe_placeholders=False)
    table: Any = lark.parser.parser._parse_table  # Lark names no public way to it
    rules = sorted(lark.rules, key=lambda r: (r.origin.name, [s.name for s in r.expansion], r.alias or ""))
    numbers = {rule: number for number, rule in enumerate(rules)}
    order = _canonical(table)
    states = [
        {
            symbol: order[arg] if action is Shift else -1 - numbers[arg]
            for symbol, (action, arg) in sorted(table.states[state].items())
        }
        for state in order
    ]
    return Tables(
        checksum(text), *_lexis(lark), [_rule(rule) for rule in rules], states,
        {start: order[table.start_states[start]] for start in STARTS},
        {start: order[table.end_states[start]] for start in STARTS},
    )


def _canonical(table: Any) -> dict[int, int]:
    """Lark's states and the numbers they get here, in that order: Lark's own numbers differ from run to run."""
    order: dict[int, int] = {}
    waiting = [table.start_states[start] for start in STARTS]
    for state in waiting:  # grows while it is walked
        if state not in order:
            order[state] = len(order)
            waiting.extend(arg for _, (action, arg) in sorted(table.states[state].items()) if action is Shift)
    return order


def _rule(rule: Any) -> Rule:
    name = str(rule.origin.name)
    is_helper = name.startswith("_")
    size = len(rule.expansion)
    passes_on = is_helper or (rule.options.expand1 and not rule.alias and size == 1)
    return Rule(name, size, "" if passes_on else str(rule.alias or name), is_helper)


def _lexis(lark: Lark) -> tuple[list[list[str]], dict[str, str]]:
    """Terminals in the order in which they are tried (priority first, then the longest pattern), and the keywords."""
    ordered = sorted(
        lark.terminals, key=lambda t: (-t.priority, -t.pattern.max_width, -len(t.pattern.value), t.name),
    )
    words = {
        t.pattern.value: str(t.name) for t in ordered
        if isinstance(t.pattern, PatternStr) and _NAME.fullmatch(t.pattern.value)
    }
    patterns = [[str(t.name), t.pattern.to_regexp()] for t in ordered if t.pattern.value not in words]
    return patterns, {word: name for word, name in sorted(words.items()) if word not in SOFT_KEYWORDS}


if __name__ == "__main__":
    (folders()[1] / TABLES_FILE).write_text(to_json(build_tables(grammar_text())), encoding="utf-8")
