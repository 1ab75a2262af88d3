"""A program as a drawing: its definitions and which of them each is made of, or the operations behind them."""

from __future__ import annotations

from collections.abc import Collection

from steerlang.diagnostics import codes, error
from steerlang.diagnostics.suggest import did_you_mean
from steerlang.graph.naming import name_nodes
from steerlang.graph.node import walk
from steerlang.language.compiling import Compiled
from steerlang.language.modules import Symbol, every
from steerlang.reports.drawing import Drawing, Vertex

from .explaining import names_in
from .settings import SteerlangError


def definitions_of(compiled: Compiled, names: Collection[str] = ()) -> Drawing:
    """Every definition, or those that `names` need. Raises SteerlangError for an unknown name."""
    meanings = compiled.program.meanings
    symbols = [s for s in every(compiled.module) if s.kind != "import"]
    inputs = {s: list(dict.fromkeys(names_in(meanings[s]))) for s in symbols}
    wanted = _needed(_chosen(symbols, names), inputs) if names else set(symbols)
    order = [s for s in _sorted(symbols, inputs) if s in wanted]
    vertices = tuple(Vertex(s.label, s.kind, s.definition.description) for s in order)
    edges = tuple((i.label, s.label) for s in order for i in inputs[s])
    return Drawing(compiled.source.name, vertices, edges)


def operations_of(compiled: Compiled, names: Collection[str] = ()) -> Drawing:
    """Every operation of the graph, or those that `names` need, named as in plans."""
    named = name_nodes(compiled.graph)
    if names:
        _chosen([s for s in every(compiled.module) if s.kind != "import"], names)
    roots = [n for label, n in compiled.graph.roots.items() if not names or label.partition("[")[0] in names]
    order = walk(roots)
    vertices = tuple(Vertex(named.by_key[n.key], n.result, n.operation) for n in order)
    edges = tuple(
        (named.by_key[i.key], named.by_key[n.key]) for n in order for i in dict.fromkeys(n.inputs)
    )
    return Drawing(compiled.source.name, vertices, edges)


def _chosen(symbols: list[Symbol], names: Collection[str]) -> list[Symbol]:
    known = {s.label: s for s in symbols}
    for name in names:
        if name not in known:
            raise SteerlangError((error(
                codes.UNKNOWN_NAME, None, f"the program defines nothing named `{name}`", place=name,
                help=did_you_mean(name, list(known)) or f"its definitions are {', '.join(known)}",
            ),))
    return [known[n] for n in names]


def _needed(symbols: list[Symbol], inputs: dict[Symbol, list[Symbol]]) -> set[Symbol]:
    found: set[Symbol] = set()
    todo = list(symbols)
    while todo:
        symbol = todo.pop()
        if symbol not in found:
            found.add(symbol)
            todo.extend(inputs[symbol])
    return found


def _sorted(symbols: list[Symbol], inputs: dict[Symbol, list[Symbol]]) -> list[Symbol]:
    """Inputs before users, else in the order written."""
    done: dict[Symbol, None] = {}
    stack = [(s, False) for s in reversed(symbols)]
    while stack:
        symbol, ready = stack.pop()
        if ready:
            done.setdefault(symbol)
        elif symbol not in done:
            stack.append((symbol, True))
            stack.extend((i, False) for i in reversed(inputs[symbol]) if i not in done)
    return list(done)
