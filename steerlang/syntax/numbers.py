"""Numbers that are not written as numbers are: what was meant."""

from __future__ import annotations

import re

from .hints import ALL_UNITS, UNITS
from .lexing import Token
from .vocabulary import VALUE_ENDS

_NUMBER_AND_LETTERS = re.compile(r"([0-9][0-9_]*(?:\.[0-9][0-9_]*)?)([A-Za-z]+)")


def number_help(text: str) -> tuple[str, str | None]:
    match = _NUMBER_AND_LETTERS.fullmatch(text)
    if match and match.group(2) in UNITS:
        instead = match.group(1) + UNITS[match.group(2)]
        return f"write `{instead}`", instead
    if text.count(".") > 1:
        return "a number has one dot; put version numbers into a text", None
    if text[:2].lower() in ("0x", "0b", "0o"):
        return "numbers are written in decimal digits", None
    if "_" in text and not re.search("[A-Za-z]", text):
        instead = re.sub("_+", "_", text).strip("_")
        return f"`_` stands only between two digits: `{instead}`", instead
    if match and len(match.group(2)) <= 3:
        units = ", ".join(f"`{unit}`" for unit in ALL_UNITS)
        return f"the units are {units}", None
    return "names begin with a letter or `_`; a number ends before the first letter", None


def split_number(before: list[Token], token: Token, after: Token | None) -> tuple[str, str, str] | None:
    """`.5`, `5.` and `2 GiB`, two tokens that were meant as one number: how that is written, meant, and mended."""
    left = before[-1] if before else None
    if left is None:
        return None
    touching = left.end == token.start
    if token.type == "DOT" and left.type == "INT" and touching and (after is None or after.type != "NAME"):
        return f"{left.written}.", f"{left.written}.0", f"write `{left.written}.0` or `{left.written}`"
    if token.type == "INT" and left.type == "DOT" and touching:
        if len(before) > 1 and before[-2].type in VALUE_ENDS:
            return None
        return f".{token.written}", f"0.{token.written}", f"write `0.{token.written}`"
    if token.type == "NAME" and left.type in ("INT", "FLOAT") and _is_unit(token, after):
        meant = left.written + UNITS.get(token.written, token.written)
        return f"{left.written} {token.written}", meant, f"write `{meant}`, without a space"
    return None


def _is_unit(token: Token, after: Token | None) -> bool:
    if after is not None and after.type in ("EQUAL", "LPAR", "DOT"):
        return False
    return token.written in ALL_UNITS or token.written in UNITS
