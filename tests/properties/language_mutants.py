"""Example programs with one small mistake in each, and what the whole checker says about them."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from language.language_programs import TALKS, compiled, fake_vector

from steerlang.data import RowOptions
from steerlang.data.demonstrations import Contains
from steerlang.graph.facts import (
    DataFacts,
    DiskFacts,
    DocumentFacts,
    FakeFacts,
    ModelFacts,
    ModelReference,
    Trouble,
    VectorFacts,
    fake_data,
    fake_model,
)
from steerlang.language.compiling import Compiled
from steerlang.source import Source, Span
from steerlang.syntax import parse, tree
from steerlang.syntax.depth import children
from steerlang.syntax.lexing import Token, significant, tokenize

ROOT = Path(__file__).parents[2]
SPECS = ROOT / "specs"
HERE = Path(__file__).parent / "programs"
COMMON = (SPECS / "common.steer").read_text(encoding="utf-8")
IMPORTED = {"common.steer": COMMON, "../common.steer": COMMON}
# Programs of weights and of concepts that need nothing of files but their columns.
OF_WEIGHTS = (
    "weights/arithmetic.steer",
    "weights/blocks.steer",
    "weights/language_model.steer",
    "weights/methods.steer",
    "weights/numbers_in_a_file.steer",
    "weights/steered.steer",
    "weights/ties.steer",
    "concepts/scenes.steer",
)
# They show what centring does, what files of other tools lack, and what a model without an image processor cannot do.
WARNS = {"pca.steer", "vector_files.steer", "clip_score.steer"}


class AnyFacts(FakeFacts):
    """A world that has every model and every file, with the columns that are asked for."""

    def model(self, reference: ModelReference) -> ModelFacts:
        return fake_model(reference.id, layers=12, tokenizer=TALKS)

    def document(self, path: str, base_folder: str) -> DocumentFacts | Trouble:
        """The document that a program of `specs/` names."""
        own = SPECS / path.removeprefix("../")
        return DiskFacts().document(str(own), base_folder) if own.is_file() else super().document(path, base_folder)

    def vector(self, path: str, base_folder: str) -> VectorFacts:
        form = "gguf" if path.endswith(".gguf") else "steerlang"
        return fake_vector(path, form, {"select": "residual"}, "../models/courtesy")

    def data(
        self, path: str, format: str, base_folder: str, columns: Mapping[str, str], options: RowOptions | None = None
    ) -> DataFacts | tuple[Trouble, ...]:
        wanted = {
            f.column: str(f.word if isinstance(f, Contains) else f.value) for f in (options.where if options else ())
        }
        rows = [{**{c: f"{c} {i}" for c in columns.values()}, **wanted} for i in range(12)]
        return fake_data(path, rows, format, columns, options)


@dataclass(frozen=True, slots=True)
class Mutant:
    """A changed program; `line` is where the change is, `what` says which."""

    name: str
    text: str
    line: int
    what: str


def examples() -> list[Source]:
    """The programs of `specs/`, and further ones that use the rest of the language."""
    paths = [p for folder in (SPECS, SPECS / "methods", HERE) for p in sorted(folder.glob("*.steer"))]
    paths += [SPECS / name for name in OF_WEIGHTS]
    return [Source(p.name, p.read_text(encoding="utf-8")) for p in paths if p.name not in WARNS]


def checked(text: str) -> Compiled:
    return compiled(text, IMPORTED, facts=AnyFacts())


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
        diagnostics = checked(mutant.text).diagnostics
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


def unfinished() -> list[Source]:
    """Programs of the language as it is designed, with functions that do not exist yet."""
    return [Source(p.name, p.read_text(encoding="utf-8")) for p in sorted((HERE / "unfinished").glob("*.steer"))]


# Expressions that fit in few places.
ODD = [
    *(
        "none",
        "true",
        "1..2",
        "50%",
        "{a = 1}",
        "[]",
        "[[]]",
        "-1",
        "last - 1",
        '"x"',
        "2GiB",
        "1e400",
        "0",
        "not true",
    ),
    *("icv", "all", "pca(center = none)", "[1, last]", "1 / 0", "number(default = 1)", "1e308 * 10", "m", "s"),
]


def spliced(sources: list[Source], count: int, seed: int) -> Iterator[str]:
    """Programs with one expression, of any size, replaced by another."""
    chance = random.Random(seed)
    spans = [span for s in sources for d in parse(s)[0].definitions for span in _expressions(d.value)]
    texts = sorted({s.text for s in spans}) + ODD * 3
    for _ in range(count):
        span = chance.choice(spans)
        yield span.source.text[: span.start] + chance.choice(texts) + span.source.text[span.end :]


def _expressions(value: tree.Expr) -> Iterator[Span]:
    todo = [value]
    while todo:
        expr = todo.pop()
        yield expr.span
        todo.extend(children(expr))
