"""(stub: replaced in the next step)"""

from __future__ import annotations

from steerlang.diagnostics.codes import UNEXPECTED
from steerlang.diagnostics.model import Diagnostic, error
from steerlang.source import Span

from . import tree
from .lexing import Token


def recover_item(tokens: list[Token]) -> tuple[tree.Definition | None, list[Diagnostic]]:
    span = tokens[0].span.to(tokens[-1].span)
    diagnostics = [error(UNEXPECTED, span, "this definition cannot be read")]
    if [t.type for t in tokens[:3]] == ["NAME", "NAME", "EQUAL"]:
        kind, name = (tree.Name(t.text, t.span) for t in tokens[:2])
        return tree.Definition(kind, name, tree.Broken(span), span), diagnostics
    return None, diagnostics


def recover_expression(tokens: list[Token], everything: Span) -> tuple[tree.Expr, list[Diagnostic]]:
    return tree.Broken(everything), [error(UNEXPECTED, everything, "this expression cannot be read")]
