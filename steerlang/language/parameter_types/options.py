"""Bare words: options, methods with options of their own, selectors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from steerlang.diagnostics import Edit, Fix, codes, error
from steerlang.diagnostics.suggest import nearest
from steerlang.language import typed as t
from steerlang.language.notes import Called
from steerlang.language.signature import Method
from steerlang.language.types import WORD, Type, union
from steerlang.syntax import tree

if TYPE_CHECKING:
    from steerlang.language.scope import Scope
from .base import ParameterType, wrong


@dataclass(frozen=True, slots=True)
class Choice(ParameterType):
    """One of some words, each with a line of help."""

    words: Mapping[str, str]

    @property
    def phrase(self) -> str:
        return "one of " + ", ".join(f"`{w}`" for w in self.words)

    @property
    def bare_words(self) -> Mapping[str, str]:
        return self.words

    def check(self, expr: tree.Expr, scope: Scope) -> t.Typed:
        if isinstance(expr, tree.Nothing) and "none" in self.words:
            scope.notes.word(expr.span, "none", self.words)
            return t.Constant("none", WORD, expr.span)
        if isinstance(expr, tree.Name):
            if expr.id in self.words:
                scope.notes.word(expr.span, expr.id, self.words)
                return t.Constant(expr.id, WORD, expr.span)
            return not_an_option(scope, expr, tuple(self.words))
        if isinstance(expr, tree.String) and expr.value in self.words:
            return _quoted(scope, expr)
        return wrong(scope, scope.infer(expr, ()), self.phrase)


def _quoted(scope: Scope, expr: tree.String) -> t.Poison:
    scope.report(
        error(
            codes.NOT_A_MEMBER,
            expr.span,
            f"`{expr.value}` is a text here, where a bare word is meant",
            help=f"leave out the quotes: `{expr.value}`",
            fixes=(Fix("leave out the quotes", (Edit(expr.span, expr.value),)),),
        )
    )
    return t.Poison(WORD, expr.span)


@dataclass(frozen=True, slots=True)
class WordOr(ParameterType):
    """One of some words, or else what another type takes."""

    words: Mapping[str, str]
    other: ParameterType

    @property
    def phrase(self) -> str:
        return f"{self.other.phrase}, or " + " or ".join(f"`{w}`" for w in self.words)

    @property
    def bare_words(self) -> Mapping[str, str]:
        return self.words

    @property
    def parts(self) -> tuple[ParameterType, ...]:
        return (self.other,)

    def check(self, expr: tree.Expr, scope: Scope) -> t.Typed:
        if isinstance(expr, tree.Name) and expr.id in self.words:
            scope.notes.word(expr.span, expr.id, self.words)
            return t.Constant(expr.id, WORD, expr.span)
        return self.other.check(expr, scope)


def not_an_option(scope: Scope, expr: tree.Name, words: tuple[str, ...]) -> t.Poison:
    close = nearest(expr.id, words)
    help = f"did you mean `{close[0]}`?" if close else "take one of " + ", ".join(f"`{w}`" for w in words)
    fixes = (Fix(f"use `{close[0]}`", (Edit(expr.span, close[0]),)),) if close else ()
    scope.report(
        error(codes.NOT_A_MEMBER, expr.span, f"{scope.parameter} has no option `{expr.id}`", help=help, fixes=fixes)
    )
    return t.Poison(WORD, expr.span)


@dataclass(frozen=True, slots=True)
class Methods(ParameterType):
    """One of some methods, alone (`pca`) or with options of its own (`pca(center = mean)`)."""

    methods: tuple[Method, ...]

    @property
    def phrase(self) -> str:
        return "one of " + ", ".join(f"`{m.name}`" for m in self.methods)

    @property
    def bare_words(self) -> Mapping[str, str]:
        return {m.name: m.help for m in self.methods}

    def find(self, name: str) -> Method | None:
        return next((m for m in self.methods if m.name == name), None)

    def check(self, expr: tree.Expr, scope: Scope) -> t.Typed:
        if isinstance(expr, tree.String) and self.find(expr.value) is not None:
            return _quoted(scope, expr)
        name = expr.callee if isinstance(expr, tree.Call) else expr
        if not isinstance(name, tree.Name):
            return wrong(scope, scope.infer(expr, ()), self.phrase)
        method = self.find(name.id)
        if method is None:
            return not_an_option(scope, name, tuple(m.name for m in self.methods))
        scope.notes.calls.append(Called(name.span, expr.span, method))
        arguments = expr.arguments if isinstance(expr, tree.Call) else ()
        bound = scope.bind(f"`{method.name}`", method.subjects, method.parameters, arguments, expr.span)
        if t.is_broken(bound.values()):
            return t.Poison(WORD, expr.span)
        axes = union(*(b.axes for b in bound.values()))
        return t.Invocation(_method_function(method), bound, WORD, axes, expr.span)


def _method_function(method: Method) -> Any:
    from steerlang.language.signature import Call, Function, MethodChoice

    def choose(call: Call, _: Any) -> MethodChoice:
        return MethodChoice(method, dict(call.values))

    return Function(method.name, method.help, "method", method.subjects, method.parameters, WORD, choose)


@dataclass(frozen=True, slots=True)
class Selector(ParameterType):
    """Bare words and calls that select something: tokens, sites. `words` are those allowed for this parameter."""

    type: Type
    words: Mapping[str, str]
    calls: tuple[str, ...] = ()

    @property
    def phrase(self) -> str:
        return "one of " + ", ".join([*(f"`{w}`" for w in self.words), *(f"`{c}(…)`" for c in self.calls)])

    @property
    def bare_words(self) -> Mapping[str, str]:
        return self.words

    def check(self, expr: tree.Expr, scope: Scope) -> t.Typed:
        if isinstance(expr, tree.Name):
            if expr.id in self.words:
                scope.notes.word(expr.span, expr.id, self.words)
                return t.Constant({"select": expr.id}, self.type, expr.span)
            return not_an_option(scope, expr, (*self.words, *self.calls))
        if isinstance(expr, tree.Call) and isinstance(expr.callee, tree.Name) and expr.callee.id not in self.calls:
            return not_an_option(scope, expr.callee, (*self.words, *self.calls))
        given = scope.infer(expr, (self.type,))
        return given if self.type.accepts(given.type) else wrong(scope, given, self.phrase)
