"""Names: what a bare word or a member of an imported file stands for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from steerlang.diagnostics import Edit, Fix, codes, error
from steerlang.diagnostics.suggest import nearest
from steerlang.source import Span
from steerlang.syntax import tree

from . import typed as t
from .modules import Symbol
from .types import ERROR, Type

if TYPE_CHECKING:
    from .scope import Scope


def name(scope: Scope, expr: tree.Name, wanted: tuple[Type, ...]) -> t.Typed:
    symbol = scope.module.symbols.get(expr.id)
    if symbol is None:
        return unknown(scope, expr, wanted)
    scope.notes.use(expr.span, symbol)
    return _reference(scope, symbol, expr.span)


def unknown(scope: Scope, expr: tree.Name, wanted: tuple[Type, ...]) -> t.Poison:
    registry = scope.checker.registry
    if expr.id in scope.module.unread or not scope.checker.first_time(scope.module, expr.id):
        return t.Poison(ERROR, expr.span)
    function = registry.function(expr.id)
    if function is not None:
        scope.report(
            error(
                codes.UNKNOWN_NAME,
                expr.span,
                f"`{expr.id}` is a function; here stands no call of it",
                help=f"call it: `{expr.id}(…)`",
            )
        )
        return t.Poison(ERROR, expr.span)
    kinds = {k.name for k in registry.kinds.values() if not wanted or any(k.accepts(w) for w in wanted)}
    others = [s for s in scope.module.symbols.values() if not scope.checker.is_current(s)]
    fitting = [s.name for s in others if s.kind in kinds | {"sweep", "param"}]
    close = nearest(expr.id, fitting) or nearest(expr.id, [s.name for s in others])
    help = f"did you mean `{close[0]}`?" if close else f"define it, for example `let {expr.id} = …`"
    fixes = (Fix(f"use `{close[0]}`", (Edit(expr.span, close[0]),)),) if close else ()
    scope.report(
        error(
            codes.UNKNOWN_NAME,
            expr.span,
            f"nothing is defined under the name `{expr.id}`",
            help=help,
            fixes=fixes,
            secondary=scope.labels((scope.module.symbols[close[0]].span, "defined here")) if close else (),
        )
    )
    return t.Poison(ERROR, expr.span)


def member(scope: Scope, expr: tree.Member) -> t.Typed:
    if isinstance(expr.subject, tree.Name):
        symbol = scope.module.symbols.get(expr.subject.id)
        if symbol is not None and symbol.kind == "import":
            return _imported(scope, symbol, expr)
        if symbol is None:
            return unknown(scope, expr.subject, ())
    subject = scope.infer(expr.subject)
    if not isinstance(subject, t.Poison):
        scope.report(
            error(
                codes.UNKNOWN_MEMBER,
                expr.name.span,
                f"{subject.type} has no member `{expr.name.id}`",
                help="a dot reaches into imported files: `common.polite`",
            )
        )
    return t.Poison(ERROR, expr.span)


def _imported(scope: Scope, symbol: Symbol, expr: tree.Member) -> t.Typed:
    scope.notes.use(expr.subject.span, symbol)
    module = scope.module.imports.get(symbol.name)
    if module is None:  # the file could not be read, which is reported already
        return t.Poison(ERROR, expr.span)
    target = module.symbols.get(expr.name.id)
    if target is None:
        close = nearest(expr.name.id, list(module.symbols))
        scope.report(
            error(
                codes.UNKNOWN_MEMBER,
                expr.name.span,
                f"`{symbol.name}` defines nothing named `{expr.name.id}`",
                help=f"did you mean `{symbol.name}.{close[0]}`?" if close else f"define it in `{module.source.name}`",
                fixes=(Fix(f"use `{close[0]}`", (Edit(expr.name.span, close[0]),)),) if close else (),
            )
        )
        return t.Poison(ERROR, expr.span)
    scope.notes.use(expr.name.span, target)
    return _reference(scope, target, expr.span)


def note_label(scope: Scope, expr: tree.Name | tree.Member) -> None:
    """Notes the definition that a point of an axis is called after: `kind` in `politeness[kind]`."""
    if isinstance(expr, tree.Name):
        scope.notes.use(expr.span, scope.module.symbols.get(expr.id))
    elif isinstance(expr.subject, tree.Name):
        module = scope.module.imports.get(expr.subject.id)
        if module is not None:
            scope.notes.use(expr.subject.span, scope.module.symbols.get(expr.subject.id))
            scope.notes.use(expr.name.span, module.symbols.get(expr.name.id))


def _reference(scope: Scope, symbol: Symbol, span: Span) -> t.Typed:
    meaning = scope.checker.meaning(symbol)
    if isinstance(meaning, t.Poison):
        return t.Poison(meaning.type, span)
    return t.Reference(symbol, meaning.type, meaning.axes, span)
