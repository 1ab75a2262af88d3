"""The grammar file, and the Lark parser built from it.

The grammar is normative and lives in `grammar/steerlang.lark`; wheels carry it as `steerlang/_grammar/`. Lark builds
the LALR tables; tokens come from our own lossless lexer (`lexing`), which takes its patterns from the same file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from lark import Lark
from lark.lexer import Lexer, PatternStr, TerminalDef

from .build import TreeBuilder

GRAMMAR_FILE = "steerlang.lark"

#: Words the grammar writes as keywords but that are ordinary names everywhere except in the header.
SOFT_KEYWORDS = frozenset({"steerlang"})

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class _FedByHand(Lexer):
    """Stands where Lark wants a lexer: tokens are fed one by one, so this one is never asked."""

    def __init__(self, conf: object) -> None:
        """Lark passes its lexer configuration; nothing of it is needed."""

    def lex(self, lexer_state: Any, parser_state: Any) -> Iterator[Any]:
        raise NotImplementedError("steerlang feeds its own tokens")


def grammar_text() -> str:
    """Text of the grammar file: from the wheel, or from `grammar/` of a source checkout."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "_grammar", package.parent / "grammar"):
        if (folder / GRAMMAR_FILE).is_file():
            return (folder / GRAMMAR_FILE).read_text(encoding="utf-8")
    from importlib import resources  # only where the package is no folder: the import costs a cold start 20 ms

    return (resources.files("steerlang") / "_grammar" / GRAMMAR_FILE).read_text(encoding="utf-8")


@cache
def parser() -> Lark:
    """The LALR(1) parser for one item or one expression; conflicts in the grammar are errors."""
    return Lark(
        grammar_text(), parser="lalr", lexer=_FedByHand, start=["item", "expr"], strict=True,
        keep_all_tokens=True, maybe_placeholders=False, transformer=TreeBuilder(),
    )


def terminals() -> list[TerminalDef]:
    """Terminals of the grammar in the order in which they are tried: priority first, then the longest pattern."""
    return sorted(
        parser().terminals,
        key=lambda t: (-t.priority, -t.pattern.max_width, -len(t.pattern.value), t.name),
    )


@cache
def keywords() -> dict[str, str]:
    """Reserved words and the terminals they are: `and or not true false none`."""
    return {
        t.pattern.value: t.name for t in parser().terminals
        if isinstance(t.pattern, PatternStr) and _NAME.fullmatch(t.pattern.value)
        and t.pattern.value not in SOFT_KEYWORDS
    }
