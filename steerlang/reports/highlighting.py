"""A program's text in pieces with what each is, from the language's own lexer; every text comes out whole."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from steerlang.source import Source
from steerlang.syntax.lexing import Token, tokenize
from steerlang.syntax.vocabulary import CLOSERS, NUMBERS, OPENERS, RESERVED, TEXTS


@dataclass(frozen=True)
class Piece:
    """A part of a line. `style` is one of `kind name call argument use word number text comment`, or empty; `target`
    the definition it names."""

    text: str
    style: str = ""
    target: str = ""


def highlighted(text: str, definitions: Collection[str] = ()) -> list[list[Piece]]:
    """The lines of a program, without their line breaks, each in pieces. Uses of `definitions` are targets."""
    tokens = tokenize(Source("", text))
    lines: list[list[Piece]] = [[]]
    for piece in _pieces(tokens, definitions):
        first, *rest = piece.text.replace("\r\n", "\n").split("\n")
        for n, part in enumerate((first, *rest)):
            if n:
                lines.append([])
            if part:
                lines[-1].append(Piece(part, piece.style, piece.target))
    return lines if lines[-1] else lines[:-1]


def _pieces(tokens: Sequence[Token], definitions: Collection[str]) -> list[Piece]:
    shown = [n for n, token in enumerate(tokens) if not token.is_trivia]
    place = {n: i for i, n in enumerate(shown)}
    depth = 0
    found = []
    for n, token in enumerate(tokens):
        if token.type in OPENERS:
            depth += 1
        elif token.type in CLOSERS:
            depth = max(0, depth - 1)
        if token.type == "NAME":
            around = [tokens[shown[i]] if 0 <= i < len(shown) else None for i in range(place[n] - 2, place[n] + 3)]
            found.append(_name(around, depth, definitions))
        else:
            found.append(Piece(token.text, _style(token)))
    return found


def _style(token: Token) -> str:
    if token.type == "COMMENT":
        return "comment"
    if token.type in TEXTS:
        return "text"
    if token.type in NUMBERS:
        return "number"
    return "word" if token.type in RESERVED else ""


def _name(around: Sequence[Token | None], depth: int, definitions: Collection[str]) -> Piece:
    """A name, by the two tokens before and behind it."""
    before, last, own, *_ = around
    assert own is not None
    types = [t.type if t is not None else "" for t in around]
    if depth == 0 and types[3] == "NAME" and types[4] == "EQUAL":
        return Piece(own.text, "kind")
    if depth == 0 and types[1] == "NAME" and types[3] == "EQUAL":
        return Piece(own.text, "name", own.text)
    if last is None and types[3] == "INT":
        return Piece(own.text, "kind")  # the edition
    if depth and types[3] == "EQUAL" and types[1] in ("COMMA", "LPAR"):
        return Piece(own.text, "argument")
    if types[1] == "DOT" and before is not None:
        own_name = f"{before.text}.{own.text}"
        return Piece(own.text, "use", own_name) if own_name in definitions else Piece(own.text)
    if types[3] == "LPAR" and own.text not in definitions:
        return Piece(own.text, "call")
    return Piece(own.text, "use", own.text) if own.text in definitions else Piece(own.text)
