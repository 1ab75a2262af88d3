"""What people write out of habit from other languages and keyboards, and what it is called here.

Tables only; `mending` applies them.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Hint:
    """What a piece of text should be: `instead` (None: nothing, it goes), what is wrong with it, and how to mend it."""

    instead: str | None
    message: str
    help: str


OPERATORS = {
    "===": Hint("==", "`===` is not an operator", "compare with `==`"),
    "!==": Hint("!=", "`!==` is not an operator", "compare with `!=`"),
    "<>": Hint("!=", "`<>` is not an operator", "write `!=` for \"is not equal\""),
    "=<": Hint("<=", "`=<` is not an operator", "write `<=` for \"is at most\""),
    ":=": Hint("=", "`:=` is not an operator", "definitions and arguments take a plain `=`"),
    "&&": Hint("and", "`&&` is not an operator", "write `and`"),
    "||": Hint("or", "`||` is not an operator", "write `or`"),
    "->": Hint(None, "`->` is not an operator", "functions are called as `f(x)`"),
    "**": Hint(None, "`**` is not an operator", "there is no power operator; multiply instead"),
    "...": Hint("..", "`...` is not an operator", "a range is written with two dots, `8..16`; it holds both ends"),
    "..=": Hint("..", "`..=` is not an operator", "`8..16` holds both ends already; `8..<16` leaves the last one out"),
    "+=": Hint(None, "`+=` is not an operator", "a name is defined once; give the sum a name of its own"),
    "-=": Hint(None, "`-=` is not an operator", "a name is defined once; give the difference a name of its own"),
    "*=": Hint(None, "`*=` is not an operator", "a name is defined once; give the product a name of its own"),
    "/=": Hint(None, "`/=` is not an operator", "a name is defined once; give the quotient a name of its own"),
}

CHARACTERS = {
    ";": Hint(None, "`;` has no meaning", "definitions need no mark at their end; delete it"),
    "&": Hint("and", "`&` is not an operator", "write `and`"),
    "|": Hint("or", "`|` is not an operator", "write `or`; functions are called as `f(x)`, not through a pipe"),
    "!": Hint("not", "`!` is not an operator", "write `not`"),
    "^": Hint(None, "`^` is not an operator", "there is no power operator; multiply instead"),
    "~": Hint(None, "`~` has no meaning", "write `not` to negate a condition"),
    "%": Hint(None, "`%` belongs directly behind a number", "write a ratio as `50%`, without a space"),
    "\\": Hint(None, "`\\` has no meaning here", "line breaks mean nothing, so a line needs no mark to go on"),
    "`": Hint(None, "`` ` `` has no meaning", "texts stand in `\"…\"`, names need no quotes"),
    "@": Hint(None, "`@` has no meaning", "a revision is an argument: `hf(\"…\", revision = \"…\")`"),
    "$": Hint(None, "`$` has no meaning", "names stand alone: write `strength`, not `$strength`"),
    "?": Hint(None, "`?` has no meaning", "delete it"),
    "\r": Hint(None, "a carriage return stands alone, without a line feed", "save the file with LF line breaks"),
}

#: Characters that look like one of ours; what NFKC normalisation finds by itself is not listed.
LOOKALIKES = {
    "−": "-", "–": "-", "—": "-", "‐": "-", "‑": "-", "×": "*", "·": "*", "∗": "*", "÷": "/", "∕": "/", "≥": ">=",
    "≤": "<=", "≠": "!=", "…": "..", "‥": "..", "∧": "and", "∨": "or", "¬": "not", "、": ",", "，": ",", "。": ".",
    "【": "[", "】": "]", "〔": "[", "〕": "]", "⟨": "(", "⟩": ")",
}

QUOTES = "'“”„‟«»‘’‚‛"

#: Units people write, and the ones there are.
UNITS = {
    "m": "min", "mins": "min", "minute": "min", "minutes": "min", "sec": "s", "secs": "s", "second": "s",
    "seconds": "s", "hr": "h", "hrs": "h", "hour": "h", "hours": "h", "msec": "ms", "G": "GB", "M": "MB", "K": "KB",
    "k": "KB", "g": "GB", "gb": "GB", "mb": "MB", "kb": "KB", "kB": "KB", "gib": "GiB", "mib": "MiB", "kib": "KiB",
    "Gi": "GiB", "Mi": "MiB", "Ki": "KiB", "GIB": "GiB", "MIB": "MiB", "KIB": "KiB", "TIB": "TiB",
}
ALL_UNITS = ("%", "KiB", "MiB", "GiB", "TiB", "KB", "MB", "GB", "ms", "s", "min", "h")


def character_hint(character: str) -> Hint:
    """The hint for a character that no terminal begins with."""
    known = CHARACTERS.get(character)
    if known is not None:
        return known
    name = described(character)
    plain = LOOKALIKES.get(character) or unicodedata.normalize("NFKC", character)
    if plain != character and plain.isascii() and plain.strip() and plain.isprintable():
        return Hint(plain, f"{name} is not part of the language", f"write `{plain}`")
    category = unicodedata.category(character)
    if category in ("Zs", "Zl", "Zp"):
        return Hint(None, f"{name} stands where a plain space belongs", "write a plain space or a line break")
    if category == "Cf":
        return Hint(None, f"{name} stands here and cannot be seen", "delete it")
    return Hint(None, f"{name} has no meaning here", "delete it, or put it into a text: `\"…\"`")


def described(character: str) -> str:
    """The character with its code point where it is not plain to see."""
    code = f"U+{ord(character):04X}"
    name = unicodedata.name(character, "").lower()
    if not character.isprintable() or character.isspace() or unicodedata.combining(character):
        return f"the character {code} ({name})" if name else f"the character {code}"
    return f"`{character}`" if character.isascii() else f"`{character}` ({code})"
