"""From a file to a labelled graph: load, check, lower. Everything light; nothing here runs a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from steerlang.diagnostics import Diagnostic, codes, has_errors, ordered
from steerlang.graph.facts import Facts, ModelReference
from steerlang.graph.naming import LabelledGraph
from steerlang.graph.node import Node
from steerlang.source import Source, Span

from .checking import Checker, TypedProgram
from .leaks import reused_data
from .lowering import Cell, Lowering, Options, Table
from .modules import Loader, Module, Parse, Read, Symbol, every
from .ordering import deep_enough, in_order
from .outputs import unsafe_outputs
from .overrides import bind_parameters
from .points import too_many_points
from .registry import Registry
from .types import LISTED, Axes
from .values import POISON, AdapterValue, CheckpointValue, ExportValue, named_vectors, node_of


@dataclass(frozen=True, eq=False)
class Compiled:
    """What a program means, and everything that is wrong with it.

    tables   each definition of the program itself at all points of its axes, by name; those that could not be made
             hold `POISON`
    graph    the nodes behind them, by label
    absent   models that are not on this machine
    """

    source: Source
    program: TypedProgram
    sources: tuple[Source, ...]
    diagnostics: tuple[Diagnostic, ...]
    tables: Mapping[str, Table] = field(default_factory=dict)
    graph: LabelledGraph = field(default_factory=lambda: LabelledGraph({}))
    absent: tuple[ModelReference, ...] = ()

    @property
    def ok(self) -> bool:
        return not has_errors(self.diagnostics)

    @property
    def module(self) -> Module:
        return self.program.module

    def targets(self) -> list[Symbol]:
        return self.program.targets()


def compile_source(
    source: Source,
    registry: Registry,
    facts: Facts,
    read: Read,
    parse: Parse,
    options: Options | None = None,
    overrides: Mapping[str, object] | None = None,
) -> Compiled:
    """Check and lower a program. `overrides` are values for its parameters, as texts or as plain values."""
    options = options or Options()
    loader = Loader(read, parse)
    module = loader.load(source)
    checker = Checker(registry)
    with deep_enough():
        typed = checker.check(module)
    found: list[Diagnostic] = [*loader.diagnostics, *checker.diagnostics]
    values, problems = bind_parameters(typed, overrides or {})
    found.extend(problems)
    lowering = Lowering(typed, facts, Options(values, options.hashing, options.locked, options.remote_code))
    symbols = [s for s in every(module) if s.kind != "import"]
    crowded = list(too_many_points(typed, symbols))
    found.extend(crowded)
    with deep_enough():
        made = {} if crowded else {s: lowering.table(s) for s in in_order(symbols)}
    tables = {s.label: made[s] for s in symbols if s in made}
    found.extend(lowering.diagnostics)
    found.extend(unsafe_outputs({n: cells_of(t) for n, t in tables.items()}, loader.sources))
    found.extend(reused_data(tables))
    if has_errors(found):  # what an error hides from view only seems unused
        found = [d for d in found if d.code is not codes.UNUSED_DEFINITION]
    return Compiled(
        source,
        typed,
        tuple(loader.sources),
        tuple(ordered(found)),
        tables,
        _graph(tables, lowering),
        tuple(dict.fromkeys(lowering.absent)),
    )


def cell_label(name: str, axes: Axes, labels: tuple[object, ...]) -> str:
    """`replies[kind]`, `out[s = 0.1]`: what a definition at one point is called."""
    if not axes:
        return name
    parts = [
        str(x) if isinstance(x, str) and a.name in LISTED else f"{a.name} = {x}"
        for a, x in zip(axes, labels, strict=True)
    ]
    return f"{name}[{', '.join(parts)}]"


def _graph(tables: Mapping[str, Table], lowering: Lowering) -> LabelledGraph:
    roots: dict[str, Node] = {}
    spans: dict[str, Span] = {}
    written: set[str] = set()
    for name, table in tables.items():
        spans[name] = table.symbol.span
        for cell in table.cells:
            label = cell_label(name, table.axes, cell.labels)
            node = None if cell.value is POISON else node_of(cell.value)
            roots.update({f"{label}[{n}]": v.node for n, v in named_vectors(cell.value).items()})
            if node is not None:
                roots[label] = node
                if isinstance(cell.value, (AdapterValue, CheckpointValue, ExportValue)):
                    written.add(label)
    return LabelledGraph(roots, {}, lowering.sources, spans, frozenset(written))


def cells_of(table: Table) -> list[tuple[str, Cell]]:
    """Every cell with its label."""
    return [(cell_label(table.symbol.label, table.axes, c.labels), c) for c in table.cells]


def value_at(table: Table, labels: tuple[object, ...]) -> Any:
    """The value of a definition at one point."""
    return next(c.value for c in table.cells if c.labels == labels)
