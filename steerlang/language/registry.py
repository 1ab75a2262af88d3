"""The vocabulary as one table: kinds, functions, operators. Nothing else lists them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from .signature import Function, Operator
from .types import Type

Named = TypeVar("Named", "Kind", Function)


@dataclass(frozen=True, slots=True)
class Kind:
    """What a definition may be declared as. `types` are the types its value may have (empty: checked by rule)."""

    name: str
    help: str
    types: tuple[Type, ...]
    example: str
    runs: bool = False  # whether something is carried out because it was written
    importable: bool = True

    def accepts(self, type: Type) -> bool:
        return any(t.accepts(type) for t in self.types)


class Registry:
    """Immutable once built; duplicate entries are a mistake of ours and raise at once."""

    def __init__(self, kinds: Iterable[Kind], functions: Iterable[Function], operators: Iterable[Operator]) -> None:
        self.kinds: dict[str, Kind] = _by_name(kinds)
        self.functions: dict[str, Function] = _by_name(functions)
        self.operators: tuple[Operator, ...] = tuple(operators)

    def function(self, name: str) -> Function | None:
        return self.functions.get(name)

    def functions_giving(self, *types: Type) -> list[str]:
        """Names of functions whose declared result is one of `types` (rules that depend on arguments are included)."""
        return sorted(f.name for f in self.functions.values() if not isinstance(f.result, Type) or f.result in types)

    def operator(self, symbol: str, operands: tuple[Type, ...]) -> Operator | None:
        for op in self.operators:
            if (
                op.symbol == symbol
                and len(op.operands) == len(operands)
                and all(wanted.accepts(given) for wanted, given in zip(op.operands, operands, strict=True))
            ):
                return op
        return None

    def operators_for(self, symbol: str) -> list[Operator]:
        return [op for op in self.operators if op.symbol == symbol]


def _by_name(entries: Iterable[Named]) -> dict[str, Named]:
    table: dict[str, Named] = {}
    for entry in entries:
        if entry.name in table:
            raise ValueError(f"`{entry.name}` is declared twice")
        table[entry.name] = entry
    return table
