"""Example programs with one small mistake in each, and what the whole checker says about them."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from language.language_programs import compiled

from steerlang.source import Source
from steerlang.syntax.lexing import Token, significant, tokenize

ROOT = Path(__file__).parents[2]
SPECS = ROOT / "specs"
HERE = Path(__file__).parent / "programs"
IMPORTED = {"common.steer": (SPECS / "common.steer").read_text(encoding="utf-8")}


@dataclass(frozen=True, slots=True)
class Mutant:
    """A changed program; `line` is where the change is, `what` says which."""

    name: str
    text: str
    line: int
    what: str


def examples() -> list[Source]:
    """The programs of `specs/`, and further ones that use the rest of the language."""
    paths = [SPECS / "quickstart.steer", SPECS / "two_vectors.steer", *sorted(HERE.glob("*.steer"))]
    return [Source(p.name, p.read_text(encoding="utf-8")) for p in paths]


def mutants(sources: list[Source], count: int, seed: int) -> Iterator[Mutant]:
    chance = random.Random(seed)
    tokens = {s.name: significant(tokenize(s)) for s in sources}
    pool = sorted({t.text for found in tokens.values() for t in found if t.text})
    for _ in range(count):
        source = chance.choice(sources)
        token = chance.choice(tokens[source.name])
        kind = chance.choice(("delete", "duplicate", "insert", "replace", "letters"))
        changed = _changed(token, kind, chance.choice(pool), chance)
        text = source.text[: token.start] + changed + source.text[token.end :]
        if text != source.text:
            yield Mutant(source.name, text, token.span.first.line, f"{kind} {token.text!r} → {changed!r}")


def _changed(token: Token, kind: str, other: str, chance: random.Random) -> str:
    if kind == "letters":
        return misspelt(token.text, chance)
    return {"delete": "", "duplicate": f"{token.text} {token.text}", "insert": f"{other} {token.text}"}.get(
        kind, f" {other} "
    )


def misspelt(word: str, chance: random.Random) -> str:
    """A name with two neighbouring letters swapped; a number with another last digit."""
    if re.fullmatch(r"[A-Za-z_]\w+", word):
        at = chance.randrange(len(word) - 1)
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return re.sub(r"\d(?=\D*$)", lambda m: str((int(m[0]) + 3) % 10), word)


@dataclass
class Tally:
    """What the checker said about many mutants."""

    total: int = 0
    detected: int = 0
    near: int = 0
    exact: int = 0
    single: int = 0
    errors: int = 0

    def share(self, name: str) -> float:
        return float(getattr(self, name)) / max(1, self.detected)


def tally(count: int, seed: int) -> tuple[Tally, list[tuple[Mutant, list[str]]]]:
    """The figures of `count` mutants, and those whose first diagnostic stands elsewhere or that give many."""
    result, odd = Tally(), []
    for mutant in mutants(examples(), count, seed):
        diagnostics = compiled(mutant.text, IMPORTED).diagnostics
        result.total += 1
        if not diagnostics:
            continue
        result.detected += 1
        result.errors += any(d.is_error for d in diagnostics)
        places = [d.primary.span for d in diagnostics if d.primary is not None]
        lines = [p.first.line for p in places if p.source.name == "main.steer"]
        away = abs(lines[0] - mutant.line) if lines else 99
        result.near += away <= 1
        result.exact += away == 0
        result.single += len(diagnostics) == 1
        if away > 1 or len(diagnostics) > 3:
            odd.append(
                (mutant, [f"{line} {d.code.id} {d.message}" for line, d in zip(lines, diagnostics, strict=False)])
            )
    return result, odd
