"""Two programs compared by meaning: layout, order, comments and defaults that are written out make no difference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from steerlang.language.compiling import Compiled
from steerlang.language.meaning import keys_of, options_of
from steerlang.language.modules import Symbol, every


@dataclass(frozen=True)
class Change:
    """One option with its values in the first and in the second program; None where it has no such option."""

    option: str
    first: str | None
    second: str | None


@dataclass(frozen=True)
class Changed:
    """A definition of both programs that says something else. `second` is its name there, where it was renamed."""

    name: str
    kind: str
    changes: tuple[Change, ...]


@dataclass(frozen=True)
class ProgramDifference:
    """Definitions by name.

    renamed   the same under another name
    changed   other options
    affected  the same options, but made of something that changed
    """

    added: tuple[tuple[str, str], ...]
    removed: tuple[tuple[str, str], ...]
    renamed: tuple[tuple[str, str], ...]
    changed: tuple[Changed, ...]
    affected: tuple[str, ...]

    @property
    def equal(self) -> bool:
        return not (self.added or self.removed or self.renamed or self.changed or self.affected)


def compare_programs(first: Compiled, second: Compiled) -> ProgramDifference:
    """What differs between two checked programs. Files that they read are compared by name, not by content."""
    a, b = _symbols(first), _symbols(second)
    keys_a, keys_b = keys_of(first.program), keys_of(second.program)
    renamed = _renamed(a, b, keys_a, keys_b)
    changed, affected = [], []
    for name, symbol in a.items():
        other = b.get(name)
        if other is None or keys_a[symbol] == keys_b[other]:
            continue
        changes = _changes(symbol, other, first, second, renamed)
        if changes:
            changed.append(Changed(name, symbol.kind, changes))
        else:
            affected.append(name)
    new = set(renamed.values())
    return ProgramDifference(
        tuple((n, s.kind) for n, s in b.items() if n not in a and n not in new),
        tuple((n, s.kind) for n, s in a.items() if n not in b and n not in renamed),
        tuple(renamed.items()), tuple(changed), tuple(affected),
    )  # fmt: skip


def _symbols(compiled: Compiled) -> dict[str, Symbol]:
    return {s.label: s for s in every(compiled.module) if s.kind != "import"}


def _renamed(
    a: Mapping[str, Symbol], b: Mapping[str, Symbol], keys_a: Mapping[Symbol, str], keys_b: Mapping[Symbol, str],
) -> dict[str, str]:
    """Names that are gone, each with a new name of the same meaning, in the order written."""
    free: dict[str, list[str]] = {}
    for name, symbol in b.items():
        if name not in a:
            free.setdefault(keys_b[symbol], []).append(name)
    found = {}
    for name, symbol in a.items():
        if name not in b and free.get(keys_a[symbol]):
            found[name] = free[keys_a[symbol]].pop(0)
    return found


def _changes(
    symbol: Symbol, other: Symbol, first: Compiled, second: Compiled, renamed: Mapping[str, str],
) -> tuple[Change, ...]:
    before = options_of(first.program.meanings[symbol], lambda s: renamed.get(s.label, s.label))
    after = options_of(second.program.meanings[other], lambda s: s.label)
    kinds = [] if symbol.kind == other.kind else [Change("kind", symbol.kind, other.kind)]
    every_option = dict.fromkeys([*before, *after])
    changes = (Change(o, before.get(o), after.get(o)) for o in every_option if before.get(o) != after.get(o))
    return (*kinds, *changes)
