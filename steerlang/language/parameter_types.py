"""What parameters take: how the expression given for one is read, checked and turned into a value.

Bare words are read by the parameter's type before names are looked up, so a new method or option never breaks a
program. `check` works on the expression alone; `problem` judges a value once it is known (bounds, patterns).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from steerlang.diagnostics import codes, error
from steerlang.diagnostics.suggest import nearest
from steerlang.syntax import tree

from . import typed as t
from .layers import AllLayers, FromLast
from .signature import Method, Mismatch
from .types import (
    BOOL,
    DATA,
    LAYERS,
    NEVER,
    NONE,
    NUMBER,
    RANGE,
    RATIO,
    TEXT,
    TEXTS,
    WORD,
    ListType,
    Type,
    list_of,
    union,
)

if TYPE_CHECKING:
    from .scope import Scope


class ParameterType(ABC):
    """Reads one argument. `phrase` completes "takes …"."""

    @property
    @abstractmethod
    def phrase(self) -> str: ...

    @abstractmethod
    def check(self, expr: tree.Expr, scope: Scope) -> t.Typed: ...

    def problem(self, value: Any) -> Mismatch | None:
        """What is wrong with a known value, or None."""
        return None

    def settled(self, value: Any) -> Any:
        """A value without a problem in the one form it has in options: `1` and `1.0` mean the same and key the same."""
        return value


def _wrong(scope: Scope, given: t.Typed, wanted: str, help: str = "") -> t.Poison:
    if not isinstance(given, t.Poison):
        where = given.symbol.span if isinstance(given, t.Reference) else None
        scope.report(
            error(
                codes.ARGUMENT_TYPE,
                given.span,
                f"this is {given.type}, where {scope.parameter} takes {wanted}",
                help=help or f"give {wanted}",
                secondary=scope.labels((where, "defined here")),
            )
        )
    return t.Poison(given.type, given.span)


@dataclass(frozen=True, slots=True)
class Value(ParameterType):
    """A value of one of some types: `Value((MODEL,))`."""

    types: tuple[Type, ...]
    words: str = ""

    @property
    def phrase(self) -> str:
        return self.words or " or ".join(x.phrase for x in self.types)

    def check(self, expr: tree.Expr, scope: Scope) -> t.Typed:
        given = scope.infer(expr, self.types)
        if any(x.accepts(given.type) for x in self.types):
            return given
        return _wrong(scope, given, self.phrase)


@dataclass(frozen=True, slots=True)
class Data(ParameterType):
    """Rows of the given forms; where texts will do, a list of texts may be written in place."""

    forms: tuple[Type, ...] = (TEXTS,)

    @property
    def phrase(self) -> str:
        return " or ".join(x.phrase for x in self.forms)

    def check(self, expr: tree.Expr, scope: Scope) -> t.Typed:
        given = scope.infer(expr, (*self.forms,))
        if any(x.accepts(given.type) for x in self.forms):
            return given
        if TEXTS in self.forms and list_of(TEXT).accepts(given.type):
            return scope.invoke("texts", {"rows": given}, given.span)
        help = ""
        if given.type in DATA:
            help = _data_help(given.type, self.forms)
        return _wrong(scope, given, self.phrase, help)


def _data_help(given: Type, wanted: tuple[Type, ...]) -> str:
    if wanted == (TEXTS,):
        return f'this holds {given}: read one column with `text = "…"`'
    return 'name the two columns where the data is read: `source = "…", target = "…"`'


@dataclass(frozen=True, slots=True)
class Number(ParameterType):
    """A number with bounds (both included)."""

    minimum: float | None = None
    maximum: float | None = None
    integer: bool = False
    optional: bool = False
    exclusive: bool = False  # minimum itself is left out
    below: bool = False  # maximum itself is left out

    @property
    def phrase(self) -> str:
        noun = "a whole number" if self.integer else "a number"
        if self.minimum is not None and self.maximum is not None:
            low = f"above {self.minimum:g} and up" if self.exclusive else f"from {self.minimum:g}"
            return (
                f"{noun} between {self.minimum:g} and {self.maximum:g}"
                if self.below
                else f"{noun} {low} to {self.maximum:g}"
            )
        if self.minimum is not None:
            return f"{noun} above {self.minimum:g}" if self.exclusive else f"{noun} of at least {self.minimum:g}"
        return noun if self.maximum is None else f"{noun} of at most {self.maximum:g}"

    def check(self, expr: tree.Expr, scope: Scope) -> t.Typed:
        given = scope.infer(expr, (NUMBER,))
        if NUMBER.accepts(given.type) or (self.optional and given.type == NONE):
            return given
        help = ""
        if given.type == RATIO and isinstance(expr, tree.Quantity):
            help = f"write the number itself: `{expr.value / 100:g}`"
        return _wrong(scope, given, self.phrase, help)

    def problem(self, value: Any) -> Mismatch | None:
        if value is None and self.optional:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return Mismatch(f"this is not {self.phrase}", f"give {self.phrase}")
        if value != value or value in (float("inf"), float("-inf")):
            return Mismatch("this number is not finite", f"give {self.phrase}")
        if self.integer and value != int(value):
            return Mismatch(f"`{value:g}` is not a whole number", f"give {self.phrase}")
        low = self.minimum is not None and (value < self.minimum or (self.exclusive and value == self.minimum))
        high = self.maximum is not None and (value > self.maximum or (self.below and value == self.maximum))
        if low or high:
            return Mismatch(f"`{value:g}` is out of bounds", f"give {self.phrase}")
        return None

    def settled(self, value: Any) -> Any:
        return value if value is None else int(value) if self.integer else float(value)


@dataclass(frozen=True, slots=True)
class Text(ParameterType):
    optional: bool = False

    @property
    def phrase(self) -> str:
        return "a text in double quotes"

    def check(self, expr: tree.Expr, scope: Scope) -> t.Typed:
        if isinstance(expr, tree.Name) and not scope.defines(expr.id):
            scope.report(
                error(
                    codes.ARGUMENT_TYPE,
                    expr.span,
                    f"`{expr.id}` is a bare word where {scope.parameter} takes a text",
                    help=f'put it in quotes: `"{expr.id}"`',
                )
            )
            return t.Poison(TEXT, expr.span)
        given = scope.infer(expr, (TEXT,))
        if TEXT.accepts(given.type) or (self.optional and given.type == NONE):
            return given
        return _wrong(scope, given, self.phrase)


@dataclass(frozen=True, slots=True)
class Flag(ParameterType):
    @property
    def phrase(self) -> str:
        return "`true` or `false`"

    def check(self, expr: tree.Expr, scope: Scope) -> t.Typed:
        given = scope.infer(expr, (BOOL,))
        return given if BOOL.accepts(given.type) else _wrong(scope, given, self.phrase)


@dataclass(frozen=True, slots=True)
class Choice(ParameterType):
    """One of some words, each with a line of help."""

    words: Mapping[str, str]

    @property
    def phrase(self) -> str:
        return "one of " + ", ".join(f"`{w}`" for w in self.words)

    def check(self, expr: tree.Expr, scope: Scope) -> t.Typed:
        if isinstance(expr, tree.Nothing) and "none" in self.words:
            return t.Constant("none", WORD, expr.span)
        if isinstance(expr, tree.Name):
            if expr.id in self.words:
                return t.Constant(expr.id, WORD, expr.span)
            return not_an_option(scope, expr, tuple(self.words))
        if isinstance(expr, tree.String) and expr.value in self.words:
            scope.report(
                error(
                    codes.NOT_A_MEMBER,
                    expr.span,
                    f"`{expr.value}` is a text here, where a bare word is meant",
                    help=f"leave out the quotes: `{expr.value}`",
                )
            )
            return t.Poison(WORD, expr.span)
        return _wrong(scope, scope.infer(expr, ()), self.phrase)


def not_an_option(scope: Scope, expr: tree.Name, words: tuple[str, ...]) -> t.Poison:
    close = nearest(expr.id, words)
    help = f"did you mean `{close[0]}`?" if close else "take one of " + ", ".join(f"`{w}`" for w in words)
    scope.report(error(codes.NOT_A_MEMBER, expr.span, f"{scope.parameter} has no option `{expr.id}`", help=help))
    return t.Poison(WORD, expr.span)


@dataclass(frozen=True, slots=True)
class Methods(ParameterType):
    """One of some methods, alone (`pca`) or with options of its own (`pca(center = mean)`)."""

    methods: tuple[Method, ...]

    @property
    def phrase(self) -> str:
        return "one of " + ", ".join(f"`{m.name}`" for m in self.methods)

    def find(self, name: str) -> Method | None:
        return next((m for m in self.methods if m.name == name), None)

    def check(self, expr: tree.Expr, scope: Scope) -> t.Typed:
        name = expr.callee if isinstance(expr, tree.Call) else expr
        if not isinstance(name, tree.Name):
            return _wrong(scope, scope.infer(expr, ()), self.phrase)
        method = self.find(name.id)
        if method is None:
            return not_an_option(scope, name, tuple(m.name for m in self.methods))
        arguments = expr.arguments if isinstance(expr, tree.Call) else ()
        bound = scope.bind(f"`{method.name}`", (), method.parameters, arguments, expr.span)
        if t.is_broken(bound.values()):
            return t.Poison(WORD, expr.span)
        axes = union(*(b.axes for b in bound.values()))
        return t.Invocation(_method_function(method), bound, WORD, axes, expr.span)


def _method_function(method: Method) -> Any:
    from .signature import Call, Function, MethodChoice

    def choose(call: Call, _: Any) -> MethodChoice:
        return MethodChoice(method, dict(call.values))

    return Function(method.name, method.help, "method", (), method.parameters, WORD, choose)


@dataclass(frozen=True, slots=True)
class Words(ParameterType):
    """A list of texts, or data of texts, or (where bare words are meant) words such as selectors."""

    @property
    def phrase(self) -> str:
        return "a list of words, or text data"

    def check(self, expr: tree.Expr, scope: Scope) -> t.Typed:
        return Data((TEXTS,)).check(expr, scope)


@dataclass(frozen=True, slots=True)
class Selector(ParameterType):
    """Bare words and calls that select something: tokens, sites. `words` are those allowed for this parameter."""

    type: Type
    words: Mapping[str, str]
    calls: tuple[str, ...] = ()

    @property
    def phrase(self) -> str:
        return "one of " + ", ".join([*(f"`{w}`" for w in self.words), *(f"`{c}(…)`" for c in self.calls)])

    def check(self, expr: tree.Expr, scope: Scope) -> t.Typed:
        if isinstance(expr, tree.Name):
            if expr.id in self.words:
                return t.Constant({"select": expr.id}, self.type, expr.span)
            return not_an_option(scope, expr, (*self.words, *self.calls))
        if isinstance(expr, tree.Call) and isinstance(expr.callee, tree.Name) and expr.callee.id not in self.calls:
            return not_an_option(scope, expr.callee, (*self.words, *self.calls))
        given = scope.infer(expr, (self.type,))
        return given if self.type.accepts(given.type) else _wrong(scope, given, self.phrase)


@dataclass(frozen=True, slots=True)
class Layers(ParameterType):
    """`all`, `first`, `last`, `last - 2`, `4`, `8..16`, `25%..75%`, or a list of these."""

    optional: bool = False

    @property
    def phrase(self) -> str:
        return "layers (`all`, `8..16`, `25%..75%`, `last - 2`, `[1, 2]`)"

    def check(self, expr: tree.Expr, scope: Scope) -> t.Typed:
        if isinstance(expr, tree.ListOf):
            items = tuple(self._item(e, scope) for e in expr.items)
            if t.is_broken(items):
                return t.Poison(LAYERS, expr.span)
            return t.Sequence(items, LAYERS, union(*(i.axes for i in items)), expr.span)
        return self._item(expr, scope)

    def _item(self, expr: tree.Expr, scope: Scope) -> t.Typed:
        if isinstance(expr, tree.Name) and expr.id in _LAYER_WORDS:
            return t.Constant(_LAYER_WORDS[expr.id], LAYERS, expr.span)
        if isinstance(expr, tree.Range):
            return self._range(expr, scope)
        return self._end(expr, scope, (NUMBER, RANGE, LAYERS, list_of(NUMBER), list_of(NEVER)))

    def _range(self, expr: tree.Range, scope: Scope) -> t.Typed:
        start = self._end(expr.start, scope, (NUMBER, RATIO, LAYERS))
        end = self._end(expr.end, scope, (NUMBER, RATIO, LAYERS))
        if t.is_broken((start, end)):
            return t.Poison(RANGE, expr.span)
        return t.RangeOf(start, end, expr.closed, RANGE, union(start.axes, end.axes), expr.span)

    def _end(self, expr: tree.Expr, scope: Scope, types: tuple[Type, ...]) -> t.Typed:
        if isinstance(expr, tree.Name) and expr.id in ("first", "last"):
            return t.Constant(_LAYER_WORDS[expr.id], LAYERS, expr.span)
        if isinstance(expr, tree.Binary) and _from_last(expr):
            left, right = self._end(expr.left, scope, types), scope.infer(expr.right, (NUMBER,))
            return scope.apply("-", (left, right), expr.operator_span, expr.span)
        if isinstance(expr, tree.Unary) and expr.operator == "-":
            scope.report(
                error(
                    codes.NEGATIVE_LAYER,
                    expr.span,
                    "layers are never negative",
                    help="count from the end with `last`, `last - 1`, …",
                )
            )
            return t.Poison(LAYERS, expr.span)
        given = scope.infer(expr, types)
        if any(x.accepts(given.type) for x in types):
            return given
        return _wrong(scope, given, self.phrase)


_LAYER_WORDS: Mapping[str, object] = {"all": AllLayers(), "first": 0, "last": FromLast(0)}


def _from_last(expr: tree.Expr) -> bool:
    """Whether an expression counts back from the last layer: `last`, `last - 2`."""
    while isinstance(expr, tree.Binary) and expr.operator == "-":
        expr = expr.left
    return isinstance(expr, tree.Name) and expr.id == "last"


def names_layers(expr: tree.Expr, scope: Scope) -> bool:
    """Whether an expression names layers by the words for them, so that a `let` may hold it: `last - 2`."""
    if isinstance(expr, tree.ListOf):
        return any(isinstance(e, tree.Range) or names_layers(e, scope) for e in expr.items)
    if isinstance(expr, tree.Binary):
        return _from_last(expr) and not scope.defines("last")
    return isinstance(expr, tree.Name) and expr.id in _LAYER_WORDS and not scope.defines(expr.id)


@dataclass(frozen=True, slots=True)
class ListOf(ParameterType):
    """A list, each entry read by `element`; with `single`, one entry may stand alone."""

    element: ParameterType
    single: bool = False

    @property
    def phrase(self) -> str:
        return f"{self.element.phrase}, or a list" if self.single else f"a list, each {self.element.phrase}"

    def problem(self, value: Any) -> Mismatch | None:
        found = (self.element.problem(v) for v in value) if isinstance(value, list) else ()
        return next((f for f in found if f is not None), None)

    def settled(self, value: Any) -> Any:
        return [self.element.settled(v) for v in value] if isinstance(value, list) else value

    def check(self, expr: tree.Expr, scope: Scope) -> t.Typed:
        if isinstance(expr, tree.ListOf):
            items = tuple(self.element.check(e, scope) for e in expr.items)
        elif self.single:
            items = (self.element.check(expr, scope),)
        else:
            given = scope.infer(expr, ())
            if isinstance(given.type, ListType) or isinstance(given, t.Poison):
                return given
            return _wrong(scope, given, self.phrase)
        if t.is_broken(items):
            return t.Poison(WORD, expr.span)
        return t.Sequence(items, list_of(WORD), union(*(i.axes for i in items)), expr.span)


@dataclass(frozen=True, slots=True)
class Single(ParameterType):
    """Exactly one value, handed on as a list of one."""

    element: ParameterType

    @property
    def phrase(self) -> str:
        return self.element.phrase

    def check(self, expr: tree.Expr, scope: Scope) -> t.Typed:
        item = self.element.check(expr, scope)
        return t.Sequence((item,), list_of(WORD), item.axes, expr.span)


@dataclass(frozen=True, slots=True)
class Spread(ParameterType):
    """One value or a list of them; a list spreads the result along the axis `axis`, labelled by the names given."""

    element: ParameterType
    axis: str

    @property
    def phrase(self) -> str:
        return f"{self.element.phrase}, or a list"

    def check(self, expr: tree.Expr, scope: Scope) -> t.Typed:
        if not isinstance(expr, tree.ListOf):
            return self.element.check(expr, scope)
        if not expr.items:
            scope.report(
                error(codes.EMPTY_RANGE, expr.span, "the list is empty", help=f"give at least {self.element.phrase}")
            )
            return t.Poison(WORD, expr.span)
        return scope.choose(self.axis, tuple(self.element.check(e, scope) for e in expr.items), expr)


@dataclass(frozen=True, slots=True)
class AxisOf(ParameterType):
    """The name of a sweep."""

    @property
    def phrase(self) -> str:
        return "the name of a sweep"

    def check(self, expr: tree.Expr, scope: Scope) -> t.Typed:
        given = scope.infer(expr, ())
        if isinstance(given, t.Reference) and given.symbol.kind == "sweep" and len(given.axes) == 1:
            return t.Constant(given.axes[0], WORD, expr.span)
        return _wrong(scope, given, self.phrase)
