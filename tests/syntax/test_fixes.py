"""Fixes mend what they promise to mend, and several mistakes in one file are all reported."""

from __future__ import annotations

import random

from steerlang.diagnostics.model import Diagnostic, Fix
from steerlang.source import Source
from steerlang.syntax import parse
from steerlang.syntax.reading import read_source

from .corpus import programs
from .golden import cases
from .mutants import change_token, tokens_of


def applied(source: Source, fix: Fix) -> Source:
    text = source.text
    for edit in sorted(fix.edits, key=lambda e: e.span.start, reverse=True):
        text = text[: edit.span.start] + edit.text + text[edit.span.end :]
    return Source(source.name, text)


def _key(diagnostic: Diagnostic) -> tuple[str, str]:
    return diagnostic.code.id, diagnostic.message


def test_every_fix_removes_its_own_mistake() -> None:
    count = 0
    for case in cases("errors"):
        source, _ = read_source(case, case.name)
        assert source is not None
        found = parse(source)[1]
        for diagnostic in found:
            for fix in diagnostic.fixes:
                after = parse(applied(source, fix))[1]
                key = _key(diagnostic)
                assert len(after) <= len(found), (case.name, key, [_key(d) for d in after])
                assert [_key(d) for d in after].count(key) < [_key(d) for d in found].count(key), (case.name, key)
                count += 1
    assert count > 40


def test_several_mistakes_in_one_file_are_all_reported() -> None:
    chance = random.Random(3)
    seeded = reported = 0
    for _ in range(60):
        text, ends = _with_mistakes(chance)
        lines = [d.primary.span.first.line for d in parse(Source("several", text))[1] if d.primary]
        seeded += len(ends)
        reported += sum(1 for first, last in ends if any(first <= line <= last for line in lines))
    assert seeded > 200
    assert reported / seeded >= 0.99


def _with_mistakes(chance: random.Random) -> tuple[str, list[tuple[int, int]]]:
    """A program in which every other definition has one mistake, and the lines those definitions stand on."""
    text, ends = "steerlang 1\n", []
    source = chance.choice(programs())
    for i, definition in enumerate(parse(source)[0].definitions):
        item = definition.span.text
        if i % 2:
            item = _detected(item, chance)
            first = text.count("\n") + 1
            ends.append((first, first + item.count("\n")))
        text += item + "\n"
    return text, ends


def _detected(item: str, chance: random.Random) -> str:
    """The definition with one token changed so that syntax alone sees it."""
    while True:
        source = Source("item", item)
        tokens = tokens_of(source)
        other = chance.choice(tokens).text
        kind = chance.choice(("delete", "duplicate", "insert", "replace"))
        changed = change_token(source, chance.choice(tokens), kind, other).source.text
        if '"""' not in changed and parse(Source("item", f"steerlang 1\n{changed}"))[1]:
            return changed
