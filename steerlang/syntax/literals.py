"""What literals say: from the text of one token to its value, and what can be wrong inside it.

Values are decoded leniently (a wrong escape stands for itself), because mistakes are reported by `literal_mistakes`
before anything uses the value.
"""

from __future__ import annotations

import math
import re

_ESCAPE = re.compile(r"\\(?:u\{([0-9A-Fa-f_]*)\}|(\r\n|[\s\S]))")
_SIMPLE = {"n": "\n", "t": "\t", '"': '"', "\\": "\\"}
_QUANTITY = re.compile(r"([0-9_.]+)(.+)")
_MAX_DIGITS = 4000  # what `int` refuses, it refuses above 4300 digits


def integer(text: str) -> int:
    digits = text.replace("_", "")
    return int(digits) if len(digits) <= _MAX_DIGITS else 0


def number(text: str) -> float:
    return float(text.replace("_", ""))


def quantity(text: str) -> tuple[float, str]:
    """`"2GiB"` is `(2.0, "GiB")`."""
    match = _QUANTITY.fullmatch(text)
    assert match is not None  # the terminal of the grammar is narrower
    return number(match.group(1)), match.group(2)


def too_large(token_type: str, text: str) -> bool:
    """Whether a number does not fit: too many digits, or infinite as a float."""
    digits = text.replace("_", "")
    if token_type == "INT":
        return len(digits) > _MAX_DIGITS
    if token_type == "QUANTITY":
        return math.isinf(quantity(text)[0])
    return math.isinf(float(digits))


def plain(text: str) -> str:
    return unescape(text[1:-1])


def raw(text: str) -> str:
    return text[2:-1]


def block(text: str) -> str:
    '''Value of a `"""…"""` text: common indent removed, then escapes decoded.

    A line break right behind the opening quotes and the line of the closing quotes, when nothing else stands on it, do
    not count; neither does text on the opening line for the common indent. Line breaks are `\\n` whatever the file has.
    '''
    lines = text[3:-3].replace("\r\n", "\n").split("\n")
    if len(lines) == 1:
        return unescape(lines[0])
    if not lines[0].strip(" \t"):
        lines, first = lines[1:], []
    else:
        lines, first = lines[1:], lines[:1]
    if not lines[-1].strip(" \t"):
        lines = lines[:-1]
    indent = _common_indent(lines)
    body = [line[len(indent) :] if line.strip(" \t") else "" for line in lines]
    return unescape("\n".join(first + body))


def _common_indent(lines: list[str]) -> str:
    indents = [line[: len(line) - len(line.lstrip(" \t"))] for line in lines if line.strip(" \t")]
    if not indents:
        return ""
    low, high = min(indents), max(indents)
    for i, character in enumerate(low):
        if character != high[i]:
            return low[:i]
    return low


def unescape(text: str) -> str:
    if "\\" not in text:
        return text
    return _ESCAPE.sub(_decode, text)


def _decode(match: re.Match[str]) -> str:
    digits, simple = match.groups()
    if digits is not None:
        return chr(int(digits, 16)) if is_scalar(digits) else match.group()
    return _SIMPLE.get(simple, match.group())


def is_scalar(digits: str) -> bool:
    """Whether hexadecimal digits name a Unicode character."""
    if not re.fullmatch(r"[0-9A-Fa-f]{1,6}", digits):
        return False
    value = int(digits, 16)
    return value < 0x110000 and not 0xD800 <= value < 0xE000


def bad_escapes(text: str) -> list[tuple[int, int]]:
    """Ranges, within the token text, of escapes that are none of `\\n \\t \\" \\\\ \\u{…}`."""
    found = []
    for match in _ESCAPE.finditer(text):
        digits, simple = match.groups()
        known = is_scalar(digits) if digits is not None else simple in _SIMPLE
        if not known:
            found.append(match.span())
    return found


def quoted(value: str) -> str:
    """`value` as a plain literal, with escapes where they are needed."""
    return '"' + "".join(_escape(c) for c in value) + '"'


def block_quoted(value: str) -> str:
    '''`value` as a `"""…"""` literal: on one line, or line by line where it holds line breaks.'''
    lines = ["".join(_escape(c) for c in line) for line in value.split("\n")]
    if len(lines) == 1:
        return f'"""{lines[0]}"""'
    # What would count as indentation, or as a line with nothing on it, is escaped.
    kept = [re.sub("^ ", r"\\u{20}", line) for line in lines]
    return '"""\n' + "\n".join(kept) + '\n"""'


def _escape(character: str) -> str:
    for letter, decoded in _SIMPLE.items():
        if decoded == character:
            return "\\" + letter
    if character.isprintable():
        return character
    return f"\\u{{{ord(character):x}}}"
