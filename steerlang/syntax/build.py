"""From what the parser has read to the tree: one method a rule (or alias) of the grammar.

The parser calls these while it reduces, so no intermediate tree exists and nothing recurses. Each gets all children of
its rule, punctuation included, which is what gives every node its exact span.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from steerlang.source import Span

from . import literals, tree

if TYPE_CHECKING:
    from .lexing import Token

Children = list[Any]


def _between(children: Children) -> Span:
    """From the first child to the last."""
    first, last = children[0].span, children[-1].span
    return Span(first.source, first.start, last.end)


def _name(token: Token) -> tree.Name:
    return tree.Name(token.text, token.span)


class TreeBuilder:
    """The callbacks of the grammar. Pure: results depend on the children alone."""

    def item(self, children: Children) -> tree.Definition:
        kind, name, _, value = children
        return tree.Definition(_name(kind), _name(name), value, _between(children))

    def binary(self, children: Children) -> tree.Binary:
        left, operator, right = children
        return tree.Binary(operator.text, left, right, operator.span, _between(children))

    def unary(self, children: Children) -> tree.Unary:
        operator, operand = children
        return tree.Unary(operator.text, operand, _between(children))

    def range(self, children: Children) -> tree.Range:
        start, operator, end = children
        return tree.Range(start, end, operator.type == "RANGE", _between(children))

    def call(self, children: Children) -> tree.Call:
        arguments = children[2] if len(children) == 4 else ()
        return tree.Call(children[0], arguments, _between(children))

    def index(self, children: Children) -> tree.Index:
        return tree.Index(children[0], children[2], _between(children))

    def member(self, children: Children) -> tree.Member:
        subject, _, name = children
        return tree.Member(subject, _name(name), _between(children))

    def arguments(self, children: Children) -> tuple[tree.Argument, ...]:
        return tuple(children[::2])

    def positional(self, children: Children) -> tree.Argument:
        return tree.Argument(None, children[0], children[0].span)

    def entry(self, children: Children) -> tree.Argument:
        name, _, value = children
        return tree.Argument(_name(name), value, _between(children))

    def list(self, children: Children) -> tree.ListOf:
        return tree.ListOf(tuple(children[1:-1:2]), _between(children))

    def record(self, children: Children) -> tree.Record:
        return tree.Record(tuple(children[1:-1:2]), _between(children))

    def group(self, children: Children) -> tree.Expr:
        """Brackets leave no node behind, but what they hold then covers them too."""
        inner: tree.Expr = children[1]
        return replace(inner, span=_between(children))

    def name(self, children: Children) -> tree.Name:
        return _name(children[0])

    def integer(self, children: Children) -> tree.Integer:
        return tree.Integer(literals.integer(children[0].text), children[0].span)

    def float(self, children: Children) -> tree.Float:
        return tree.Float(literals.number(children[0].text), children[0].span)

    def quantity(self, children: Children) -> tree.Quantity:
        return tree.Quantity(*literals.quantity(children[0].text), children[0].span)

    def plain(self, children: Children) -> tree.String:
        return tree.String(literals.plain(children[0].text), "plain", children[0].span)

    def raw(self, children: Children) -> tree.String:
        return tree.String(literals.raw(children[0].text), "raw", children[0].span)

    def block(self, children: Children) -> tree.String:
        return tree.String(literals.block(children[0].text), "block", children[0].span)

    def true(self, children: Children) -> tree.Boolean:
        return tree.Boolean(True, children[0].span)

    def false(self, children: Children) -> tree.Boolean:
        return tree.Boolean(False, children[0].span)

    def nothing(self, children: Children) -> tree.Nothing:
        return tree.Nothing(children[0].span)

    def broken(self, children: Children) -> tree.Broken:
        return tree.Broken(children[0].span)
