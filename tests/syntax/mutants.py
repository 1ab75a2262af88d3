"""Small mistakes put into valid programs: one token or one line changed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from steerlang.source import Source
from steerlang.syntax.lexing import Token, significant, tokenize


@dataclass(frozen=True, slots=True)
class Mutant:
    """A changed program; `line` is where in it the change is, `what` says which change."""

    source: Source
    line: int
    what: str


def mutants(sources: list[Source], count: int, seed: int) -> Iterator[Mutant]:
    chance = random.Random(seed)
    tokens = {source.name: tokens_of(source) for source in sources}
    pool = sorted({token.text for found in tokens.values() for token in found})
    for _ in range(count):
        source = chance.choice(sources)
        kind = chance.choice(("delete", "duplicate", "insert", "replace", "swap lines"))
        if kind == "swap lines":
            mutant = _swap_lines(source, chance)
        else:
            mutant = change_token(source, chance.choice(tokens[source.name]), kind, chance.choice(pool))
        if mutant is not None and mutant.source.text != source.text:
            yield mutant


def change_token(source: Source, token: Token, kind: str, other: str) -> Mutant:
    text = source.text
    pieces = {
        "delete": "", "duplicate": f"{token.text} {token.text}", "insert": f"{other} {token.text}",
        "replace": f" {other} ",
    }
    changed = text[: token.start] + pieces[kind] + text[token.end :]
    return Mutant(Source(source.name, changed), token.span.first.line, f"{kind} {token.text!r} ({other!r})")


def _swap_lines(source: Source, chance: random.Random) -> Mutant | None:
    lines = source.text.split("\n")
    first = chance.randrange(len(lines) - 1)
    lines[first], lines[first + 1] = lines[first + 1], lines[first]
    return Mutant(Source(source.name, "\n".join(lines)), first + 1, "swap lines")


def tokens_of(source: Source) -> list[Token]:
    return significant(tokenize(source))
