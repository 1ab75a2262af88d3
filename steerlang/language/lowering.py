"""From the typed program to graph nodes: each definition is evaluated at each point of its axes.

Evaluating also is the last part of checking: bounds, layers, files and columns are looked at here, with what is known
of the world (`Facts`), so `validate` and `run` find the same mistakes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

from steerlang.diagnostics import Diagnostic, codes, error
from steerlang.graph.facts import Facts, ModelReference
from steerlang.graph.node import Json, Node
from steerlang.source import Span

from . import typed as t
from .checking import TypedProgram
from .layers import Depth, LayerProblem, LayerRange, Selection, resolve
from .modules import Symbol
from .notes import Resolved
from .signature import Call, Parameter
from .types import POINT, RATIO, Axes, Axis, shown
from .values import POISON, MetricValue, PointValue, SamplesValue, VectorValue

Point = Mapping[str, int]  # axis name → index


@dataclass(frozen=True)
class Options:
    """How a program is lowered.

    parameters  values of `param` definitions, by label, already of the right type
    hashing     whether file contents are hashed; without it keys are for display only
    locked      whether what cannot be checked here is an error
    remote_code whether models may bring code of their own (never from within a program)
    """

    parameters: Mapping[str, object] = field(default_factory=dict)
    hashing: bool = True
    locked: bool = False
    remote_code: bool = False


@dataclass(eq=False)
class Cell:
    """A definition at one point of its axes."""

    symbol: Symbol
    labels: tuple[object, ...]
    value: Any

    def __str__(self) -> str:
        return self.symbol.label


@dataclass(eq=False)
class Table:
    """A definition at all points of its axes, in order."""

    symbol: Symbol
    axes: Axes
    cells: list[Cell]


class Lowering:
    """Evaluates typed expressions. Functions call it to make nodes and to say what is wrong."""

    def __init__(self, program: TypedProgram, facts: Facts, options: Options) -> None:
        self.program = program
        self.facts = facts
        self.options = options
        self.diagnostics: list[Diagnostic] = []
        self.sources: dict[str, str] = {}  # node key → the file or id it reads, for messages
        self.absent: list[ModelReference] = []
        self._nodes: dict[str, Node] = {}
        self._memo: dict[tuple[Symbol, tuple[tuple[str, int], ...]], Any] = {}
        self._folders: list[str] = [program.module.folder]

    # ---- for functions -----------------------------------------------------------------------------------------

    @property
    def folder(self) -> str:
        """The folder relative paths of the definition being lowered start from."""
        return self._folders[-1]

    def node(
        self,
        operation: str,
        options: Mapping[str, Json],
        inputs: tuple[Node, ...],
        result: str,
        *,
        version: int = 1,
        virtual: bool = False,
        group: str | None = None,
        locators: Mapping[str, str] | None = None,
        source: str | None = None,
    ) -> Node:
        """A node, the same object for the same key."""
        made = Node(operation, version, options, inputs, result, virtual, group, locators or {})
        node = self._nodes.setdefault(made.key, made)
        if source is not None:
            self.sources[node.key] = source
        return node

    def report(self, diagnostic: Diagnostic) -> None:
        self.diagnostics.append(diagnostic)

    def layers(self, selection: Selection, count: int, span: Span, owner: str) -> tuple[int, ...] | None:
        """The layers a selection names in a model; a problem is reported and gives None."""
        found = resolve(selection, count)
        if not isinstance(found, LayerProblem):
            self.program.notes.layers[Resolved(span, found, owner)] = None
            return found
        code = {
            "range": codes.LAYER_OUT_OF_RANGE,
            "empty": codes.EMPTY_RANGE,
            "descending": codes.DESCENDING_RANGE,
            "negative": codes.NEGATIVE_LAYER,
        }[found.kind]
        self.report(
            error(
                code,
                span,
                f"{found.message} in {owner}",
                help=found.help,
                notes=(f"{owner} has {count} layers, 0 to {count - 1}",),
            )
        )
        return None

    # ---- evaluation --------------------------------------------------------------------------------------------

    def tables(self, symbols: list[Symbol]) -> list[Table]:
        """The given definitions at all points of their axes."""
        return [self.table(s) for s in symbols]

    def table(self, symbol: Symbol) -> Table:
        axes = self.program.meanings[symbol].axes
        cells = [
            Cell(
                symbol,
                tuple(a.labels[i] for a, i in zip(axes, indices, strict=True)),
                self.definition(symbol, dict(zip((a.name for a in axes), indices, strict=True))),
            )
            for indices in product(*(range(len(a.labels)) for a in axes))
        ]
        return Table(symbol, axes, cells)

    def definition(self, symbol: Symbol, point: Point) -> Any:
        meaning = self.program.meanings[symbol]
        coordinates = tuple(sorted((a.name, point[a.name]) for a in meaning.axes))
        key = (symbol, coordinates)
        if key not in self._memo:
            self._folders.append(symbol.module.folder)
            try:
                self._memo[key] = (
                    self._parameter(symbol, meaning)
                    if symbol.kind == "param"
                    else self.value(meaning, dict(coordinates))
                )
            finally:
                self._folders.pop()
        return self._memo[key]

    def _parameter(self, symbol: Symbol, meaning: t.Typed) -> Any:
        if symbol.label in self.options.parameters:
            return self.options.parameters[symbol.label]
        declared = self.value(meaning, {})
        return declared.default_value(self, symbol) if declared is not POISON else POISON

    def value(self, typed: t.Typed, point: Point) -> Any:
        """The value of a typed expression at one point of its axes."""
        if isinstance(typed, t.Constant):
            return typed.value
        if isinstance(typed, t.Reference):
            return self.definition(typed.symbol, point)
        if isinstance(typed, t.Invocation):
            return self._invoke(typed, point)
        if isinstance(typed, t.Choose):
            return self.value(typed.items[point[typed.axis.name]], point)
        if isinstance(typed, t.Sequence):
            items = [self.value(i, point) for i in typed.items]
            return POISON if any(i is POISON for i in items) else items
        if isinstance(typed, t.Applied):
            operands = tuple(self.value(o, point) for o in typed.operands)
            return POISON if any(o is POISON for o in operands) else typed.operator.lower(operands, typed.span, self)
        if isinstance(typed, t.RangeOf):
            return self._range(typed, point)
        return self._select(typed, point) if isinstance(typed, t.Select) else POISON

    def _invoke(self, typed: t.Invocation, point: Point) -> Any:
        values: dict[str, Any] = {}
        over = self._over(typed)
        for name, argument in typed.arguments.items():
            values[name] = self._argument(argument, point, over)
            self._judge(typed, name, argument, values[name])
        if any(v is POISON for v in values.values()) or self._misjudged(typed, values):
            return POISON
        values = {name: _settled(typed.function.parameter(name), value) for name, value in values.items()}
        spans = {name: a.span for name, a in typed.arguments.items()}
        written = frozenset(n for n, a in typed.arguments.items() if not (isinstance(a, t.Constant) and a.default))
        entries = {n: tuple(i.span for i in a.items) for n, a in typed.arguments.items() if isinstance(a, t.Sequence)}
        return typed.function.lower(Call(typed.function, values, spans, written, typed.span, entries), self)

    def _over(self, typed: t.Invocation) -> Axis | None:
        """The axis a reducing function looks along."""
        over = typed.arguments.get(typed.function.reduces)
        return over.value if isinstance(over, t.Constant) and isinstance(over.value, Axis) else None

    def _argument(self, argument: t.Typed, point: Point, over: Axis | None) -> Any:
        if over is None or all(a.name != over.name for a in argument.axes):
            return self.value(argument, point)
        cells = [self.value(argument, {**point, over.name: i}) for i in range(len(over.labels))]
        return POISON if any(c is POISON for c in cells) else cells

    def _judge(self, typed: t.Invocation, name: str, argument: t.Typed, value: Any) -> None:
        """Bounds and the like, on the value itself: it may come from a sweep or the command line."""
        parameter = typed.function.parameter(name)
        if parameter is None or value is POISON or (isinstance(argument, t.Constant) and argument.default):
            return
        found = parameter.type.problem(value)
        if found is not None:
            self.report(
                error(
                    codes.OUT_OF_BOUNDS,
                    argument.span,
                    f"{found.message} for `{name}` of `{typed.function.name}`",
                    help=found.help,
                )
            )

    def _misjudged(self, typed: t.Invocation, values: Mapping[str, Any]) -> bool:
        for name, argument in typed.arguments.items():
            parameter = typed.function.parameter(name)
            default = isinstance(argument, t.Constant) and argument.default
            if parameter is not None and not default and parameter.type.problem(values[name]) is not None:
                return True
        return False

    def _range(self, typed: t.RangeOf, point: Point) -> Any:
        start, end = self._end(typed.start, point), self._end(typed.end, point)
        return POISON if start is POISON or end is POISON else LayerRange(start, end, typed.closed)

    def _end(self, typed: t.Typed, point: Point) -> Any:
        value: Any = self.value(typed, point)
        return Depth(value) if typed.type == RATIO and value is not POISON else value

    def _select(self, typed: t.Select, point: Point) -> Any:
        if typed.index is not None:
            return self.value(typed.subject, {**point, typed.axis.name: typed.index})
        assert typed.point is not None
        where = self.value(typed.point, point)
        if typed.point.type != POINT:
            return self._settled_point(typed, typed.point, where, point)
        cells = [self.value(typed.subject, {**point, typed.axis.name: i}) for i in range(len(typed.axis.labels))]
        if where is POISON or any(c is POISON for c in cells):
            return POISON
        return self._pick(typed, where, cells)

    def _settled_point(self, typed: t.Select, written: t.Typed, label: Any, point: Point) -> Any:
        """A point given by a `let`, a parameter or a calculation."""
        if label is POISON:
            return POISON
        index = typed.axis.index(label)
        if index is not None:
            return self.value(typed.subject, {**point, typed.axis.name: index})
        points = ", ".join(f"`{shown(x)}`" for x in typed.axis.labels)
        self.report(
            error(
                codes.UNKNOWN_POINT,
                written.span,
                f"`{typed.axis.name}` has no point `{shown(label)}`",
                help=f"its points are {points}",
            )
        )
        return POISON

    def _pick(self, typed: t.Select, where: PointValue, cells: list[Any]) -> Any:
        first = cells[0]
        if not isinstance(first, (MetricValue, SamplesValue, VectorValue)):
            self.report(
                error(
                    codes.NOT_INDEXABLE,
                    typed.point.span if typed.point is not None else typed.span,
                    f"{typed.type} cannot be selected by a point that is found while running",
                    help="only metrics, samples and vectors can; name the point itself for anything else",
                )
            )
            return POISON
        if isinstance(first, VectorValue) and not self._exchangeable(typed, cells):
            return POISON
        if where.axis.labels != typed.axis.labels:
            self.report(
                error(
                    codes.UNKNOWN_POINT,
                    typed.point.span if typed.point is not None else typed.span,
                    f"the point was found on another axis than `{typed.axis.name}`",
                    help=f"it is a point of `{where.axis.name}`",
                )
            )
            return POISON
        node = self.node("pick", {"points": len(cells)}, (where.node, *(c.node for c in cells)), first.node.result)
        return replace(first, node=node)

    def _exchangeable(self, typed: t.Select, vectors: list[VectorValue]) -> bool:
        """Whether it makes no difference to the checks which of some vectors is taken."""
        first = vectors[0]
        for other in vectors[1:]:
            if (other.model, other.site, other.layers) == (first.model, first.site, first.layers):
                continue
            what = "layers" if other.layers != first.layers else "sites" if other.site != first.site else "models"
            self.report(
                error(
                    codes.PROVENANCE_MISMATCH,
                    typed.point.span if typed.point is not None else typed.span,
                    f"one of these vectors is chosen while running, and they are of different {what}",
                    help="choose among vectors of the same layers, site and model; metrics and samples of the point "
                    "can be selected in any case",
                )
            )
            return False
        return True


def _settled(parameter: Parameter | None, value: Any) -> Any:
    return value if parameter is None else parameter.type.settled(value)
