"""One expression as text on one line, from the tree alone: for messages, keys and programs that were never text."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from . import tree
from .depth import children
from .literals import block_quoted, quoted

#: How tightly each construct binds, loosest first; comparisons and ranges take only tighter operands on both sides.
_OR, _AND, _NOT, _COMPARE, _RANGE, _SUM, _PRODUCT, _SIGN, _POSTFIX = range(1, 10)
_BINARY = {"or": _OR, "and": _AND, "+": _SUM, "-": _SUM, "*": _PRODUCT, "/": _PRODUCT}
_RAW_REFUSES = re.compile(r'["\r\n]')


def expression_text(expr: tree.Expr, blocks: bool = False) -> str:
    """The expression in the language's own syntax, with the fewest brackets that keep its meaning.

    What could not be read prints as `…`. Texts print in one line whatever way they were written; with `blocks`, those
    written as blocks print as blocks.
    """
    waiting: list[tuple[tree.Expr, bool]] = [(expr, False)]
    done: list[str] = []
    while waiting:  # children first, without recursion
        node, is_ready = waiting.pop()
        below = list(children(node))
        if not is_ready and below:
            waiting.append((node, True))
            waiting.extend((child, False) for child in reversed(below))
            continue
        first = len(done) - len(below)
        printer: Callable[[Any, list[str]], str] = _PRINTERS[type(node)]
        if blocks and isinstance(node, tree.String) and node.style == "block":
            printer = _block
        done[first:] = [printer(node, done[first:])]
    return done[0]


def argument_text(argument: tree.Argument) -> str:
    return _named(argument, expression_text(argument.value))


def number_text(value: float) -> str:
    """The shortest digits that read as the same number, with digits on both sides of the dot."""
    return repr(value)


def _named(argument: tree.Argument, value: str) -> str:
    return value if argument.name is None else f"{argument.name.id} = {value}"


def _level(expr: tree.Expr) -> int:
    if isinstance(expr, tree.Binary):
        return _BINARY.get(expr.operator, _COMPARE)
    if isinstance(expr, tree.Range):
        return _RANGE
    if isinstance(expr, tree.Unary):
        return _NOT if expr.operator == "not" else _SIGN
    if isinstance(expr, (tree.Float, tree.Integer, tree.Quantity)) and expr.value < 0:
        return _SIGN  # trees that were never text can hold these
    return _POSTFIX


def _at(expr: tree.Expr, text: str, level: int) -> str:
    """The operand, in brackets where it binds looser than its place asks."""
    return text if _level(expr) >= level else f"({text})"


def _binary(expr: tree.Binary, texts: list[str]) -> str:
    level = _BINARY.get(expr.operator)
    left, right = (_COMPARE + 1, _COMPARE + 1) if level is None else (level, level + 1)
    return f"{_at(expr.left, texts[0], left)} {expr.operator} {_at(expr.right, texts[1], right)}"


def _unary(expr: tree.Unary, texts: list[str]) -> str:
    if expr.operator == "not":
        return f"not {_at(expr.operand, texts[0], _NOT)}"
    return f"-{_at(expr.operand, texts[0], _SIGN)}"


def _range(expr: tree.Range, texts: list[str]) -> str:
    dots = ".." if expr.closed else "..<"
    start, end = _at(expr.start, texts[0], _SUM), _at(expr.end, texts[1], _SUM)
    if any(isinstance(side, tree.Binary) for side in (expr.start, expr.end)):
        dots = f" {dots} "
    return f"{start}{dots}{end}"


def _quantity(expr: tree.Quantity, _: list[str]) -> str:
    value = expr.value
    digits = f"{value:.0f}" if value.is_integer() else _without_exponent(value)
    return digits + expr.unit


def _without_exponent(value: float) -> str:
    """Quantities have no exponent, so very small numbers are written out."""
    text = repr(value)
    return text if "e" not in text else f"{value:.400f}".rstrip("0")


def _string(expr: tree.String, _: list[str]) -> str:
    if expr.style == "raw" and not _RAW_REFUSES.search(expr.value):
        return f'r"{expr.value}"'
    return quoted(expr.value)


def _block(expr: tree.String, _: list[str]) -> str:
    return block_quoted(expr.value)


def _call(expr: tree.Call, texts: list[str]) -> str:
    return f"{_at(expr.callee, texts[0], _POSTFIX)}({_arguments(expr.arguments, texts[1:])})"


def _index(expr: tree.Index, texts: list[str]) -> str:
    return f"{_at(expr.subject, texts[0], _POSTFIX)}[{_arguments(expr.arguments, texts[1:])}]"


def _arguments(arguments: tuple[tree.Argument, ...], texts: list[str]) -> str:
    return ", ".join(_named(argument, text) for argument, text in zip(arguments, texts, strict=True))


_PRINTERS: dict[type, Callable[[Any, list[str]], str]] = {
    tree.Name: lambda e, _: e.id,
    tree.Integer: lambda e, _: str(e.value),
    tree.Float: lambda e, _: number_text(e.value),
    tree.Quantity: _quantity,
    tree.String: _string,
    tree.Boolean: lambda e, _: "true" if e.value else "false",
    tree.Nothing: lambda e, _: "none",
    tree.Broken: lambda e, _: "…",
    tree.Unary: _unary,
    tree.Binary: _binary,
    tree.Range: _range,
    tree.Call: _call,
    tree.Index: _index,
    tree.Member: lambda e, texts: f"{_at(e.subject, texts[0], _POSTFIX)}.{e.name.id}",
    tree.ListOf: lambda e, texts: f"[{', '.join(texts)}]",
    tree.Record: lambda e, texts: f"{{{_arguments(e.entries, texts)}}}",
}
