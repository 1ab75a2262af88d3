"""Calls: functions found, arguments bound, results typed; and the declarations of parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from steerlang.diagnostics import Edit, Fix, codes, error
from steerlang.diagnostics.suggest import nearest
from steerlang.source import Span
from steerlang.syntax import tree

from . import typed as t
from .notes import Called
from .signature import Function, Mismatch
from .types import ERROR, Axes, Axis, Type, union

if TYPE_CHECKING:
    from .scope import Scope


# The family of functions that declare parameters of a program.
DECLARING = "parameters"


def call(scope: Scope, expr: tree.Call, wanted: tuple[Type, ...], declares: bool = False) -> t.Typed:
    if not isinstance(expr.callee, tree.Name):
        scope.report(
            error(
                codes.UNKNOWN_FUNCTION,
                expr.callee.span,
                "functions have plain names",
                help="call a function by its name",
            )
        )
        return t.Poison(ERROR, expr.span)
    name = expr.callee.id
    function = scope.checker.registry.function(name)
    if function is None:
        return _unknown_function(scope, expr.callee, expr.span, wanted)
    if function.family == DECLARING and not declares:
        scope.report(
            error(
                codes.KIND_MISMATCH,
                expr.callee.span,
                f"`{name}` declares a parameter, and here a value is meant",
                help=f"declare it, `param size = {name}(…)`, and use its name here",
            )
        )
        return t.Poison(ERROR, expr.span)
    scope.notes.calls.append(Called(expr.callee.span, expr.span, function))
    bound = scope.bind(f"`{name}`", function.subjects, function.parameters, expr.arguments, expr.span)
    if t.is_broken(bound.values()):
        return t.Poison(ERROR, expr.span)
    axes = _reduced(function, bound, union(*(b.axes for b in bound.values())))
    if isinstance(function.result, Type):
        made = t.Invocation(function, bound, function.result, axes, expr.span)
        return made if function.expand is None else function.expand(scope, bound, made)
    return _by_rule(scope, function, bound, axes, expr)


def _by_rule(scope: Scope, function: Function, bound: Mapping[str, t.Typed], axes: Axes, expr: tree.Call) -> t.Typed:
    """A call whose type follows from what was given."""
    assert not isinstance(function.result, Type)
    result = function.result(bound)
    if isinstance(result, Mismatch):
        at = result.argument
        place = bound[at].span if at is not None and at in bound else expr.callee.span
        scope.report(
            error(
                codes.ARGUMENT_TYPE if result.argument else codes.MISSING_ARGUMENT,
                place,
                result.message,
                help=result.help,
            )
        )
        return t.Poison(ERROR, expr.span)
    return t.Invocation(function, bound, result, axes, expr.span)


def declaration(scope: Scope, expr: tree.Expr, name: str) -> t.Typed:
    """The value of a `param`: a declaration (`number(…)`, `text(…)`, `flag(…)`) of plain values."""
    callee = expr.callee.id if isinstance(expr, tree.Call) and isinstance(expr.callee, tree.Name) else None
    declaring = [f.name for f in scope.checker.registry.functions.values() if f.family == DECLARING]
    if callee not in declaring:
        close = nearest(callee or "", declaring)
        kinds = ", ".join(f"`{d}(…)`" for d in declaring)
        help = f"did you mean `{close[0]}`?" if close else f"write `param {name} = number(default = …)`"
        scope.report(error(codes.KIND_MISMATCH, expr.span, f"a parameter is declared by one of {kinds}", help=help))
        return t.Poison(ERROR, expr.span)
    assert isinstance(expr, tree.Call)
    declared = call(scope, expr, (), declares=True)
    for argument in t.children(declared):
        parts = argument.items if isinstance(argument, t.Sequence) else (argument,)
        if not all(isinstance(part, t.Constant) for part in parts):
            scope.report(
                error(
                    codes.ARGUMENT_TYPE,
                    argument.span,
                    "a declaration takes plain values, so that it can be read before anything else",
                    help="write the value itself",
                )
            )
            return t.Poison(ERROR, expr.span)
    return declared


def _unknown_function(scope: Scope, name: tree.Name, span: Span, wanted: tuple[Type, ...]) -> t.Poison:
    registry = scope.checker.registry
    fitting = registry.functions_giving(*wanted) if wanted else []
    close = nearest(name.id, fitting) or nearest(name.id, list(registry.functions))
    if name.id in scope.module.symbols:
        help = f"`{name.id}` is a definition of this file and takes no arguments"
    elif close:
        help = f"did you mean `{close[0]}`?"
    else:
        help = "the functions are listed in the language reference"
    fixes = (Fix(f"use `{close[0]}`", (Edit(name.span, close[0]),)),) if close else ()
    scope.report(error(codes.UNKNOWN_FUNCTION, name.span, f"there is no function `{name.id}`", help=help, fixes=fixes))
    return t.Poison(ERROR, span)


def _reduced(function: Function, bound: Mapping[str, t.Typed], axes: Axes) -> Axes:
    """The axes that remain after a function has looked at all points of one."""
    over = bound.get(function.reduces)
    if not isinstance(over, t.Constant) or not isinstance(over.value, Axis):
        return axes
    gone = over.value.name
    return tuple(a for a in axes if a.name != gone)
