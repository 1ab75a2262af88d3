"""How the findings of a run came about: what ran and why, what it had to say, and what the program read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from steerlang.diagnostics import Diagnostic
from steerlang.graph.lock import ENDING
from steerlang.graph.naming import definition
from steerlang.graph.node import Node, walk
from steerlang.language.compiling import cells_of
from steerlang.language.modules import every
from steerlang.language.values import VectorValue
from steerlang.reports.background import Background, Carried, Definition, Input, Told
from steerlang.reports.drawing import Drawing
from steerlang.reports.findings import plain
from steerlang.reports.inspection import Inspection
from steerlang.reports.origins import is_random_vector
from steerlang.reports.terminal import layers_text as numbers_text

from .graphing import definitions_of
from .locking import lock_path

if TYPE_CHECKING:
    from .results import Run

# Vectors beyond these are not compared with each other: what is shown of them stays readable.
MOST_COMPARED = 12
_KINDS = {"model.load": "model", "adapter.load": "adapter", "data.rows": "data", "vector.load": "vector"}


def background_of(run: Run) -> Background:
    """All of it. What a failed run did not make is left out."""
    from .running import versions

    device = run.program.settings.device
    chosen = {} if device == "auto" else {"device": device}
    return Background(
        drawing=_drawing(run),
        definitions=tuple(_definitions(run)),
        carried=tuple(_carried(run)),
        told=tuple(_told(d) for d in run.diagnostics),
        inspection=_inspection(run),
        inputs=tuple(_inputs(run)),
        parameters=_parameters(run),
        seeds=_seeds(run),
        lock=_lock(run),
        versions={**versions(), **chosen},
    )


def _drawing(run: Run) -> Drawing:
    """The program's own definitions and what they need. The report itself is about all of it, and part of nothing."""
    own = [s.label for s in run.program.compiled.module.symbols.values() if s.kind not in ("import", "report")]
    return definitions_of(run.program.compiled, own)


def _definitions(run: Run) -> Iterator[Definition]:
    own = run.program.compiled.source
    for symbol in every(run.program.compiled.module):
        span = symbol.span
        yield Definition(symbol.label, symbol.kind, span.first.line if span.source is own else 0)


def _carried(run: Run) -> list[Carried]:
    """What was needed, gathered by definition, operation and reason; in the order of the plan."""
    results = run.results
    states = {n.key: "skipped" for n in results.skipped}
    states |= {n.key: "failed" for f in results.failures for n in f.nodes}
    states |= {n.key: "reused" for n in results.cached} | {n.key: "run" for n in results.made}
    found: dict[tuple[str, str, str, str], tuple[int, float]] = {}
    for entry in run.plan.entries:
        key = entry.node.key
        if not entry.needed or key not in states:
            continue
        owner = definition(run.plan.names.owners[key])
        why = "" if states[key] == "reused" else str(entry.reason)
        group = (owner, entry.node.operation, states[key], why)
        count, seconds = found.get(group, (0, 0.0))
        record = results.records.get(key)
        found[group] = (count + 1, seconds + (record.seconds if record is not None else 0.0))
    return [Carried(*group, *numbers) for group, numbers in found.items()]


def _told(d: Diagnostic) -> Told:
    span = d.primary.span if d.primary is not None else None
    place = f"{span.source.name}:{span.first.line}" if span is not None else d.place or ""
    return Told(d.severity.value, d.code.id, d.message, place, d.help, span.first.line if span is not None else 0)


def _inspection(run: Run) -> Inspection | None:
    """Vectors beside each other; random directions are left out, since their cosines are those of chance."""
    from steerlang.operations.vector import SteeringVector
    from steerlang.reports.gathering import vector_table
    from steerlang.reports.inspection import between, inspected

    needed = {e.node.key for e in run.plan.entries}
    found: dict[str, tuple[str, SteeringVector]] = {}
    for table in run.program.compiled.tables.values():
        for label, cell in cells_of(table):
            value = cell.value
            if not isinstance(value, VectorValue) or value.node.key not in needed or is_random_vector(value.node):
                continue
            if (payload := run.payload(value.node)) is not None:
                found.setdefault(value.node.key, (label, SteeringVector.of(payload)))
    if not found:
        return None
    named = list(found.values())
    compared = named[:MOST_COMPARED]
    vectors = tuple(inspected(vector_table(name, v), v.directions) for name, v in named)
    pairs = between([n for n, _ in compared], [v.layers for _, v in compared], [v.directions for _, v in compared])
    return Inspection(vectors, tuple(pairs))


def _inputs(run: Run) -> Iterator[Input]:
    """What the program read, each once, in the order it is used."""
    graph = run.program.compiled.graph
    seen: set[tuple[str, str, str]] = set()
    for node in walk(list(graph.roots.values())):
        name = graph.sources.get(node.key)
        if name is None:
            continue
        kind = _KINDS.get(node.operation, node.operation.partition(".")[0])
        digest = str(node.options.get("identity") or node.options.get("digest") or "")
        if (kind, name, digest) not in seen:
            seen.add((kind, name, digest))
            yield Input(kind, name, digest)


def _values(run: Run) -> dict[str, object]:
    """The program's parameters as they were in this run."""
    tables = run.program.compiled.tables.values()
    return {t.symbol.label: t.cells[0].value for t in tables if t.symbol.kind == "param" and t.cells}


def _parameters(run: Run) -> dict[str, str]:
    return {name: plain(value) for name, value in _values(run).items()}


def _seeds(run: Run) -> dict[str, str]:
    """The seeds of everything that draws, by operation."""
    found: dict[str, set[int]] = {}
    for node in walk(list(run.plan.targets)):
        for seed in _seeds_in(node):
            found.setdefault(node.operation.rpartition(".")[2], set()).add(seed)
    return {operation: numbers_text(tuple(sorted(seeds))) for operation, seeds in sorted(found.items())}


def _seeds_in(node: Node) -> Iterator[int]:
    seed = node.options.get("seed")
    if isinstance(seed, int):
        yield seed


def _lock(run: Run) -> str:
    """How the inputs lie to the lock file."""
    source = run.program.compiled.source
    name = f"{Path(source.name).name}{ENDING}"
    if source.path is None or not lock_path(source.path).is_file():
        return "no lock file; `steerlang lock` writes one"
    if run.program.settings.locked:
        return f"all inputs are those of `{name}`, as `--locked` demands"
    from .lock_writing import check_lock

    try:
        found = check_lock(source.path, _values(run), run.program.settings)
    except OSError as e:
        return f"`{name}` could not be checked: {(e.strerror or str(e)).lower()}"
    problems = [d.message for d in found.diagnostics if d.is_error]
    if problems:
        return f"differs from `{name}`: {'; '.join(problems)}"
    return f"all {len(found.records)} inputs are as in `{name}`"
