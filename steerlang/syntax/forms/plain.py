"""From the tree to plain values (mappings, lists, strings, numbers), from which YAML and JSON are written."""

from __future__ import annotations

from typing import Any, Union

from steerlang.syntax import tree
from steerlang.syntax.expressions import expression_text

from .building import EXPR, TEXT
from .places import ANYWHERE, Place, Vocabulary

Plain = Union[None, bool, int, float, str, list["Plain"], dict[str, "Plain"]]


def plain_program(program: tree.Program, vocabulary: Vocabulary = ANYWHERE) -> dict[str, Plain]:
    """The program as plain values. It has no mistakes of form, and no name stands twice in it."""
    definitions: dict[str, Plain] = {
        d.name.id: {d.kind.id: plain(d.value, vocabulary.value_of(d.kind.id))} for d in program.definitions
    }
    return {"steerlang": program.edition, "definitions": definitions}


def plain(expr: tree.Expr, place: Place) -> Plain:
    """One value. What has no shape of its own in YAML stands as text in the language's own syntax."""
    if isinstance(expr, (tree.Integer, tree.Float, tree.Boolean)):
        return expr.value
    if isinstance(expr, tree.Nothing):
        return None
    if isinstance(expr, tree.String):
        return _string(expr, place)
    if isinstance(expr, tree.ListOf):
        return [plain(item, place.item()) for item in expr.items]
    if isinstance(expr, tree.Unary) and expr.operator == "-" and _is_number(expr.operand):
        number: Any = expr.operand
        return -number.value  # type: ignore[no-any-return]
    if isinstance(expr, tree.Call) and isinstance(expr.callee, tree.Name) and _is_regular(expr):
        return _call(expr.callee.id, expr, place)
    return _escaped(expression_text(expr, blocks=True), place)


def _is_number(expr: tree.Expr) -> bool:
    return isinstance(expr, (tree.Integer, tree.Float)) and expr.value > 0


def _string(expr: tree.String, place: Place) -> Plain:
    """A text is written plainly where that reads as the same kind of literal again."""
    if expr.style == ("block" if "\n" in expr.value else "plain"):
        return expr.value if place.takes_text else _marked(expr)
    return _escaped(expression_text(expr, blocks=True), place)


def _marked(expr: tree.String) -> Plain:
    return {TEXT: expr.value} if "\n" in expr.value else expression_text(expr)


def _escaped(text: str, place: Place) -> Plain:
    return {EXPR: text} if place.takes_text else text


def _is_regular(call: tree.Call) -> bool:
    """Whether arguments by position come first and no key would stand twice."""
    assert isinstance(call.callee, tree.Name)
    names = [a.name.id if a.name is not None else None for a in call.arguments]
    named = [n for n in names if n is not None]
    first_named = next((i for i, n in enumerate(names) if n is not None), len(names))
    return None not in names[first_named:] and len({call.callee.id, *named}) == len(named) + 1


def _call(function: str, call: tree.Call, place: Place) -> Plain:
    positional = [a.value for a in call.arguments if a.name is None]
    found: dict[str, Plain] = {
        function: [plain(value, place.argument(function, None, i)) for i, value in enumerate(positional)]
    }
    for argument in call.arguments:
        if argument.name is not None:
            found[argument.name.id] = plain(argument.value, place.argument(function, argument.name.id, 0))
    return found
