"""The limit on nesting: no stage after this one meets a tree it could not walk by recursion."""

from __future__ import annotations

from collections.abc import Iterator

from steerlang.diagnostics.codes import NESTING_TOO_DEEP
from steerlang.diagnostics.model import Diagnostic, error
from steerlang.source import Span

from . import tree
from .lexing import Token
from .vocabulary import CLOSERS, OPENERS

MAX_DEPTH = 200


def too_deep(tokens: list[Token], value: tree.Expr | None = None) -> Diagnostic | None:
    """What is wrong when brackets, or the tree made of the tokens, go deeper than `MAX_DEPTH`."""
    if len(tokens) <= MAX_DEPTH:  # every level of a tree has a token of its own
        return None
    span = _deepest_bracket(tokens) if value is None else _deepest_node(value)
    if span is None:
        return None
    return error(
        NESTING_TOO_DEEP, span, f"this is nested more than {MAX_DEPTH} levels deep",
        label=f"level {MAX_DEPTH + 1}",
        help="give parts of the expression names of their own with `let`, or use a list instead of a long sum",
    )


def _deepest_bracket(tokens: list[Token]) -> Span | None:
    depth = 0
    for token in tokens:
        if token.type in OPENERS:
            depth += 1
            if depth > MAX_DEPTH:
                return token.span
        elif token.type in CLOSERS:
            depth = max(0, depth - 1)
    return None


def _deepest_node(value: tree.Expr) -> Span | None:
    stack: list[tuple[tree.Expr, int]] = [(value, 1)]
    while stack:
        node, depth = stack.pop()
        if depth > MAX_DEPTH:
            return node.span
        stack.extend((child, depth + 1) for child in children(node))
    return None


def children(node: tree.Expr) -> Iterator[tree.Expr]:
    """The expressions directly inside an expression, in the order written."""
    if isinstance(node, tree.Binary):
        yield from (node.left, node.right)
    elif isinstance(node, tree.Unary):
        yield node.operand
    elif isinstance(node, tree.Range):
        yield from (node.start, node.end)
    elif isinstance(node, tree.Call):
        yield node.callee
        yield from (argument.value for argument in node.arguments)
    elif isinstance(node, tree.Index):
        yield node.subject
        yield from (argument.value for argument in node.arguments)
    elif isinstance(node, tree.Member):
        yield node.subject
    elif isinstance(node, tree.ListOf):
        yield from node.items
    elif isinstance(node, tree.Record):
        yield from (entry.value for entry in node.entries)
