"""The LALR tables and terminals of the grammar, built by Lark and kept beside the grammar file.

Building them takes Lark some 50 ms and importing Lark as long again, which every command would pay. So they are
derived once (`python -m steerlang.syntax.generating`) into `grammar/steerlang.tables.json`; a test checks that they are
current. Where they do not belong to the grammar file, they are built on the spot.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

GRAMMAR_FILE = "steerlang.lark"
TABLES_FILE = "steerlang.tables.json"
STARTS = ("item", "expr")


@dataclass(frozen=True, slots=True)
class Rule:
    """One alternative of a rule: it replaces `size` symbols by `head` and calls `builder` on them.

    Without a builder it is either a helper Lark made for a repetition, whose symbols belong to the rule around it, or
    it passes its single symbol on.
    """

    head: str
    size: int
    builder: str
    is_helper: bool


@dataclass(frozen=True, slots=True)
class Tables:
    """`states[s][symbol]` is the state to go to, or `-1 - r` to reduce by rule `r`. `ends` are accepting states."""

    grammar: int  # checksum of the grammar file these were built from
    terminals: list[list[str]]  # name and pattern, in the order in which they are tried
    keywords: dict[str, str]  # word and terminal
    rules: list[Rule]
    states: list[dict[str, int]]
    starts: dict[str, int]
    ends: dict[str, int]


def grammar_text() -> str:
    """Text of the grammar file."""
    text = _read(GRAMMAR_FILE)
    assert text is not None, f"{GRAMMAR_FILE} is missing from the installation"
    return text


@cache
def tables() -> Tables:
    text = grammar_text()
    kept = _read(TABLES_FILE)
    if kept is not None:
        fields: dict[str, Any] = json.loads(kept)
        if fields["grammar"] == checksum(text):
            return Tables(**{**fields, "rules": [Rule(**rule) for rule in fields["rules"]]})
    from .generating import build_tables

    return build_tables(text)


def checksum(text: str) -> int:
    return zlib.crc32(text.encode("utf-8"))


def to_json(made: Tables) -> str:
    """The tables as text, a rule and a state on a line each."""
    fields = asdict(made)
    lines = []
    for name, value in fields.items():
        if isinstance(value, list):
            rows = ",\n    ".join(json.dumps(row) for row in value)
            lines.append(f'  "{name}": [\n    {rows}\n  ]')
        else:
            lines.append(f'  "{name}": {json.dumps(value)}')
    return "{\n" + ",\n".join(lines) + "\n}\n"


def shipped(name: str) -> str:
    """A file that lies beside the grammar, as text."""
    text = _read(name)
    assert text is not None, f"{name} is missing from the installation"
    return text


def folders() -> tuple[Path, Path]:
    """Where the grammar lies: in a wheel, or in a source checkout."""
    package = Path(__file__).resolve().parents[1]
    return package / "_grammar", package.parent / "grammar"


def _read(name: str) -> str | None:
    for folder in folders():
        if (folder / name).is_file():
            return (folder / name).read_text(encoding="utf-8")
    from importlib import resources  # only where the package is no folder: the import costs a cold start 20 ms

    file = resources.files("steerlang") / "_grammar" / name
    return file.read_text(encoding="utf-8") if file.is_file() else None

