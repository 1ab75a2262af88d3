"""From a run to its findings: the tables that terminal, JSON and page show."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from steerlang.graph.node import Node, walk
from steerlang.language import typed as t
from steerlang.language.modules import Symbol
from steerlang.language.values import node_of

from .axis_words import axis_words
from .boards import boards_of
from .coefficient_words import coefficient_facts
from .details import dictionary_detail, metric_detail, vectors_detail
from .edits import edit_table
from .findings import (
    Artifact,
    CoefficientTable,
    DetailTable,
    Expected,
    Findings,
    Labels,
    MetricRow,
    MetricTable,
    SampleColumn,
    SampleTable,
    Tally,
    VectorTable,
    point_text,
    selector_text,
)
from .gains import Measured, gain
from .measures import is_of_steering, unit_of
from .origins import EDITED, UNSTEERED, Origin, is_random_vector, origin_of
from .scatters import scatters_of

# How parts of a vector's method are called; `of` are the keys of the vectors it was made of.
_METHOD = {"name": "method", "of": "made of"}
Cells = Mapping[Labels, Any]


class Finished(Protocol):
    """A run that has ended, as `steerlang.api.Run` is one; named by its shape, since the api stands above reports."""

    program: Any
    plan: Any
    results: Any
    expectations: Any
    artifacts: Any

    @property
    def outcome(self) -> str: ...

    def payload(self, node: Node) -> Any: ...

    def tables(self, kind: str) -> list[tuple[str, Any]]: ...

    def weights(self) -> Mapping[str, Mapping[str, Any]]: ...

    def chosen(self) -> list[tuple[str, str]]: ...

    def __getitem__(self, name: str) -> Any: ...


def gather(run: Finished) -> Findings:
    """What a run found. Results that this run did not need are left out, though they may be stored."""
    source = run.program.compiled.source
    return Findings(
        program=source.name,
        text=source.text,
        expectations=tuple(_expected(e) for e in run.expectations),
        metrics=tuple(_metrics(run)),
        samples=tuple(x for found in _results(run, "samples") for x in _samples(run, found)),
        vectors=tuple(x for found in _results(run, "vector") for x in _vectors(found)),
        coefficients=tuple(x for found in _results(run, "coefficients") for x in _found(found)),
        artifacts=tuple(_artifact(path) for path in run.artifacts),
        tally=_tally(run),
        edits=tuple(edit_table(name, receipt) for name, receipt in run.weights().items()),
        details=tuple(_details(run)),
        boards=boards_of(list(_results(run, "metric"))),
        scatters=scatters_of(list(_results(run, "metric"))),
        chosen=tuple(run.chosen()),
    )


def _expected(e: Any) -> Expected:
    return Expected(e.label, e.holds, e.text, e.left, e.right, e.operator, e.place)


@dataclass(frozen=True)
class _Defined:
    """A definition with the results that are there, and the nodes behind them, by their labels."""

    name: str
    axes: tuple[str, ...]
    cells: Cells
    nodes: Mapping[Labels, Node]
    description: str


def _results(run: Finished, kind: str) -> Iterator[_Defined]:
    needed = {e.node.key for e in run.plan.entries}
    meanings = run.program.compiled.program.meanings
    for name, table in run.tables(kind):
        nodes = {c.labels: n for c in table.cells if (n := node_of(c.value)) is not None}
        if not _is_needed(table, needed):
            continue
        with suppress(KeyError):  # not all of it was carried out
            found = run[name]
            cells = found.cells if table.axes else {(): found}
            about = table.symbol.definition.description or _meaning(table.symbol, meanings)
            yield _Defined(name, tuple(a.name for a in table.axes), cells, nodes, about)


def _meaning(symbol: Symbol, meanings: Mapping[Symbol, t.Typed]) -> str:
    """What is measured: what the vocabulary says of the function, or the arithmetic as it is written."""
    meaning = meanings.get(symbol)
    if symbol.kind not in ("metric", "let"):
        return ""
    if isinstance(meaning, t.Invocation):
        return meaning.function.help
    return " ".join(symbol.definition.value.span.text.split()) if isinstance(meaning, t.Applied) else ""


def _details(run: Finished) -> Iterator[DetailTable]:
    """Dictionaries, shifts, and the tables of metrics."""
    makers: list[tuple[str, Callable[[str, Any], DetailTable | None]]] = [
        ("metric", metric_detail),
        ("concepts", dictionary_detail),
        ("vector", vectors_detail),
    ]
    for kind, detail in makers:
        for d in _results(run, kind):
            for labels, value in d.cells.items():
                table = detail(_name(d.name, d.axes, labels), value)
                if table is not None:
                    yield table


def _is_needed(table: Any, needed: set[str]) -> bool:
    values = [v for c in table.cells for v in (c.value if isinstance(c.value, list) else [c.value])]
    nodes = [getattr(v, "node", None) for v in values]
    return any(n is not None and n.key in needed for n in nodes)


def _metrics(run: Finished) -> Iterator[MetricTable]:
    found = [*_results(run, "metric"), *(d for d in _results(run, "let") if _is_measured(d))]
    origins = {(d.name, labels): origin_of(node) for d in found for labels, node in d.nodes.items()}
    bases = _bases(found, origins)
    words = axis_words(run.program.compiled.program)
    for d in found:
        rows = []
        for labels, m in d.cells.items():
            origin = origins.get((d.name, labels))
            base = None if origin is None else bases.get((origin.measure, origin.base))
            own = gain(m, base) if base is not None and origin is not None and origin.role != UNSTEERED else None
            rows.append(MetricRow(labels, m.value, m.interval, m.count, origin, own))
        unit = next((unit_of(node) for node in d.nodes.values()), "")
        means = {a: words[a] for a in d.axes if a in words}
        alone = any(map(is_of_steering, d.nodes.values()))
        yield MetricTable(d.name, d.axes, tuple(rows), d.description, unit, means, alone)


def _is_measured(d: _Defined) -> bool:
    """Whether a `let` is a measured number."""
    return bool(d.nodes) and all(node.result == "metric" for node in d.nodes.values())


def _bases(
    found: Sequence[_Defined], origins: Mapping[tuple[str, Labels], Origin | None]
) -> dict[tuple[str, str], Measured]:
    """What steered models are held against: what was measured of the weights under them, by measure and weights."""
    bases: dict[tuple[str, str], Measured] = {}
    for d in found:
        for labels, m in d.cells.items():
            origin = origins.get((d.name, labels))
            if origin is not None and origin.role in (UNSTEERED, EDITED):
                bases.setdefault((origin.measure, origin.weights), m)
    return bases


def _samples(run: Finished, d: _Defined) -> list[SampleTable]:
    """One table for each set of prompts; usually there is one."""
    by_prompts: dict[tuple[str, ...], list[SampleColumn]] = {}
    images: dict[tuple[str, ...], tuple[str, ...]] = {}
    for labels, samples in d.cells.items():
        opened = [s.gate_open for s in samples if s.gate_open is not None]
        origin = origin_of(d.nodes[labels]) if labels in d.nodes else None
        column = SampleColumn(labels, tuple(s.completion for s in samples), sum(opened) if opened else None, origin)
        prompts = tuple(s.prompt for s in samples)
        by_prompts.setdefault(prompts, []).append(column)
        if prompts not in images:
            images[prompts] = _images(run, d.nodes.get(labels))
    return [
        SampleTable(d.name, d.axes, prompts, tuple(columns), d.description, images[prompts])
        for prompts, columns in by_prompts.items()
    ]


def _images(run: Finished, node: Node | None) -> tuple[str, ...]:
    """Paths of the images that samples were asked about."""
    folder = _folder_of_images(node) if node is not None else ""
    payload = run.payload(node) if node is not None and folder else None
    return tuple(str(Path(folder, row["image"])) for row in payload.rows) if payload is not None else ()


def _folder_of_images(node: Node) -> str:
    """Where the images of the table lie that a result was made from; empty where it has none."""
    tables = (n for n in walk([node]) if n.operation == "data.rows" and "image" in str(n.options.get("columns")))
    return next((str(Path(n.locators["path"]).parent) for n in tables if "path" in n.locators), "")


def _vectors(d: _Defined) -> list[VectorTable]:
    found: list[VectorTable] = []
    for labels, value in d.cells.items():
        if hasattr(value, "directions"):  # shifts and lists of vectors are tables of their own
            random = labels in d.nodes and is_random_vector(d.nodes[labels])
            table = vector_table(_name(d.name, d.axes, labels), value)
            found.append(replace(table, random=random, description=d.description))
    return found


def vector_table(name: str, vector: Any) -> VectorTable:
    """What there is to show of a vector."""
    return VectorTable(
        name, tuple(vector.layers), tuple(float(n) for n in vector.norms), tuple(float(n) for n in vector.state_norms),
        {k: tuple(None if x is None else float(x) for x in row) for k, row in vector.report.items() if row is not None},
        _facts(vector),
    )


def _found(d: _Defined) -> list[CoefficientTable]:
    """Coefficients that were found while running; those written in the program stand there."""
    return [
        CoefficientTable(
            _name(d.name, d.axes, labels), c.vectors, c.blocks, tuple(tuple(float(x) for x in row) for row in c.values),
            tuple(float(step["loss"]) for step in c.history if step.get("loss") is not None),
            coefficient_facts(c.found, len(c.history)),
        )
        for labels, c in d.cells.items() if hasattr(c, "history")
    ]  # fmt: skip


def _name(name: str, axes: tuple[str, ...], labels: Labels) -> str:
    if not axes:
        return name
    return f"{name}[{point_text(axes, labels)}]"


def _facts(vector: Any) -> dict[str, str]:
    facts = {"site": vector.site, "tokens": vector.tokens}
    facts |= {f"model {k}": v for k, v in vector.model.items()}
    facts |= {_METHOD.get(k, f"method {k}"): v for k, v in vector.method.items()}
    if "made of" in facts:
        facts["made of"] = [str(key)[:12] for key in facts["made of"]]
    used, dropped = vector.provenance.get("pairs"), vector.provenance.get("left_out")
    if used is not None:
        facts["pairs"] = f"{used} of {used + dropped}" if dropped else used
    return {name: selector_text(value) for name, value in facts.items() if value not in (None, {})}


def _artifact(path: Path) -> Artifact:
    try:
        files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
        return Artifact(shown_path(path), sum(p.stat().st_size for p in files))
    except OSError:  # gone already
        return Artifact(shown_path(path))


def shown_path(path: Path) -> str:
    """A path relative to the working directory where that is shorter, with `/` between its parts."""
    try:
        relative = os.path.relpath(path)
    except ValueError:  # another drive
        return path.as_posix()
    return path.as_posix() if relative.startswith("..") else Path(relative).as_posix()


def _tally(run: Finished) -> Tally:
    results = run.results
    failed = sum(len(f.nodes) for f in results.failures)
    return Tally(run.outcome, len(results.made), len(results.cached), failed, len(results.skipped), results.seconds)
