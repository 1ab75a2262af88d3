"""Families of terminals, and the words messages use for them."""

from __future__ import annotations

from .lexing import END, Token

OPENERS = {"LPAR": "RPAR", "LSQB": "RSQB", "LBRACE": "RBRACE"}
CLOSERS = {closer: opener for opener, closer in OPENERS.items()}
SPELLING = {
    "LPAR": "(", "RPAR": ")", "LSQB": "[", "RSQB": "]", "LBRACE": "{", "RBRACE": "}", "COMMA": ",", "EQUAL": "=",
    "DOT": ".", "PLUS": "+", "MINUS": "-", "STAR": "*", "SLASH": "/", "RANGE": "..", "UNTIL": "..<",
    "OR": "or", "AND": "and", "NOT": "not", "TRUE": "true", "FALSE": "false", "NONE": "none",
}
COMPARISONS = ("==", "!=", "<=", ">=", "<", ">")
TERMINAL_OF = {text: name for name, text in SPELLING.items()} | dict.fromkeys(COMPARISONS, "COMPARE")

RESERVED = frozenset({"OR", "AND", "NOT", "TRUE", "FALSE", "NONE"})
NUMBERS = frozenset({"INT", "FLOAT", "QUANTITY", "BAD_NUMBER"})
TEXTS = frozenset({"STRING", "RAW_STRING", "TEXT", "BAD_STRING", "BAD_TEXT", "BAD_QUOTES"})
#: Tokens that are a value by themselves.
VALUES = NUMBERS | TEXTS | {"NAME", "TRUE", "FALSE", "NONE", "BROKEN", "BAD_NAME"}
#: Tokens a value can end with, and tokens that can only begin one.
VALUE_ENDS = VALUES | frozenset(CLOSERS)
VALUE_STARTS = VALUES | {"LBRACE"}
INFIX = frozenset({"PLUS", "MINUS", "STAR", "SLASH", "COMPARE", "RANGE", "UNTIL", "OR", "AND", "DOT"})
OPERATORS = INFIX | {"NOT"}
NOT_CHAINED = frozenset({"COMPARE", "RANGE", "UNTIL"})

_LONGEST_QUOTE = 24


def shown(token: Token) -> str:
    """The token as messages quote it."""
    if token.type == END:
        return "the end of the definition"
    text = token.written
    if "\n" in text or len(text) > _LONGEST_QUOTE:
        text = text.splitlines()[0][:_LONGEST_QUOTE] + "…"
    return f"`{text}`"


def expectation(accepts: frozenset[str]) -> str:
    """What the parser would take, in words, in an order that does not depend on sets."""
    words = []
    if "INT" in accepts:
        words.append("a value")
    elif "NAME" in accepts:
        words.append("a name")
    words.extend(f"`{SPELLING[name]}`" for name in ("EQUAL", "COMMA", "RPAR", "RSQB", "RBRACE") if name in accepts)
    if "PLUS" in accepts:
        words.append("an operator")
    if END in accepts:
        words.append("the next definition")
    if len(words) < 2:
        return "".join(words) or "nothing"
    return ", ".join(words[:-1]) + " or " + words[-1]
