"""The head of a definition, `KIND NAME =`, where it is not written as it should be."""

from __future__ import annotations

from dataclasses import dataclass

from steerlang.diagnostics.codes import MISSING_EQUALS, MISSING_HEADER, RESERVED_NAME, UNEXPECTED, UNNAMED_ITEM
from steerlang.diagnostics.model import Diagnostic, Edit, Fix, error
from steerlang.source import Span

from . import tree
from .cutting import broken_between
from .lexing import Token
from .vocabulary import RESERVED, shown

#: The kind of a definition whose kind is not written; its value is `Broken`.
FALLBACK_KIND = "let"

_SHAPE = "a definition is written `KIND NAME = VALUE`, for instance `let strength = 0.1`"


@dataclass(frozen=True, slots=True)
class Head:
    """What could be read: `length` tokens belong to the head, `is_broken` when what follows is not worth reading."""

    kind: tree.Name | None
    name: tree.Name | None
    length: int
    end: int
    is_broken: bool = False
    diagnostics: tuple[Diagnostic, ...] = ()


def read_head(tokens: list[Token]) -> Head:
    if not tokens:
        return Head(None, None, 0, 0, True)
    first, second, third = ([*tokens, None, None][i] for i in range(3))
    assert first is not None
    types = [t.type if t else "" for t in (first, second, third)]
    if types == ["NAME", "NAME", "EQUAL"]:
        return _read(tokens, 3)
    if types[2] == "EQUAL" and all(t in RESERVED | {"NAME"} for t in types[:2]):
        return _reserved(tokens)
    if types[0] == "NAME" and types[1] == "EQUAL":
        return _without_kind(first, tokens)
    if types[:2] == ["NAME", "NAME"] and second is not None:
        return _without_equals(tokens)
    if first.text == "steerlang" and types[1] == "INT":
        return _nothing(tokens, error(
            MISSING_HEADER, first.span, "the header stands once, on the first line", help="delete it here",
        ))
    return _nothing(tokens, _no_definition(tokens))


def _name(token: Token) -> tree.Name:
    return tree.Name(token.text, token.span)


def _read(tokens: list[Token], length: int, found: tuple[Diagnostic, ...] = (), is_broken: bool = False) -> Head:
    kind, name = _name(tokens[0]), _name(tokens[1])
    return Head(kind, name, length, tokens[length - 1].end, is_broken, found)


def _nothing(tokens: list[Token], found: Diagnostic) -> Head:
    return Head(None, None, len(tokens), tokens[-1].end, True, (found,))


def _reserved(tokens: list[Token]) -> Head:
    word = next(t for t in tokens[:2] if t.type in RESERVED)
    what = "kind" if word is tokens[0] else "name"
    return Head(None, None, 3, tokens[2].end, True, (error(
        RESERVED_NAME, word.span, f"{shown(word)} is a reserved word and cannot be a {what}",
        help="choose another name", notes=("the reserved words are `and`, `or`, `not`, `true`, `false` and `none`",),
    ),))


def _without_kind(name: Token, tokens: list[Token]) -> Head:
    """`name = value`: what it defines is known, so that its uses are not reported as well."""
    diagnostic = error(
        UNNAMED_ITEM, name.span, "only one name stands before `=`", label="a kind and a name belong here",
        help=f"write the kind first, for instance `let {name.text} = …` or `model {name.text} = …`",
    )
    kind = tree.Name(FALLBACK_KIND, Span(name.source, name.start, name.start))
    return Head(kind, _name(name), 2, tokens[-1].end, True, (diagnostic,))


def _without_equals(tokens: list[Token]) -> Head:
    name = tokens[1]
    third = tokens[2] if len(tokens) > 2 else None
    gap = Span(name.source, name.end, name.end)
    if third is not None and third.type == "COMPARE" and third.text == "==":
        return _read(tokens, 3, (error(
            MISSING_EQUALS, third.span, "`==` compares; a definition takes a single `=`", help="write `=`",
            fixes=(Fix("write `=`", (Edit(third.span, "="),)),),
        ),))
    if third is not None and len(tokens) > 3 and tokens[3].type == "EQUAL":
        return _one_too_many(tokens, third)
    if third is not None and third.type in {"MINUS", "DOT", "LSQB"}:
        equals = _equals_on_line(tokens)
        if equals is not None:
            return _no_name(tokens, equals)
    diagnostic = error(
        MISSING_EQUALS, gap, f"`{name.text}` has no `=`", label="`=` is missing here",
        help=f"write `{tokens[0].text} {name.text} = …`", fixes=(Fix("insert `=`", (Edit(gap, " ="),)),),
    )
    follows = third is not None and third.type in {"NAME", "STRING", "INT", "FLOAT", "LSQB", "QUANTITY", "MINUS"}
    on_line = third is not None and not broken_between(name, third)
    return _read(tokens, 2, (diagnostic,), is_broken=not (follows and on_line))


def _equals_on_line(tokens: list[Token]) -> int | None:
    line = _first_line(tokens)
    return next((i for i, token in enumerate(line) if token.type == "EQUAL"), None)


def _no_name(tokens: list[Token], equals: int) -> Head:
    """`a-b = …`, `a.b = …`, `a[1] = …`."""
    span = tokens[1].span.to(tokens[equals - 1].span)
    diagnostic = error(
        UNEXPECTED, span, f"`{span.text}` is not a name",
        help="names are made of letters, digits and `_`, and each is defined by itself",
    )
    return _read(tokens, equals + 1, (diagnostic,))


def _one_too_many(tokens: list[Token], third: Token) -> Head:
    """Three things before the `=`."""
    if third.type == "NAME":
        span = tokens[0].span.to(third.span)
        diagnostic = error(
            UNEXPECTED, span, "three names stand before `=`", label="one kind and one name belong here", help=_SHAPE,
        )
        return Head(_name(tokens[1]), _name(third), 4, tokens[3].end, False, (diagnostic,))
    diagnostic = error(
        UNEXPECTED, third.span, f"{shown(third)} cannot stand between a name and its `=`", help="delete it",
        fixes=(Fix("delete it", (Edit(third.span, ""),)),),
    )
    return _read(tokens, 4, (diagnostic,))


def _no_definition(tokens: list[Token]) -> Diagnostic:
    first = tokens[0]
    line = _first_line(tokens)
    span = first.span.to(line[-1].span)
    if first.type == "NAME" and len(line) == 1:
        return error(UNNAMED_ITEM, first.span, f"`{first.text}` stands alone and defines nothing", help=_SHAPE)
    return error(UNNAMED_ITEM, span, "this is not a definition", label="has no kind and no name", help=_SHAPE)


def _first_line(tokens: list[Token]) -> list[Token]:
    for i in range(1, len(tokens)):
        if broken_between(tokens[i - 1], tokens[i]):
            return tokens[:i]
    return tokens
