"""Operators between typed operands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from steerlang.diagnostics import codes, error
from steerlang.source import Span
from steerlang.syntax import tree

from . import typed as t
from .signature import Operator
from .types import ERROR, NUMBER, union

if TYPE_CHECKING:
    from .scope import Scope


def operator(scope: Scope, symbol: str, exprs: tuple[tree.Expr, ...], where: Span, span: Span) -> t.Typed:
    operands = tuple(scope.inside(f"`{symbol}`").infer(e) for e in exprs)
    if symbol == "-" and len(operands) == 1 and isinstance(operands[0], t.Constant) and operands[0].type == NUMBER:
        value = operands[0].value
        assert isinstance(value, (int, float))
        return t.Constant(-value, NUMBER, span)
    return apply(scope, symbol, operands, where, span)


def apply(scope: Scope, symbol: str, operands: tuple[t.Typed, ...], where: Span, span: Span) -> t.Typed:
    """An operator between typed operands."""
    if t.is_broken(operands):
        return t.Poison(ERROR, span)
    found = scope.checker.registry.operator(symbol, tuple(o.type for o in operands))
    if found is None:
        return _no_operator(scope, symbol, operands, where, span)
    return t.Applied(found, operands, found.result, union(*(o.axes for o in operands)), span)


def _no_operator(scope: Scope, symbol: str, operands: tuple[t.Typed, ...], where: Span, span: Span) -> t.Poison:
    forms = _forms(scope.checker.registry.operators_for(symbol), symbol, operands)
    phrases = " and ".join(o.type.phrase for o in operands)
    places = {o.symbol.span if isinstance(o, t.Reference) else o.span: f"this is {o.type}" for o in operands}
    origins = scope.labels(*places.items())
    scope.report(
        error(
            codes.OPERATOR_MISMATCH,
            where,
            f"`{symbol}` does not work on {phrases}",
            help=f"it works on {'; '.join(forms)}" if forms else "take numbers, measured numbers or vectors",
            secondary=origins,
        )
    )
    return t.Poison(ERROR, span)


def _forms(known: list[Operator], symbol: str, operands: tuple[t.Typed, ...]) -> list[str]:
    """How an operator could be used with at least one of these operands: `a vector + a vector`."""
    fitting = [op for op in known if len(op.operands) == len(operands)]
    near = [op for op in fitting if any(w == o.type for w in op.operands for o in operands)]
    forms = [f" {symbol} ".join(x.phrase for x in op.operands) for op in near]
    return list(dict.fromkeys(f if len(operands) > 1 else f"{symbol} {f}" for f in forms))[:4]
