"""What a plan shows: for each definition what it resolves to, why it runs, and what that costs."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from steerlang.data.classes import listed
from steerlang.engine.payload import Payload
from steerlang.engine.store import Store
from steerlang.graph.facts import Facts, ModelFacts
from steerlang.graph.facts.structure import decoder_blocks
from steerlang.graph.node import Json, Node, walk
from steerlang.graph.plan import Cost, Plan, plan_document
from steerlang.language.compiling import Compiled, cells_of
from steerlang.language.layers import spelled
from steerlang.language.lowering import Cell
from steerlang.language.modules import Symbol
from steerlang.language.values import (
    POISON,
    AdapterValue,
    CheckpointValue,
    CoefficientsSetValue,
    ConceptsValue,
    DataValue,
    ExportValue,
    ModelValue,
    ReportValue,
    ShiftValue,
    TaskVectorValue,
    VectorValue,
)
from steerlang.reports.findings import selector_text

from .action_text import action_text
from .concept_text import concepts_lines, shift_lines
from .edit_plans import coverage_of, long_lines, short_lines
from .reading import Reading, readings
from .term_text import TermNames, change_text, coefficients_lines, term_names, vector_lines

if TYPE_CHECKING:
    from steerlang.weights.coverage import Coverage


@dataclass(frozen=True)
class Explanation:
    """One definition: what it resolves to, line by line, and its description from the program.

    details  further lines, for those who ask for more
    """

    label: str
    kind: str
    description: str
    lines: tuple[str, ...]
    details: tuple[str, ...] = ()

    def document(self) -> dict[str, Json]:
        return {"label": self.label, "kind": self.kind, "description": self.description, "lines": list(self.lines)}


@dataclass(frozen=True)
class PlannedFile:
    """A file or folder that a run writes, and whether something is there already."""

    label: str
    path: str
    exists: bool


@dataclass(frozen=True, eq=False)
class PlanView:
    """A plan and what it means. `costs` are by node key, `edits` (what becomes of every tensor) by definition."""

    plan: Plan
    explanations: tuple[Explanation, ...]
    costs: Mapping[str, Cost]
    files: tuple[PlannedFile, ...] = ()
    edits: Mapping[str, Coverage] = field(default_factory=dict)

    @property
    def nothing_to_do(self) -> bool:
        """Whether a run would make nothing new: no step, and no file that is not there."""
        return self.plan.nothing_to_do and all(f.exists for f in self.files)

    def document(self) -> dict[str, Json]:
        found = plan_document(self.plan, self.costs)
        files: list[Json] = [{"label": f.label, "path": f.path, "exists": f.exists} for f in self.files]
        edits: list[Json] = [{"label": label, **covered.document()} for label, covered in self.edits.items()]
        definitions: list[Json] = [e.document() for e in self.explanations]
        return {**found, "definitions": definitions, "files": files, "edits": edits}


def view(
    compiled: Compiled, plan: Plan, facts: Facts, store: Store, targets: Collection[str] | None = None
) -> PlanView:
    """Explain every definition that takes part in the plan, of `targets` only where they are given."""
    taking_part = {n.key for n in walk(list(plan.targets))}
    explanations: list[Explanation] = []
    costs: dict[str, Cost] = {}
    edits: dict[str, Coverage] = {}
    values = _models(compiled)
    names = term_names(compiled)
    for table in compiled.tables.values():
        for label, cell in cells_of(table):
            node = getattr(cell.value, "node", None)
            if isinstance(node, Node) and _takes_part(cell.value, node, taking_part):
                explanation = _explain(label, cell, facts, store, values, costs, names)
                if (covered := coverage_of(cell.value)) is not None:
                    edits[label] = covered
                    shown_lines, more = tuple(short_lines(covered)), tuple(long_lines(covered))
                    explanation = replace(explanation, lines=(*explanation.lines, *shown_lines), details=more)
                explanations.append(explanation)
    for node in walk(list(plan.targets)):
        costs.setdefault(node.key, _cost(node, values))
    shown = {k: c for k, c in costs.items() if c != Cost()}
    return PlanView(plan, tuple(explanations), shown, tuple(_files(compiled, targets)), edits)


def _takes_part(value: object, node: Node, keys: Collection[str]) -> bool:
    """Whether a definition is in the plan. Task vectors are no step of it: what uses them holds what they mean."""
    if isinstance(value, TaskVectorValue):
        return all(n.key in keys for n in node.inputs)
    return node.key in keys


def _files(compiled: Compiled, targets: Collection[str] | None) -> Iterator[PlannedFile]:
    for name, table in compiled.tables.items():
        if targets is not None and not any(t == name or t.startswith(f"{name}[") for t in targets):
            continue
        for label, cell in cells_of(table):
            if isinstance(cell.value, (AdapterValue, CheckpointValue, ExportValue, ReportValue)):
                yield PlannedFile(label, cell.value.path, Path(cell.value.path).exists())


def _models(compiled: Compiled) -> dict[str, ModelValue]:
    """Models by the key of their node."""
    found: dict[str, ModelValue] = {}
    for table in compiled.tables.values():
        for cell in table.cells:
            if isinstance(cell.value, ModelValue):
                found[cell.value.node.key] = cell.value
    return found


def _explain(
    label: str, cell: Cell, facts: Facts, store: Store, models: Mapping[str, ModelValue], costs: dict[str, Cost],
    names: TermNames,
) -> Explanation:  # fmt: skip
    symbol: Symbol = cell.symbol
    value = cell.value
    lines: Iterator[str] = iter(())
    if value is POISON:
        pass
    elif isinstance(value, ModelValue):
        lines = _model_lines(value, names)
    elif isinstance(value, VectorValue):
        lines = _vector_lines(value, facts, store, models, costs)
    elif isinstance(value, DataValue):
        lines = _data_lines(value)
    elif isinstance(value, TaskVectorValue):
        lines = vector_lines(value, names)
    elif isinstance(value, ConceptsValue):
        lines = concepts_lines(value)
    elif isinstance(value, ShiftValue):
        lines = shift_lines(value)
    elif isinstance(value, CoefficientsSetValue):
        lines = coefficients_lines(value, names)
    elif value.node.operation == "generate":
        lines = iter((_options(value.node),))
    return Explanation(label, symbol.kind, symbol.definition.description, tuple(lines))


def _model_lines(value: ModelValue, names: TermNames) -> Iterator[str]:
    facts = value.facts
    if value.node.operation == "model.edit":
        yield change_text(value.node.options["expression"], names)
        return  # its coverage is shown
    if value.node is value.base:
        yield from _weights(facts)
        return
    blocks = _blocks(facts)
    for applied in value.actions:
        yield action_text(applied.document, value.layers)
    yield f"modules {blocks}" if blocks else "modules are found when the model is loaded"


def _weights(facts: ModelFacts) -> Iterator[str]:
    sizes = (
        ("{} layers", facts.layers), ("width {}", facts.width), ("vocabulary {}", facts.vocabulary),
        ("{} classes", len(facts.labels) or None),
    )  # fmt: skip
    known = "".join(f"{words.format(size)}, " for words, size in sizes if size is not None)
    yield f"{facts.model_type}: {known}{facts.parameters / 1e6:.2f} M parameters, {facts.size / 1e6:.1f} MB"
    yield from facts.notes


def _blocks(facts: ModelFacts) -> str:
    found = decoder_blocks(facts.tensors)
    return f"{found.prefix}0 … {found.prefix}{found.count - 1}" if found is not None else ""


def _data_lines(value: DataValue) -> Iterator[str]:
    count = "an unknown number of" if value.count is None else str(value.count)
    yield f"{count} rows of {value.form.phrase}"
    if value.classes is not None:
        yield f"{len(value.classes.names)} classes: {listed(value.classes.names)}"


def _vector_lines(
    value: VectorValue, facts: Facts, store: Store, models: Mapping[str, ModelValue], costs: dict[str, Cost]
) -> Iterator[str]:
    yield f"layers {spelled(value.layers)}, site {selector_text(value.site)}, width {value.width}"
    node = value.node
    if not node.operation.startswith("extract"):
        yield _options(node)
    else:
        options: Any = node.options
        method = options["method"]
        chosen = "".join(f", {k} = {v}" for k, v in method["options"].items())
        made = f"method {method['name']} (version {method['version']}){chosen}"
        yield made + (f"; tokens {selector_text(options['tokens'])}" if "tokens" in options else "")
        for capture in (n for n in node.inputs if n.operation == "capture"):
            model = models.get(capture.inputs[0].key)
            if model is None or not _reads_rows(capture):
                continue
            rows = _rows_of(capture.inputs[1])
            found = readings(capture, model, rows, facts)
            yield from _shown(capture, found)
            costs[capture.key] = _capture_cost(capture, model, found, len(rows))
    yield from _norms(node, store)


def _reads_rows(capture: Node) -> bool:
    """Whether the texts that are read are known before anything runs: they are not generated."""
    node = capture.inputs[1]
    while node.operation in ("data.sample", "data.split"):
        node = node.inputs[0]
    return node.operation == "data.rows"


def _shown(capture: Node, found: list[Reading]) -> Iterator[str]:
    role = capture.options["role"]
    for reading in found[:2]:
        yield f"{role}: {reading.text}"


def _rows_of(node: Node) -> list[dict[str, Any]]:
    """The rows a `data.rows` node will hold; of derived data (samples, splits) those of the whole."""
    from steerlang.operations.text import rows_of

    while node.operation != "data.rows":
        node = node.inputs[0]
    return rows_of(node)


def _norms(node: Node, store: Store) -> Iterator[str]:
    """Norms of a vector that is in the store already."""
    payload: Payload | None = store.get(node.key)
    if payload is None:
        return
    from steerlang.operations.vector import SteeringVector

    vector = SteeringVector.of(payload)
    shares = [float(n / s) if s else 0.0 for n, s in zip(vector.norms, vector.state_norms, strict=True)]
    yield "norm / mean norm of the states, by layer: " + ", ".join(f"{x:.2f}" for x in shares)


def _capture_cost(capture: Node, model: ModelValue, found: list[Reading], rows: int) -> Cost:
    points: Any = capture.options["points"]
    tokens = sum(r.tokens for r in found) if all(r.tokens is not None for r in found) else None  # type: ignore[misc]
    return Cost(tokens, rows * len(points) * model.width * 4, f"{rows} texts")


def _cost(node: Node, models: Mapping[str, ModelValue]) -> Cost:
    if node.operation != "generate":
        return Cost()
    rows = len(_rows_of(node.inputs[1]))
    longest: Any = node.options["max_new_tokens"]
    return Cost(rows * longest, None, f"{rows} prompts, at most {longest} new tokens each")


def _options(node: Node) -> str:
    """A node's options in one line."""
    return ", ".join(f"{k} = {_short(v)}" for k, v in sorted(node.options.items()))


def _short(value: Json) -> str:
    if isinstance(value, dict) and "name" in value:
        options = value.get("options")
        inner = ", ".join(f"{k} = {v}" for k, v in options.items()) if isinstance(options, dict) else ""
        return f"{value['name']}({inner})" if inner else str(value["name"])
    return value if isinstance(value, str) else json.dumps(value)
