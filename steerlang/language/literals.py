"""Literals: values that stand in the text as themselves."""

from __future__ import annotations

from steerlang.syntax import tree

from . import typed as t
from .types import BOOL, DURATION, ERROR, NONE, NUMBER, RATIO, SIZE, TEXT


def literal(expr: tree.Expr) -> t.Typed | None:
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
