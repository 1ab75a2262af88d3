"""How many points sweeps multiply to: what no machine can make is said before it is tried."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from steerlang.diagnostics import Diagnostic, codes, error

from .checking import TypedProgram
from .modules import Symbol

MOST = 100_000  # points of one definition; each is an object with a key of its own


def too_many_points(program: TypedProgram, symbols: Iterable[Symbol]) -> Iterator[Diagnostic]:
    """Definitions at more points than can be made, the first one for each set of sweeps."""
    seen: set[frozenset[str]] = set()
    for symbol in symbols:
        axes = program.meanings[symbol].axes
        names = frozenset(axis.name for axis in axes)
        count = math.prod(len(axis.labels) for axis in axes)
        if count <= MOST or names in seen:
            continue
        seen.add(names)
        sizes = " × ".join(f"{len(axis.labels):,}" for axis in axes)
        message = f"`{symbol.label}` would be made at {count:,} points ({sizes})"
        help = f"sweep over fewer values, {MOST:,} points at most, or select some: `name[axis = value]`"
        yield error(codes.OUT_OF_BOUNDS, symbol.span, message, help=help)
