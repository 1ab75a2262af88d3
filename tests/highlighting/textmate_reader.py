"""A small reader of TextMate grammars: enough of them for ours, written from the description of the format.

Line by line; at each place the rule whose match begins first wins, the earlier one where two begin together.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Rule = dict[str, Any]


@dataclass(frozen=True)
class Piece:
    """A piece of text and its innermost scope, without the name of the language; empty where it has none."""

    start: int
    end: int
    scope: str


class Reader:
    def __init__(self, grammar: Rule) -> None:
        self.grammar = grammar
        self._compiled: dict[str, re.Pattern[str]] = {}

    def pieces(self, text: str) -> list[Piece]:
        found: list[Piece] = []
        stack: list[Rule] = []
        start = 0
        for line in text.splitlines(keepends=True):
            found += self._line(line, start, stack)
            start += len(line)
        return found

    def _line(self, line: str, start: int, stack: list[Rule]) -> Iterator[Piece]:
        at = 0
        while at <= len(line):
            around = stack[-1] if stack else None
            match, rule, ends = self._next(line, at, around)
            scope = _scope(around)
            if match is None or rule is None:
                yield Piece(start + at, start + len(line), scope)
                return
            if match.start() > at:
                yield Piece(start + at, start + match.start(), scope)
            if ends:
                yield Piece(start + match.start(), start + match.end(), scope)
                stack.pop()
            elif "begin" in rule:
                yield Piece(start + match.start(), start + match.end(), _scope(rule))
                stack.append(rule)
            else:
                yield from _captures(match, rule, start, scope)
            if match.end() == at and not ends:
                at += 1
            else:
                at = match.end()

    def _next(self, line: str, at: int, around: Rule | None) -> tuple[re.Match[str] | None, Rule | None, bool]:
        best: re.Match[str] | None = None
        chosen: tuple[Rule | None, bool] = (None, False)
        candidates = [(around, True)] if around is not None else []
        inside = self.grammar["patterns"] if around is None else around.get("patterns", [])
        candidates += [(rule, False) for rule in self._resolved(inside)]
        for rule, ends in candidates:
            assert rule is not None
            match = self._regex(rule["end"] if ends else rule.get("match", rule.get("begin"))).search(line, at)
            if match is not None and (best is None or match.start() < best.start()):
                best, chosen = match, (rule, ends)
        return best, chosen[0], chosen[1]

    def _resolved(self, rules: list[Rule]) -> Iterator[Rule]:
        for rule in rules:
            if "include" in rule:
                yield from self._resolved([self.grammar["repository"][rule["include"].removeprefix("#")]])
            elif "match" in rule or "begin" in rule:
                yield rule
            else:
                yield from self._resolved(rule["patterns"])

    def _regex(self, text: str) -> re.Pattern[str]:
        if text not in self._compiled:
            self._compiled[text] = re.compile(text, re.MULTILINE)
        return self._compiled[text]


def _scope(rule: Rule | None) -> str:
    return "" if rule is None else str(rule.get("name", "")).removesuffix(".steerlang")


def _captures(match: re.Match[str], rule: Rule, start: int, around: str) -> Iterator[Piece]:
    whole = _scope(rule) or around
    at = match.start()
    for number, capture in sorted(rule.get("captures", {}).items(), key=lambda c: int(c[0])):
        first, last = match.span(int(number))
        if first > at:
            yield Piece(start + at, start + first, whole)
        yield Piece(start + first, start + last, _scope(capture))
        at = last
    if at < match.end():
        yield Piece(start + at, start + match.end(), whole)
