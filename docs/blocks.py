"""The code on the pages: fenced blocks, with what is said of each in an HTML comment on the line above it.

    <!-- steer: run -->                    a whole program that is checked and run
    <!-- steer: run, file polite.steer --> the same, and later blocks of the page find it under this name
    <!-- steer: run, slow -->              a program that is run among the slow tests
    <!-- steer: same specs/x.steer -->     the text of that file
    <!-- steer: part -->                   definitions, checked after those of `PRELUDE` they lack
    <!-- steer: errors SL411 SL302 -->     a program with exactly these errors; `warnings SL711` likewise
    <!-- steer: later -->                  a program of things to come; only its syntax is checked
    <!-- python: run -->                   Python that is run, all blocks of a page one after the other
    <!-- output: refresh -->               a `console` block whose output `outputs.py` writes anew

A `steer` block without a comment is a whole program that is checked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent

PRELUDE = {
    "base": 'model base = hf("models/courtesy")',
    "manners": 'data manners = jsonl("data/manners.jsonl", source = "rude", target = "polite")',
    "casual": 'data casual = jsonl("data/formality.jsonl", source = "casual", target = "formal")',
    "polite": "vector polite = extract(base, manners)",
    "formal": "vector formal = extract(base, casual)",
    "requests": 'data requests = lines("data/requests.txt")',
    "polite_words": 'data polite_words = lines("data/polite_words.txt")',
    "kind": "model kind = apply(base, add(polite, layers = 25%..75%, scale = 0.5))",
    "replies": "samples replies = generate([base, kind], requests)",
    "politeness": "metric politeness = word_share(replies, words = polite_words)",
}

_FENCE = re.compile(r"^( *)```(\w*)\s*$")
_COMMENT = re.compile(r"^<!-- (\w+): (.*?) -->\s*$")
_DEFINITION = re.compile(r"^\w+\s+(\w+)\s*=", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block. Its text is `count` lines from `line` on, from 1; `said` is what the comment above it says."""

    page: Path
    line: int
    count: int
    language: str
    text: str
    said: Mapping[str, tuple[str, ...]]

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def program(self) -> str:
        """The text as a whole program."""
        if "part" not in self.said:
            return self.text
        own = set(_DEFINITION.findall(self.text))
        return "\n".join(["steerlang 1", *(line for name, line in PRELUDE.items() if name not in own), self.text])


def pages() -> list[Path]:
    """All pages with code on them."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    lines = page.read_text(encoding="utf-8").splitlines()
    start, language, said = 0, "", {}
    for number, line in enumerate(lines, 1):
        fence = _FENCE.match(line)
        if fence is None:
            continue
        if start:
            text = "".join(f"{one}\n" for one in lines[start - 1 : number - 1])
            yield Block(page, start, number - start, language, text, said)
            start = 0
        else:
            start, language = number + 1, fence.group(2)
            said = _said(lines[number - 2]) if number > 1 else {}


def _said(line: str) -> dict[str, tuple[str, ...]]:
    comment = _COMMENT.match(line)
    if comment is None:
        return {}
    parts = [part.split() for part in comment.group(2).split(",")]
    return {words[0]: tuple(words[1:]) for words in parts if words}
