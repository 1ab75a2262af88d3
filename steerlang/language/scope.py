"""Reading expressions: names resolved, calls bound, operators typed, axes selected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from steerlang.diagnostics import Diagnostic, Edit, Fix, Label, codes, error
from steerlang.diagnostics.suggest import nearest
from steerlang.source import Span
from steerlang.syntax import tree
from steerlang.syntax.printing import expression_text

from . import typed as t
from .binding import Binder
from .indexing import index
from .modules import Module, Symbol
from .parameter_types import Layers, names_layers
from .signature import Function, Mismatch, Operator, Parameter
from .types import (
    BOOL,
    DURATION,
    ERROR,
    LAYERS,
    NEVER,
    NONE,
    NUMBER,
    RATIO,
    RECORD,
    SIZE,
    TEXT,
    WORD,
    Axes,
    Axis,
    ListType,
    Type,
    list_of,
    union,
)

if TYPE_CHECKING:
    from .checking import Checker


# The family of functions that declare parameters of a program.
DECLARING = "parameters"


@dataclass(frozen=True)
class Scope:
    """Where an expression stands: its module, and the parameter it is given for (used in messages)."""

    checker: Checker
    module: Module
    parameter: str

    def report(self, diagnostic: Diagnostic) -> None:
        self.checker.diagnostics.append(diagnostic)

    def inside(self, parameter: str) -> Scope:
        return replace(self, parameter=parameter)

    def labels(self, *places: tuple[Span | None, str]) -> tuple[Label, ...]:
        return tuple(Label(span, text) for span, text in places if span is not None)

    def defines(self, name: str) -> bool:
        return name in self.module.symbols

    def bind(
        self,
        what: str,
        subjects: tuple[Parameter, ...],
        parameters: tuple[Parameter, ...],
        arguments: tuple[tree.Argument, ...],
        span: Span,
    ) -> Mapping[str, t.Typed]:
        return Binder(self, what, subjects, parameters, span).bind(arguments)

    def invoke(self, name: str, arguments: Mapping[str, t.Typed], span: Span) -> t.Typed:
        """A call the author did not write, such as the text data made of a list of texts."""
        function = self.checker.registry.functions[name]
        result = function.result
        assert isinstance(result, Type)
        left_out = (p for p in function.all_parameters if p.name not in arguments)
        defaults = {p.name: t.Constant(p.default, WORD, span, default=True) for p in left_out}
        arguments = {**arguments, **defaults}
        return t.Invocation(function, arguments, result, union(*(a.axes for a in arguments.values())), span)

    # ---- expressions -------------------------------------------------------------------------------------------

    def infer(self, expr: tree.Expr, wanted: tuple[Type, ...] = ()) -> t.Typed:
        """The meaning of an expression; `wanted` only picks the namespace suggestions come from."""
        plain = _literal(expr)
        if plain is not None:
            return plain
        if isinstance(expr, tree.Range) or (LAYERS in wanted and names_layers(expr, self)):
            return Layers().check(expr, self)
        if isinstance(expr, tree.Name):
            return self._name(expr, wanted)
        if isinstance(expr, tree.Call):
            return self._call(expr, wanted)
        if isinstance(expr, tree.Member):
            return self._member(expr)
        if isinstance(expr, tree.Index):
            return index(self, expr)
        if isinstance(expr, tree.Binary):
            return self._operator(expr.operator, (expr.left, expr.right), expr.operator_span, expr.span)
        if isinstance(expr, tree.Unary):
            return self._operator(expr.operator, (expr.operand,), expr.span, expr.span)
        if isinstance(expr, tree.ListOf):
            return self._list(expr)
        if isinstance(expr, tree.Record):
            items = tuple(self.infer(e.value) for e in expr.entries)
            return t.Sequence(items, RECORD, union(*(i.axes for i in items)), expr.span)
        return t.Poison(ERROR, expr.span)

    def infer_item(self, expr: tree.Expr) -> t.Typed:
        return self.inside("this list").infer(expr)

    def _name(self, expr: tree.Name, wanted: tuple[Type, ...]) -> t.Typed:
        symbol = self.module.symbols.get(expr.id)
        if symbol is None:
            return self._unknown(expr, wanted)
        meaning = self.checker.meaning(symbol)
        if isinstance(meaning, t.Poison):
            return t.Poison(meaning.type, expr.span)
        return t.Reference(symbol, meaning.type, meaning.axes, expr.span)

    def _unknown(self, expr: tree.Name, wanted: tuple[Type, ...]) -> t.Poison:
        registry = self.checker.registry
        if expr.id in self.module.unread or not self.checker.first_time(self.module, expr.id):
            return t.Poison(ERROR, expr.span)
        function = registry.function(expr.id)
        if function is not None:
            self.report(
                error(
                    codes.UNKNOWN_NAME,
                    expr.span,
                    f"`{expr.id}` is a function; here stands no call of it",
                    help=f"call it: `{expr.id}(…)`",
                )
            )
            return t.Poison(ERROR, expr.span)
        kinds = {k.name for k in registry.kinds.values() if not wanted or any(k.accepts(w) for w in wanted)}
        others = [s for s in self.module.symbols.values() if not self.checker.is_current(s)]
        fitting = [s.name for s in others if s.kind in kinds | {"sweep", "param"}]
        close = nearest(expr.id, fitting) or nearest(expr.id, [s.name for s in others])
        help = f"did you mean `{close[0]}`?" if close else f"define it, for example `let {expr.id} = …`"
        fixes = (Fix(f"use `{close[0]}`", (Edit(expr.span, close[0]),)),) if close else ()
        self.report(
            error(
                codes.UNKNOWN_NAME,
                expr.span,
                f"nothing is defined under the name `{expr.id}`",
                help=help,
                fixes=fixes,
                secondary=self.labels((self.module.symbols[close[0]].span, "defined here")) if close else (),
            )
        )
        return t.Poison(ERROR, expr.span)

    def _member(self, expr: tree.Member) -> t.Typed:
        if isinstance(expr.subject, tree.Name):
            symbol = self.module.symbols.get(expr.subject.id)
            if symbol is not None and symbol.kind == "import":
                return self._imported(symbol, expr)
            if symbol is None:
                return self._unknown(expr.subject, ())
        subject = self.infer(expr.subject)
        if not isinstance(subject, t.Poison):
            self.report(
                error(
                    codes.UNKNOWN_MEMBER,
                    expr.name.span,
                    f"{subject.type} has no member `{expr.name.id}`",
                    help="a dot reaches into imported files: `common.polite`",
                )
            )
        return t.Poison(ERROR, expr.span)

    def _imported(self, symbol: Symbol, expr: tree.Member) -> t.Typed:
        module = self.module.imports.get(symbol.name)
        if module is None:  # the file could not be read, which is reported already
            return t.Poison(ERROR, expr.span)
        target = module.symbols.get(expr.name.id)
        if target is None:
            close = nearest(expr.name.id, list(module.symbols))
            self.report(
                error(
                    codes.UNKNOWN_MEMBER,
                    expr.name.span,
                    f"`{symbol.name}` defines nothing named `{expr.name.id}`",
                    help=f"did you mean `{symbol.name}.{close[0]}`?"
                    if close
                    else f"define it in `{module.source.name}`",
                )
            )
            return t.Poison(ERROR, expr.span)
        meaning = self.checker.meaning(target)
        if isinstance(meaning, t.Poison):
            return t.Poison(meaning.type, expr.span)
        return t.Reference(target, meaning.type, meaning.axes, expr.span)

    def declaration(self, expr: tree.Expr, name: str) -> t.Typed:
        """The value of a `param`: a declaration (`number(…)`, `text(…)`, `flag(…)`) of plain values."""
        callee = expr.callee.id if isinstance(expr, tree.Call) and isinstance(expr.callee, tree.Name) else None
        declaring = [f.name for f in self.checker.registry.functions.values() if f.family == DECLARING]
        if callee not in declaring:
            close = nearest(callee or "", declaring)
            kinds = ", ".join(f"`{d}(…)`" for d in declaring)
            help = f"did you mean `{close[0]}`?" if close else f"write `param {name} = number(default = …)`"
            self.report(error(codes.KIND_MISMATCH, expr.span, f"a parameter is declared by one of {kinds}", help=help))
            return t.Poison(ERROR, expr.span)
        assert isinstance(expr, tree.Call)
        declared = self._call(expr, (), declares=True)
        for argument in t.children(declared):
            parts = argument.items if isinstance(argument, t.Sequence) else (argument,)
            if not all(isinstance(part, t.Constant) for part in parts):
                self.report(
                    error(
                        codes.ARGUMENT_TYPE,
                        argument.span,
                        "a declaration takes plain values, so that it can be read before anything else",
                        help="write the value itself",
                    )
                )
                return t.Poison(ERROR, expr.span)
        return declared

    def _call(self, expr: tree.Call, wanted: tuple[Type, ...], declares: bool = False) -> t.Typed:
        if not isinstance(expr.callee, tree.Name):
            self.report(
                error(
                    codes.UNKNOWN_FUNCTION,
                    expr.callee.span,
                    "functions have plain names",
                    help="call a function by its name",
                )
            )
            return t.Poison(ERROR, expr.span)
        name = expr.callee.id
        function = self.checker.registry.function(name)
        if function is None:
            return self._unknown_function(expr.callee, expr.span, wanted)
        if function.family == DECLARING and not declares:
            self.report(
                error(
                    codes.KIND_MISMATCH,
                    expr.callee.span,
                    f"`{name}` declares a parameter, and here a value is meant",
                    help=f"declare it, `param size = {name}(…)`, and use its name here",
                )
            )
            return t.Poison(ERROR, expr.span)
        bound = self.bind(f"`{name}`", function.subjects, function.parameters, expr.arguments, expr.span)
        if t.is_broken(bound.values()):
            return t.Poison(ERROR, expr.span)
        axes = _reduced(function, bound, union(*(b.axes for b in bound.values())))
        if isinstance(function.result, Type):
            return t.Invocation(function, bound, function.result, axes, expr.span)
        result = function.result(bound)
        if isinstance(result, Mismatch):
            at = result.argument
            place = bound[at].span if at is not None and at in bound else expr.callee.span
            self.report(
                error(
                    codes.ARGUMENT_TYPE if result.argument else codes.MISSING_ARGUMENT,
                    place,
                    result.message,
                    help=result.help,
                )
            )
            return t.Poison(ERROR, expr.span)
        return t.Invocation(function, bound, result, axes, expr.span)

    def _unknown_function(self, name: tree.Name, span: Span, wanted: tuple[Type, ...]) -> t.Poison:
        registry = self.checker.registry
        fitting = registry.functions_giving(*wanted) if wanted else []
        close = nearest(name.id, fitting) or nearest(name.id, list(registry.functions))
        if name.id in self.module.symbols:
            help = f"`{name.id}` is a definition of this file and takes no arguments"
        elif close:
            help = f"did you mean `{close[0]}`?"
        else:
            help = "the functions are listed in the language reference"
        fixes = (Fix(f"use `{close[0]}`", (Edit(name.span, close[0]),)),) if close else ()
        self.report(
            error(codes.UNKNOWN_FUNCTION, name.span, f"there is no function `{name.id}`", help=help, fixes=fixes)
        )
        return t.Poison(ERROR, span)

    def _operator(self, symbol: str, exprs: tuple[tree.Expr, ...], where: Span, span: Span) -> t.Typed:
        operands = tuple(self.inside(f"`{symbol}`").infer(e) for e in exprs)
        if symbol == "-" and len(operands) == 1 and isinstance(operands[0], t.Constant) and operands[0].type == NUMBER:
            value = operands[0].value
            assert isinstance(value, (int, float))
            return t.Constant(-value, NUMBER, span)
        return self.apply(symbol, operands, where, span)

    def apply(self, symbol: str, operands: tuple[t.Typed, ...], where: Span, span: Span) -> t.Typed:
        """An operator between typed operands."""
        if t.is_broken(operands):
            return t.Poison(ERROR, span)
        operator = self.checker.registry.operator(symbol, tuple(o.type for o in operands))
        if operator is None:
            return self._no_operator(symbol, operands, where, span)
        return t.Applied(operator, operands, operator.result, union(*(o.axes for o in operands)), span)

    def _no_operator(self, symbol: str, operands: tuple[t.Typed, ...], where: Span, span: Span) -> t.Poison:
        forms = _forms(self.checker.registry.operators_for(symbol), symbol, operands)
        phrases = " and ".join(o.type.phrase for o in operands)
        places = {o.symbol.span if isinstance(o, t.Reference) else o.span: f"this is {o.type}" for o in operands}
        origins = self.labels(*places.items())
        self.report(
            error(
                codes.OPERATOR_MISMATCH,
                where,
                f"`{symbol}` does not work on {phrases}",
                help=f"it works on {'; '.join(forms)}" if forms else "take numbers, measured numbers or vectors",
                secondary=origins,
            )
        )
        return t.Poison(ERROR, span)

    def _list(self, expr: tree.ListOf) -> t.Typed:
        items = tuple(self.infer_item(e) for e in expr.items)
        if t.is_broken(items):
            return t.Poison(ERROR, expr.span)
        element = items[0].type if items else NEVER
        for item in items:
            if not element.accepts(item.type) and not isinstance(element, ListType):
                self.report(
                    error(
                        codes.ARGUMENT_TYPE,
                        item.span,
                        f"this is {item.type}, while the list began with {element}",
                        help="a list holds values of one type",
                    )
                )
                return t.Poison(ERROR, expr.span)
        return t.Sequence(items, list_of(element), union(*(i.axes for i in items)), expr.span)

    # ---- axes --------------------------------------------------------------------------------------------------

    def choose(self, axis_name: str, items: tuple[t.Typed, ...], expr: tree.ListOf) -> t.Typed:
        """A value that is another item at each point of a new axis."""
        from .checking import point_label

        if t.is_broken(items):
            return t.Poison(ERROR, expr.span)
        labels = tuple(point_label(i, e) for i, e in zip(items, expr.items, strict=True))
        for i, label in enumerate(labels):
            if label in labels[:i]:
                self.report(
                    error(
                        codes.DUPLICATE_ARGUMENT,
                        expr.items[i].span,
                        f"`{expression_text(expr.items[i])}` stands twice in the list",
                        help="each point of an axis is named once",
                    )
                )
                return t.Poison(ERROR, expr.span)
        element = items[0].type
        for item in items:
            if not element.accepts(item.type):
                self.report(
                    error(
                        codes.ARGUMENT_TYPE,
                        item.span,
                        f"this is {item.type}, while the list began with {element}",
                        help="a list holds values of one type",
                    )
                )
                return t.Poison(ERROR, expr.span)
        axis = Axis(axis_name, labels)
        return t.Choose(axis, items, element, union((axis,), *(i.axes for i in items)), expr.span)


def _forms(known: list[Operator], symbol: str, operands: tuple[t.Typed, ...]) -> list[str]:
    """How an operator could be used with at least one of these operands: `a vector + a vector`."""
    fitting = [op for op in known if len(op.operands) == len(operands)]
    near = [op for op in fitting if any(w == o.type for w in op.operands for o in operands)]
    forms = [f" {symbol} ".join(x.phrase for x in op.operands) for op in near]
    return list(dict.fromkeys(f if len(operands) > 1 else f"{symbol} {f}" for f in forms))[:4]


def _reduced(function: Function, bound: Mapping[str, t.Typed], axes: Axes) -> Axes:
    """The axes that remain after a function has looked at all points of one."""
    over = bound.get(function.reduces)
    if not isinstance(over, t.Constant) or not isinstance(over.value, Axis):
        return axes
    gone = over.value.name
    return tuple(a for a in axes if a.name != gone)


def _literal(expr: tree.Expr) -> t.Typed | None:
    if isinstance(expr, (tree.Integer, tree.Float)):
        return t.Constant(expr.value, NUMBER, expr.span)
    if isinstance(expr, tree.String):
        return t.Constant(expr.value, TEXT, expr.span)
    if isinstance(expr, tree.Boolean):
        return t.Constant(expr.value, BOOL, expr.span)
    if isinstance(expr, tree.Nothing):
        return t.Constant(None, NONE, expr.span)
    if isinstance(expr, tree.Quantity):
        return _quantity(expr)
    return t.Poison(ERROR, expr.span) if isinstance(expr, tree.Broken) else None


_SIZES = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
_TIMES = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0}


def _quantity(expr: tree.Quantity) -> t.Constant:
    if expr.unit == "%":
        return t.Constant(expr.value / 100, RATIO, expr.span)
    if expr.unit in _SIZES:
        return t.Constant(round(expr.value * _SIZES[expr.unit]), SIZE, expr.span)
    return t.Constant(expr.value * _TIMES[expr.unit], DURATION, expr.span)
