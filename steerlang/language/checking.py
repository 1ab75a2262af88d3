"""Checking a program: every definition resolved and typed, cycles and unused definitions reported."""

from __future__ import annotations

from dataclasses import dataclass, field

from steerlang.diagnostics import Diagnostic, Edit, Fix, Label, codes, error
from steerlang.diagnostics.suggest import nearest
from steerlang.syntax import tree
from steerlang.syntax.printing import expression_text

from . import typed as t
from .modules import Module, Symbol, every
from .notes import Notes
from .ordering import in_order
from .registry import Kind, Registry
from .scope import Scope
from .types import ERROR, MODULE, TEXT, Axis, list_of, shown
from .types import Label as Point


@dataclass(frozen=True, eq=False)
class TypedProgram:
    """The checked program: each symbol's meaning, in the order written, imports first."""

    module: Module
    meanings: dict[Symbol, t.Typed]
    registry: Registry
    notes: Notes = field(default_factory=Notes)

    def targets(self) -> list[Symbol]:
        """What runs: expects, exports and reports; with none of these, every definition that holds a result."""
        own = list(self.module.symbols.values())
        running = [s for s in own if (k := self.registry.kinds.get(s.kind)) is not None and k.runs]
        if any(s.kind == "report" for s in running):  # a report shows every metric and all samples
            running += [s for s in own if s.kind in ("metric", "samples")]
        return running or [s for s in own if s.kind not in ("import", "param", "sweep", "let")]


@dataclass(eq=False)
class Checker:
    """Types definitions on demand, each once. The stack of those in progress shows a cycle when it closes."""

    registry: Registry
    diagnostics: list[Diagnostic] = field(default_factory=list)
    notes: Notes = field(default_factory=Notes)
    _meanings: dict[Symbol, t.Typed] = field(default_factory=dict)
    _stack: list[Symbol] = field(default_factory=list)
    _unknown: dict[Module, set[str]] = field(default_factory=dict)

    def check(self, module: Module) -> TypedProgram:
        for symbol in in_order(every(module)):
            try:
                self.meaning(symbol)
            except RecursionError:  # only a circle of a thousand definitions comes here
                self._endless(symbol)
        program = TypedProgram(module, self._meanings, self.registry, self.notes)
        self._unused(program)
        self._read_broken(every(module))
        return program

    def _read_broken(self, symbols: list[Symbol]) -> None:
        """Reads what has mistakes of form for the notes alone: they are reported, and more would only follow."""
        kept = list(self.diagnostics)
        for symbol in symbols:
            if symbol.broken and symbol.kind not in ("import", "param", "sweep"):
                kind = self.registry.kinds.get(symbol.kind)
                scope = Scope(self, symbol.module, f"`{symbol.name}`")
                scope.infer(symbol.definition.value, kind.types if kind else ())
        self.diagnostics[:] = kept

    def is_current(self, symbol: Symbol) -> bool:
        """Whether it is the definition being looked at."""
        return bool(self._stack) and self._stack[-1] is symbol

    def first_time(self, module: Module, name: str) -> bool:
        """Whether this unknown name is met for the first time: one mistake is reported once."""
        known = self._unknown.setdefault(module, set())
        if name in known:
            return False
        known.add(name)
        return True

    def meaning(self, symbol: Symbol) -> t.Typed:
        if symbol in self._meanings:
            return self._meanings[symbol]
        if symbol in self._stack:
            self._cycle(symbol)
            return t.Poison(ERROR, symbol.span)
        self._stack.append(symbol)
        meaning = self._define(symbol)
        self._stack.pop()
        self._meanings[symbol] = meaning
        return meaning

    def _define(self, symbol: Symbol) -> t.Typed:
        definition = symbol.definition
        kind = self.registry.kinds.get(symbol.kind)
        if kind is None and not symbol.broken:
            self._unknown_kind(definition)
        if isinstance(definition.value, tree.Broken) or symbol.broken:
            return t.Poison(ERROR, definition.value.span)
        if kind is not None and kind.name == "import":
            return t.Constant(symbol.module.imports.get(symbol.name), MODULE, definition.value.span)
        scope = Scope(self, symbol.module, f"`{symbol.name}`")
        if kind is not None and kind.name == "sweep":
            return self._sweep(symbol, scope)
        if kind is not None and kind.name == "param":
            return scope.declaration(definition.value, symbol.name)
        value = scope.infer(definition.value, kind.types if kind else ())
        if kind is None:
            return t.Poison(ERROR, value.span)
        value = self._in_place(kind, value, scope)
        if not self._fits(kind, symbol, value):
            return t.Poison(ERROR, value.span)
        return value if self._axes_agree(value) else t.Poison(ERROR, value.span)

    def _in_place(self, kind: Kind, value: t.Typed, scope: Scope) -> t.Typed:
        """A list of texts where data is declared is text data; a single action is a list of one."""
        if kind.name == "data" and list_of(TEXT).accepts(value.type) and not isinstance(value, t.Poison):
            return scope.invoke("texts", {"rows": value}, value.span)
        if kind.name == "steering" and isinstance(value, t.Invocation) and value.type.name == "action":
            return t.Sequence((value,), kind.types[0], value.axes, value.span)
        return value

    def _fits(self, kind: Kind, symbol: Symbol, value: t.Typed) -> bool:
        if kind.accepts(value.type) or isinstance(value, t.Poison):
            return True
        fitting = [k.name for k in self.registry.kinds.values() if k.accepts(value.type)]
        help = f"declare it as `{fitting[0]} {symbol.name} = …`" if fitting else f"`{kind.name}` holds {_phrases(kind)}"
        self.diagnostics.append(
            error(
                codes.KIND_MISMATCH,
                value.span,
                f"`{symbol.name}` is declared as `{kind.name}`, but its value is {value.type}",
                help=help,
                secondary=(Label(symbol.definition.kind.span, f"`{kind.name}` holds {_phrases(kind)}"),)
                if fitting
                else (),
                fixes=(Fix(f"declare it as `{fitting[0]}`", (Edit(symbol.definition.kind.span, fitting[0]),)),)
                if fitting
                else (),
            )
        )
        return False

    def _axes_agree(self, value: t.Typed) -> bool:
        """Whether axes that meet under one name are one axis: points of two lists of models have no order in common."""
        todo = [value]
        while todo:
            node = todo.pop()
            seen: dict[str, tuple[Axis, t.Typed]] = {}
            for child in t.children(node):
                for axis in child.axes:
                    other, place = seen.setdefault(axis.name, (axis, child))
                    if other != axis:
                        self._axes_differ(node, axis, (other, place), child)
                        return False
            todo.extend(t.children(node))
        return True

    def _axes_differ(self, node: t.Typed, axis: Axis, first: tuple[Axis, t.Typed], second: t.Typed) -> None:
        other, place = first
        self.diagnostics.append(
            error(
                codes.UNKNOWN_AXIS,
                node.span,
                f"these values depend on two different axes that are both called `{axis.name}`",
                help=f"select a point of each, such as `{other.example}`, or use one axis for both",
                secondary=(Label(place.span, _points(other)), Label(second.span, _points(axis))),
            )
        )

    def _sweep(self, symbol: Symbol, scope: Scope) -> t.Typed:
        expr = symbol.definition.value
        if not isinstance(expr, tree.ListOf):
            self.diagnostics.append(
                error(
                    codes.KIND_MISMATCH,
                    expr.span,
                    "a sweep takes a list of values",
                    help=f"write `sweep {symbol.name} = [0.0, 0.1]`",
                )
            )
            return t.Poison(ERROR, expr.span)
        if not expr.items:
            self.diagnostics.append(
                error(
                    codes.EMPTY_RANGE,
                    expr.span,
                    f"the sweep `{symbol.name}` has no points",
                    help="give at least one value",
                )
            )
            return t.Poison(ERROR, expr.span)
        points = scope.choose(symbol.name, tuple(scope.infer_item(e) for e in expr.items), expr)
        if isinstance(points, t.Choose):
            self.notes.sweeps.setdefault(points.axis, symbol)
        return points

    def _unknown_kind(self, definition: tree.Definition) -> None:
        word = definition.kind.id
        close = nearest(word, tuple(self.registry.kinds))
        help = f"did you mean `{close[0]}`?" if close else "the kinds are " + ", ".join(self.registry.kinds)
        self.diagnostics.append(
            error(
                codes.UNKNOWN_KIND,
                definition.kind.span,
                f"`{word}` is not a kind of definition",
                help=help,
                fixes=(Fix(f"use `{close[0]}`", (Edit(definition.kind.span, close[0]),)),) if close else (),
            )
        )

    def _endless(self, symbol: Symbol) -> None:
        self._meanings.update((s, t.Poison(ERROR, s.span)) for s in self._stack)
        self._stack.clear()
        self.diagnostics.append(
            error(
                codes.DEPENDENCY_CYCLE,
                symbol.span,
                f"`{symbol.name}` stands in a circle of very many definitions that need each other",
                help="take one of them out of the circle",
            )
        )

    def _cycle(self, symbol: Symbol) -> None:
        around = self._stack[self._stack.index(symbol) :]
        names = [s.name for s in (*around, symbol)]
        path = " → ".join(names if len(names) <= 9 else [*names[:5], "…", *names[-3:]])
        self.diagnostics.append(
            error(
                codes.DEPENDENCY_CYCLE,
                symbol.span,
                f"definitions need each other in a circle: {path}",
                help="take one of them out of the circle",
                secondary=tuple(Label(s.span, "part of the circle") for s in around[1:9]),
            )
        )

    def _unused(self, program: TypedProgram) -> None:
        """Warn of definitions that nothing which runs needs. Without anything that runs, everything runs."""
        used: set[Symbol] = set()
        todo = program.targets()
        while todo:
            symbol = todo.pop()
            if symbol not in used:
                used.add(symbol)
                todo.extend(references(self._meanings[symbol]))
        for symbol in program.module.symbols.values():
            member = symbol.kind == "import" and any(s.module.prefix.startswith(f"{symbol.name}.") for s in used)
            if symbol in used or member:
                continue
            self.diagnostics.append(
                Diagnostic(
                    codes.UNUSED_DEFINITION,
                    f"`{symbol.name}` is used by nothing that runs",
                    Label(symbol.span),
                    help=("take it out, or name it in an `expect`, `export` or `report`",),
                )
            )


def references(meaning: t.Typed) -> list[Symbol]:
    """The definitions a meaning names."""
    found: list[Symbol] = []
    todo = [meaning]
    while todo:
        node = todo.pop()
        if isinstance(node, t.Reference):
            found.append(node.symbol)
        todo.extend(t.children(node))
    return found


def point_label(item: t.Typed, expr: tree.Expr) -> Point:
    """What a point of an axis is called: a plain value by itself, anything else by its text."""
    if isinstance(item, t.Constant) and isinstance(item.value, (str, int, float)):
        return item.value
    return expression_text(expr)


def _points(axis: Axis) -> str:
    return f"at the points {', '.join(shown(x) for x in axis.labels[:4])}{', …' if len(axis.labels) > 4 else ''}"


def _phrases(kind: Kind) -> str:
    return " or ".join(x.phrase for x in kind.types[:3]) + (" …" if len(kind.types) > 3 else "")
