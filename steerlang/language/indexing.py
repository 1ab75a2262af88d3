"""What stands in square brackets: a point of an axis, some layers of a vector, a concept of a dictionary."""

from __future__ import annotations

from typing import TYPE_CHECKING

from steerlang.diagnostics import Edit, Fix, codes, error
from steerlang.diagnostics.suggest import nearest
from steerlang.syntax import tree
from steerlang.syntax.printing import expression_text

from . import typed as t
from .naming import note_label
from .parameter_types import Layers, Number
from .types import BOOL, CONCEPTS, ERROR, METRIC, NUMBER, POINT, SHIFT, TEXT, VECTOR, Axis, shown, union

if TYPE_CHECKING:
    from .scope import Scope


def index(scope: Scope, expr: tree.Index) -> t.Typed:
    """`subject[…]`, one selection after the other."""
    subject = scope.infer(expr.subject)
    for argument in expr.arguments:
        if isinstance(subject, t.Poison):
            return t.Poison(ERROR, expr.span)
        subject = _one(scope, subject, argument, expr)
    return subject


def _one(scope: Scope, subject: t.Typed, argument: tree.Argument, expr: tree.Index) -> t.Typed:
    if argument.name is not None:
        return _by_axis(scope, subject, argument.name, argument.value, expr)
    if isinstance(argument.value, (tree.Name, tree.Member)):
        label = expression_text(argument.value)
        for axis in subject.axes:
            position = axis.index(label)
            if position is not None:
                note_label(scope, argument.value)
                return _select(subject, axis, position, None, expr)
    entry = _entry_name(subject, argument.value)
    if entry is not None:
        name = t.Constant(entry, TEXT, argument.span)
        return scope.invoke("entry", {"metric": subject, "name": name}, expr.span)
    if subject.type == VECTOR:
        layers = Layers().check(argument.value, scope.inside("the layers of a vector"))
        return scope.invoke("restrict", {"vector": subject, "layers": layers}, expr.span)
    if subject.type in (CONCEPTS, SHIFT):
        number = Number(0, integer=True).check(argument.value, scope.inside("the number of a concept"))
        if isinstance(number, t.Poison):
            return t.Poison(ERROR, expr.span)
        return scope.invoke("concept_at", {"concepts": subject, "index": number}, expr.span)
    return _cannot(scope, subject, argument, expr)


def _entry_name(subject: t.Typed, value: tree.Expr) -> str | None:
    """What one of several numbers of a metric is asked for by: `answers["yes"]`, `recovered[3]`. A number selects
    nothing while there are axes: a point of them may be meant, and needs the axis's name."""
    if subject.type != METRIC:
        return None
    if isinstance(value, tree.Integer):
        return None if subject.axes else str(value.value)
    return value.value if isinstance(value, tree.String) else None


def _by_axis(scope: Scope, subject: t.Typed, name: tree.Name, value: tree.Expr, expr: tree.Index) -> t.Typed:
    axis = next((a for a in subject.axes if a.name == name.id), None)
    if axis is None:
        names = [a.name for a in subject.axes]
        close = nearest(name.id, names)
        help = (
            f"did you mean `{close[0]}`?"
            if close
            else (
                "its axes are " + ", ".join(f"`{n}`" for n in names)
                if names
                else "it depends on no sweep and on no list of models"
            )
        )
        fixes = (Fix(f"use `{close[0]}`", (Edit(name.span, close[0]),)),) if close else ()
        scope.report(
            error(codes.UNKNOWN_AXIS, name.span, f"this value has no axis `{name.id}`", help=help, fixes=fixes)
        )
        return t.Poison(ERROR, expr.span)
    scope.notes.use(name.span, scope.notes.sweeps.get(axis))
    if isinstance(value, (tree.Name, tree.Member)):
        position = axis.index(expression_text(value))
        if position is not None:
            note_label(scope, value)
            return _select(subject, axis, position, None, expr)
    point = scope.infer(value)
    if isinstance(point, t.Poison):
        return t.Poison(ERROR, expr.span)
    if point.type == POINT:
        return _select(subject, axis, None, point, expr)
    if isinstance(point, t.Constant):
        position = axis.index(point.value)  # type: ignore[arg-type]
        if position is not None:
            return _select(subject, axis, position, None, expr)
    elif point.type in (NUMBER, TEXT, BOOL):  # a `let`, a parameter, a calculation: known once it is evaluated
        return _select(subject, axis, None, point, expr)
    scope.report(
        error(
            codes.UNKNOWN_POINT,
            value.span,
            f"`{axis.name}` has no point `{expression_text(value)}`",
            help="its points are " + ", ".join(_shown(axis)),
        )
    )
    return t.Poison(ERROR, expr.span)


def _select(subject: t.Typed, axis: Axis, position: int | None, point: t.Typed | None, expr: tree.Index) -> t.Select:
    rest = tuple(a for a in subject.axes if a.name != axis.name)
    axes = union(rest, point.axes if point is not None else ())
    return t.Select(subject, axis, position, point, subject.type, axes, expr.span)


def _cannot(scope: Scope, subject: t.Typed, argument: tree.Argument, expr: tree.Index) -> t.Poison:
    if subject.axes:
        labels = [str(x) for a in subject.axes for x in a.labels if isinstance(x, str)]
        close = nearest(expression_text(argument.value), labels)
        help = (
            f"did you mean `{close[0]}`?"
            if close
            else "select by axis: " + ", ".join(f"`{a.example}`" for a in subject.axes)
        )
        scope.report(
            error(
                codes.UNKNOWN_POINT,
                argument.span,
                f"`{expression_text(argument.value)}` is no point of this value's axes",
                help=help,
            )
        )
    else:
        scope.report(
            error(
                codes.NOT_INDEXABLE,
                argument.span,
                f"{subject.type} without axes cannot be indexed",
                help="only values that depend on a sweep or on a list of models have points, vectors have layers, "
                "and dictionaries concepts",
            )
        )
    return t.Poison(ERROR, expr.span)


def _shown(axis: Axis) -> list[str]:
    return [f"`{shown(x)}`" for x in axis.labels]
