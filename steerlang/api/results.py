"""What a run hands back: results by name, as plain objects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from steerlang.diagnostics import Diagnostic, codes, error
from steerlang.engine.outcome import Outcome, RunResults
from steerlang.engine.payload import Payload
from steerlang.graph.node import Node
from steerlang.graph.plan import Plan
from steerlang.language.compiling import cells_of
from steerlang.language.lowering import Table
from steerlang.language.modules import Symbol
from steerlang.language.types import Axes
from steerlang.language.values import (
    POISON,
    ActionValue,
    CoefficientsSetValue,
    ConceptsValue,
    ConditionValue,
    DataValue,
    MetricValue,
    ModelValue,
    PointValue,
    SamplesValue,
    ShiftValue,
    StatesValue,
    VectorValue,
    named_vectors,
    node_of,
)
from steerlang.operations.coefficients import Coefficients
from steerlang.operations.dictionary import ConceptDictionary, ConceptShift
from steerlang.operations.metric import Metric
from steerlang.operations.vector import SteeringVector
from steerlang.source import Span

from .receipts import Receipt, receipt_of, weights_of

if TYPE_CHECKING:
    from pathlib import Path

    from steerlang.operations.resources import Resources

    from .models import RunModel
    from .program import Program


@dataclass(frozen=True)
class ExpectationResult:
    """An expectation and whether it held (None: what it needs was not made, so it was not judged); `left` and `right`
    are the numbers compared."""

    label: str
    holds: bool | None
    text: str
    left: float | bool | None
    right: float | bool | None
    operator: str
    span: Span

    @property
    def place(self) -> str:
        """Where it is written: `quickstart.steer:21`."""
        return f"{self.span.source.name}:{self.span.first.line}"

    @property
    def numbers(self) -> str:
        """What was compared: `0.62 >= 0.45`; empty where there is no single comparison."""
        if self.left is None or self.right is None:
            return ""
        return f"{_shown(self.left)} {self.operator} {_shown(self.right)}"

    @property
    def diagnostic(self) -> Diagnostic | None:
        """An error for an expectation that failed."""
        if self.holds is not False:
            return None
        numbers = f": {self.numbers} is false" if self.numbers else ""
        return error(
            codes.EXPECTATION_FAILED,
            self.span,
            f"`{self.label}` does not hold{numbers}",
            help="look at the samples and metrics it is made of; loosen it only if it asked for too much",
        )


def _shown(value: float | bool | None) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value).lower()


@dataclass(frozen=True)
class Sample:
    """One generated text. `gate_open` says whether some gate of the model was open on it; None without gates. `id`,
    `references`, `answer_type` and `image` (the path, as the table has it) are those of its row."""

    prompt: str
    completion: str
    tokens: int
    finished: bool
    gate_open: bool | None = None
    id: int | str = 0
    references: tuple[str, ...] = ()
    answer_type: str | None = None
    image: str | None = None


@dataclass(frozen=True, eq=False)
class Results(Mapping[Any, Any]):
    """A definition at all points of its axes: `table[kind]`, or `table[0.1, "base"]` in the order of `axes`."""

    axes: Axes
    cells: Mapping[tuple[object, ...], Any]

    def __getitem__(self, point: Any) -> Any:
        return self.cells[point if isinstance(point, tuple) else (point,)]

    def __iter__(self) -> Iterator[Any]:
        return iter(p[0] if len(p) == 1 else p for p in self.cells)

    def __len__(self) -> int:
        return len(self.cells)

    def __repr__(self) -> str:
        return "{" + ", ".join(f"{p if len(p) > 1 else p[0]!r}: {v!r}" for p, v in self.cells.items()) + "}"


@dataclass(eq=False)
class Run:
    """A run that has ended, well or not. `run["name"]` is the result of a definition.

    expectations  each `expect`, judged or not
    artifacts     files that were written
    written       receipts of exported weights, by the label of the export
    """

    program: Program
    plan: Plan
    results: RunResults
    resources: Resources
    targets: frozenset[str] | None = None
    expectations: list[ExpectationResult] = field(default_factory=list)
    artifacts: list[Path] = field(default_factory=list)
    found: list[Diagnostic] = field(default_factory=list)
    written: dict[str, Receipt] = field(default_factory=dict)

    @property
    def outcome(self) -> str:
        """`done`, `failed` or `interrupted`."""
        failed = any(d.is_error and d.code is not codes.EXPECTATION_FAILED for d in self.found)
        return "failed" if self.results.outcome is Outcome.DONE and failed else self.results.outcome.value

    @property
    def ok(self) -> bool:
        """Whether everything ran and every expectation held."""
        return self.outcome == "done" and all(e.holds for e in self.expectations)

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        return (*self.program.diagnostics, *self.found)

    def __getitem__(self, name: str) -> Any:
        """The result of a definition; where it has axes, a `Results` table of the points that were computed.

        Vectors are `SteeringVector`, lists of them mappings by name, dictionaries `ConceptDictionary`, shifts
        `ConceptShift`, metrics `Metric`, samples lists of `Sample`, models context managers that give the Hugging Face
        model steered. Raises KeyError for a name the program lacks or that was not carried out.
        """
        table = self.program.compiled.tables.get(name)
        if table is None:
            raise KeyError(f"the program defines nothing named {name!r}")
        if not table.axes:
            return self._object(name, table.cells[0].value)
        there = [(label, c) for label, c in cells_of(table) if self._is_there(c.value)]
        if not there:
            raise KeyError(f"{name} was not carried out; name it as a target")
        return Results(table.axes, {c.labels: self._object(label, c.value) for label, c in there})

    def names(self) -> tuple[str, ...]:
        return tuple(self.program.compiled.tables)

    def model(self, name: str) -> RunModel:
        """The model of a definition, to generate with or to enter (`with run.model("kind") as model:`)."""
        found = self[name]
        from .models import RunModel

        if not isinstance(found, RunModel):
            raise KeyError(f"{name!r} is no single model")
        return found

    def receipt(self, name: str) -> Any:
        """What was measured of an edited model or of exported weights: counts of tensors, norms by block, cosines and
        sign conflicts, the share of the change that survives the dtype. A table where the definition has axes.

        Raises KeyError for a name the program lacks, and for what has no receipt: what is no edit, or was never made.
        """
        table = self.program.compiled.tables.get(name)
        if table is None:
            raise KeyError(f"the program defines nothing named {name!r}")
        found = {c.labels: self._receipt(label, c.value) for label, c in cells_of(table)}
        if all(receipt is None for receipt in found.values()):
            raise KeyError(f"{name!r} has no receipt: it is no edit of weights, or was not made")
        return Results(table.axes, found) if table.axes else found[()]

    def weights(self) -> dict[str, Receipt]:
        """The receipts of all edited models that took part and of all weights that were written."""
        return weights_of(self)

    def _receipt(self, label: str, value: object) -> Receipt | None:
        if isinstance(value, ModelValue) and value.base.operation == "model.edit":
            return receipt_of(self, value.base)
        return self.written.get(label)

    def payload(self, node: Node) -> Payload | None:
        """The stored result of a node, or None when it was not carried out."""
        try:
            return self.results.payload(node)
        except KeyError:
            return None

    def result(self, node: Node) -> Payload:
        """The stored result of a node. Raises KeyError with its name when it was not carried out."""
        found = self.payload(node)
        if found is None:
            raise KeyError(f"a result that is needed was not made ({self.plan.label(node)})")
        return found

    def wanted(self, kind: str) -> list[Symbol]:
        """The program's own definitions of a kind, in the order written; of the targets only, where there are some."""
        own = self.program.compiled.module.symbols.values()
        return [s for s in own if s.kind == kind and self._is_target(s.label)]

    def _is_target(self, name: str) -> bool:
        return self.targets is None or any(t == name or t.startswith(f"{name}[") for t in self.targets)

    def tables(self, kind: str) -> list[tuple[str, Table]]:
        """Definitions of a kind of which some result is there, with their names."""
        own = [s for s in self.program.compiled.module.symbols.values() if s.kind == kind]
        tables = [self.program.compiled.tables[s.label] for s in own]
        return [(t.symbol.label, t) for t in tables if any(self._is_there(c.value) for c in t.cells)]

    def chosen(self) -> list[tuple[str, str]]:
        """Definitions that are points found while running: `best`, `s = 0.1`."""
        found: list[tuple[str, str]] = []
        for table in self.program.compiled.tables.values():
            for label, cell in cells_of(table):
                if isinstance(cell.value, PointValue) and (payload := self.payload(cell.value.node)) is not None:
                    found.append((label, f"{cell.value.axis.name} = {_plain(cell.value, payload)}"))
        return found

    def _is_there(self, value: object) -> bool:
        if vectors := named_vectors(value):
            return all(self._is_there(v) for v in vectors.values())
        node = node_of(value)
        return node is None or node.virtual or self.payload(node) is not None

    def _object(self, label: str, value: Any) -> Any:
        if isinstance(value, ModelValue):
            from .models import RunModel

            return RunModel(value, self)
        if vectors := named_vectors(value):
            return {name: self._object(f"{label}[{name}]", v) for name, v in vectors.items()}
        if isinstance(value, list) and value and isinstance(value[0], ActionValue):
            from .steering import RunSteering

            return RunSteering(label, tuple(value), self)
        if not isinstance(
            value, (VectorValue, SamplesValue, MetricValue, ConditionValue, PointValue, DataValue, StatesValue,
                    CoefficientsSetValue, ConceptsValue, ShiftValue)
        ) or value.node is None:  # fmt: skip
            return None if value is POISON else value
        payload = self.payload(value.node)
        if payload is None:
            raise KeyError(f"{label} was not carried out; name it as a target")
        return _plain(value, payload)


def _plain(value: object, payload: Payload) -> Any:
    """A stored result as a plain object."""
    if isinstance(value, CoefficientsSetValue):
        assert value.node is not None
        return Coefficients.of(payload, value.node)
    if isinstance(value, VectorValue):
        return SteeringVector.of(payload)
    if isinstance(value, ConceptsValue):
        return ConceptDictionary.of(payload)
    if isinstance(value, ShiftValue):
        return ConceptShift.of(payload)
    if isinstance(value, SamplesValue):
        return samples_of(payload)
    if isinstance(value, MetricValue):
        return Metric.of(payload)
    if isinstance(value, ConditionValue):
        return bool(payload.meta["holds"])
    if isinstance(value, PointValue):
        index: Any = payload.meta["index"]
        return value.axis.labels[index]
    return dict(payload.tensors) if payload.tensors else list(payload.rows)


def samples_of(payload: Payload) -> list[Sample]:
    return [
        Sample(
            r["prompt"],
            r["completion"],
            len(r["completion_ids"]),
            r["finish"] == "end",
            r.get("gate_open"),
            r["id"],
            tuple(r.get("references", ())),
            r.get("answer_type"),
            r.get("image"),
        )
        for r in payload.rows
    ]
