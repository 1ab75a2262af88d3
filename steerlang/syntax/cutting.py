"""Where one definition ends and the next begins, known before anything is parsed.

In a valid program the cuts are exactly where the grammar has them, whatever the layout: outside brackets two names
never stand side by side except at the start of a definition. In a broken program line starts and indentation decide,
so that an unclosed bracket or a missing value stays a matter of one definition.
"""

from __future__ import annotations

from .lexing import Token
from .vocabulary import CLOSERS, OPENERS, RESERVED, VALUE_ENDS, VALUE_STARTS

_NAMES = RESERVED | {"NAME", "BAD_NAME"}


def column(token: Token) -> int:
    """Characters before the token on its line."""
    return token.start - (token.source.text.rfind("\n", 0, token.start) + 1)


def indentation(token: Token) -> int:
    """Characters of white space at the start of the line the token stands on."""
    text = token.source.text
    start = text.rfind("\n", 0, token.start) + 1
    end = start
    while end < token.start and text[end] in " \t":
        end += 1
    return end - start


def broken_between(left: Token, right: Token) -> bool:
    """Whether a line break lies between two tokens."""
    return "\n" in right.source.text[left.end : right.start]


def cut(tokens: list[Token]) -> list[list[Token]]:
    """The tokens of the items, one list each. Nothing is lost: the lists join to `tokens`."""
    if not tokens:
        return []
    starts = [0]
    depth, margin = 0, column(tokens[0])
    head_end = _head_length(tokens, 0)
    for i, token in enumerate(tokens):
        if i >= head_end and _starts_item(tokens, i, depth, margin):
            starts.append(i)
            depth = 0
            margin = column(token) if broken_between(tokens[i - 1], token) else margin
            head_end = i + _head_length(tokens, i)
        if token.type in OPENERS:
            depth += 1
        elif token.type in CLOSERS:
            depth = max(0, depth - 1)
    return [tokens[start:end] for start, end in zip(starts, [*starts[1:], len(tokens)], strict=True)]


def _type(tokens: list[Token], i: int) -> str:
    return tokens[i].type if i < len(tokens) else ""


def _head_length(tokens: list[Token], i: int) -> int:
    """How many tokens from `i` on are kind, name and `=`, as far as they are there."""
    second, third = _type(tokens, i + 1), _type(tokens, i + 2)
    if second in _NAMES and (third == "EQUAL" or not broken_between(tokens[i], tokens[i + 1])):
        return 3 if third == "EQUAL" else 2
    return 2 if second == "EQUAL" else 1


def _starts_item(tokens: list[Token], i: int, depth: int, margin: int) -> bool:
    token, previous = tokens[i], tokens[i - 1]
    if token.type not in VALUE_STARTS:
        return False
    second, third = _type(tokens, i + 1), _type(tokens, i + 2)
    complete = previous.type in VALUE_ENDS or previous.is_bad
    pair = token.type in _NAMES and second in _NAMES
    if pair and third == "EQUAL" and complete and depth == 0:
        return True
    if not broken_between(previous, token) or column(token) > margin:
        return False
    if pair and not broken_between(token, tokens[i + 1]) and (complete or third == "EQUAL"):
        return True
    return depth == 0 and (complete or second == "EQUAL")
