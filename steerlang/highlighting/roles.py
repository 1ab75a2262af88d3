"""What each token of a program is to its reader: a kind, a name that is defined, a function, an option.

Decided from tokens alone, so that programs with mistakes are coloured too. Tokens cannot tell an option from a name
everywhere: a word of the vocabulary counts as an option where the program defines nothing under that name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache

from steerlang.functions import registry
from steerlang.source import Source
from steerlang.syntax.cutting import broken_between
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
    heads = {i for i in range(len(tokens)) if _is_head(tokens, i)}
    defined = {tokens[i + 1].text for i in heads}
    return [_role(tokens, i, heads, defined) for i in range(len(tokens))]


def _is_head(tokens: Sequence[Token], i: int) -> bool:
    """Whether kind and name of a definition begin here: two names and `=`, or two names on a line of their own."""
    if [t.type for t in tokens[i : i + 2]] != ["NAME", "NAME"]:
        return False
    if i + 2 < len(tokens) and tokens[i + 2].type == "EQUAL":
        return True
    begins = i == 0 or broken_between(tokens[i - 1], tokens[i])
    return begins and not broken_between(tokens[i], tokens[i + 1])


def _role(tokens: Sequence[Token], i: int, heads: set[int], defined: set[str]) -> Role:
    token = tokens[i]
    before = tokens[i - 1] if i else None
    after = tokens[i + 1].type if i + 1 < len(tokens) else ""
    if token.type != "NAME":
        header = token.type == "INT" and before is not None and i == 1 and before.text == "steerlang"
        return Role.EDITION if header else _BY_TYPE.get(token.type, Role.BAD)
    if i == 0 and token.text == "steerlang" and after == "INT":
        return Role.HEADER
    if i in heads:
        return Role.KIND
    if i - 1 in heads:
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
