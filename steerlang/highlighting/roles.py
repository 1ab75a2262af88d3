"""What each token of a program is to its reader: a kind, a name that is defined, a function, an option.

Decided from tokens alone, so that programs with mistakes are coloured too. Tokens cannot tell an option from a name
everywhere: a word of the vocabulary counts as an option where the program defines nothing under that name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache
from itertools import pairwise

from steerlang.functions import registry
from steerlang.source import Source
from steerlang.syntax.lexing import Token, tokenize
from steerlang.syntax.vocabulary import CLOSERS, INFIX, NUMBERS, OPENERS, TEXTS

from .words import bare_words


class Role(Enum):
    SPACE = "space"
    COMMENT = "comment"
    HEADER = "header"
    EDITION = "edition"
    KIND = "kind"
    DEFINED = "defined"
    FUNCTION = "function"
    METHOD = "method"  # an option with options of its own: `pca(center = mean)`
    ARGUMENT = "argument"
    OPTION = "option"
    NAME = "name"
    MEMBER = "member"
    CONSTANT = "constant"  # `true`, `false`, `none`
    OPERATOR_WORD = "operator word"
    OPERATOR = "operator"
    PUNCTUATION = "punctuation"
    NUMBER = "number"
    QUANTITY = "quantity"
    TEXT = "text"
    RAW = "raw text"
    BLOCK = "block text"
    BAD = "bad"


_BY_TYPE = {
    "WS": Role.SPACE, "COMMENT": Role.COMMENT, "OR": Role.OPERATOR_WORD, "AND": Role.OPERATOR_WORD,
    "NOT": Role.OPERATOR_WORD, "TRUE": Role.CONSTANT, "FALSE": Role.CONSTANT, "NONE": Role.CONSTANT,
    "QUANTITY": Role.QUANTITY, "STRING": Role.TEXT, "RAW_STRING": Role.RAW, "TEXT": Role.BLOCK,
    "COMMA": Role.PUNCTUATION, "EQUAL": Role.PUNCTUATION, "DOT": Role.PUNCTUATION,
    **dict.fromkeys(sorted({*OPENERS, *CLOSERS}), Role.PUNCTUATION),
    **dict.fromkeys(sorted(INFIX - {"OR", "AND", "DOT"}), Role.OPERATOR),
    **dict.fromkeys(sorted(NUMBERS - {"QUANTITY", "BAD_NUMBER"}), Role.NUMBER),
    **dict.fromkeys(sorted(t for t in TEXTS | NUMBERS if t.startswith("BAD_")), Role.BAD),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Part:
    token: Token
    role: Role


def parts(source: Source) -> list[Part]:
    """Every token of a text with its role; their texts join to the whole."""
    tokens = tokenize(source)
    seen = [t for t in tokens if not t.is_trivia]
    roles = dict(zip((t.start for t in seen), _roles(seen), strict=True))
    return [Part(t, _BY_TYPE[t.type] if t.is_trivia else roles[t.start]) for t in tokens]


@cache
def _options() -> frozenset[str]:
    return bare_words(registry())


def _roles(tokens: Sequence[Token]) -> list[Role]:
    defined = {b.text for a, b in pairwise(tokens) if a.type == b.type == "NAME"}
    return [_role(tokens, i, defined) for i in range(len(tokens))]


def _role(tokens: Sequence[Token], i: int, defined: set[str]) -> Role:
    token = tokens[i]
    before = tokens[i - 1] if i else None
    if token.type != "NAME":
        header = token.type == "INT" and before is not None and i == 1 and before.text == "steerlang"
        return Role.EDITION if header else _BY_TYPE.get(token.type, Role.BAD)
    after = tokens[i + 1].type if i + 1 < len(tokens) else ""
    if i == 0 and token.text == "steerlang" and after == "INT":
        return Role.HEADER
    if after == "NAME":  # two names side by side are the head of a definition and nothing else
        return Role.KIND
    if before is not None and before.type == "NAME":
        return Role.DEFINED
    if before is not None and before.type == "DOT":
        return Role.MEMBER
    if after == "EQUAL":
        return Role.ARGUMENT
    return _value_role(token.text, after, defined)


def _value_role(word: str, after: str, defined: set[str]) -> Role:
    if after == "LPAR":
        return Role.METHOD if word in _options() and word not in registry().functions else Role.FUNCTION
    return Role.OPTION if word in _options() and word not in defined else Role.NAME
