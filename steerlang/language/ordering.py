"""The order definitions are looked at in: each after those it names, so that long chains need no deep recursion."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from steerlang.syntax import tree
from steerlang.syntax.depth import children

from .modules import Symbol

# The parser lets expressions nest 200 levels deep; reading a level of calls takes some ten Python frames.
_FRAMES = 5000


def in_order(symbols: Sequence[Symbol]) -> list[Symbol]:
    """Symbols with those they name before them, else in the order given. Circles are cut anywhere."""
    wanted = set(symbols)
    done: dict[Symbol, None] = {}
    entered: set[Symbol] = set()
    stack = [(s, False) for s in reversed(symbols)]
    while stack:
        symbol, ready = stack.pop()
        if ready:
            done.setdefault(symbol)
        elif symbol not in entered:
            entered.add(symbol)
            stack.append((symbol, True))
            needed = [n for n in _named(symbol) if n in wanted and n not in entered]
            stack.extend((n, False) for n in reversed(needed))
    return list(done)


def _named(symbol: Symbol) -> Iterator[Symbol]:
    """Definitions whose names stand in a definition, as far as its text tells."""
    module = symbol.module
    todo: list[tree.Expr] = [symbol.definition.value]
    while todo:
        expr = todo.pop()
        if isinstance(expr, tree.Name) and expr.id in module.symbols:
            yield module.symbols[expr.id]
        elif (
            isinstance(expr, tree.Member) and isinstance(expr.subject, tree.Name) and expr.subject.id in module.imports
        ):
            found = module.imports[expr.subject.id].symbols.get(expr.name.id)
            if found is not None:
                yield found
        else:
            todo.extend(children(expr))


@contextmanager
def deep_enough() -> Iterator[None]:
    """Room on the stack for the deepest expression the parser lets pass, wherever the caller stands."""
    before = sys.getrecursionlimit()
    depth = sum(1 for _ in traceback.walk_stack(None))
    sys.setrecursionlimit(max(before, depth + _FRAMES))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)
