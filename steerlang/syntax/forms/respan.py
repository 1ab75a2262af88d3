"""Trees and messages whose spans lie in the value of a scalar, moved to where that value is written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from typing import Any

from steerlang.diagnostics.model import Diagnostic, Label
from steerlang.source import Span
from steerlang.syntax import tree

Move = Callable[[Span], Span]


def moved(expr: tree.Expr, move: Move) -> tree.Expr:
    """The same tree with every span moved. Trees are at most as deep as the parser allows."""
    found: tree.Expr = _moved(expr, move)
    return found


def _moved(value: Any, move: Move) -> Any:
    if isinstance(value, Span):
        return move(value)
    if isinstance(value, tuple):
        return tuple(_moved(v, move) for v in value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{f.name: _moved(getattr(value, f.name), move) for f in fields(value)})
    return value


def moved_diagnostic(diagnostic: Diagnostic, move: Move) -> Diagnostic:
    """Fixes are left out: what they write is in the language's syntax, and here it stands inside another."""
    primary, *secondary = (
        None if label is None else Label(move(label.span), label.message)
        for label in (diagnostic.primary, *diagnostic.secondary)
    )
    return replace(diagnostic, primary=primary, secondary=tuple(s for s in secondary if s is not None), fixes=())
