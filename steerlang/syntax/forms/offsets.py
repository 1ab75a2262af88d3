"""Where each character of a scalar's value stands in the text, so that messages point into what was written."""

from __future__ import annotations

from steerlang.source import Source

from .nodes import Scalar

_BLANK = " \t\r\n\x85\u2028\u2029"
_LENGTHS = {"x": 4, "u": 6, "U": 10}


def is_straight(scalar: Scalar) -> bool:
    """Whether the value stands in the text exactly as it is, one character after the other."""
    inner = _inner(scalar)
    return inner is not None and scalar.span.source.text[inner[0] : inner[1]] == scalar.value


def inner_start(scalar: Scalar) -> int:
    return scalar.span.start + (scalar.style in "'\"")


def _inner(scalar: Scalar) -> tuple[int, int] | None:
    if scalar.style in "|>":
        return None
    quotes = int(scalar.style in "'\"")
    return scalar.span.start + quotes, scalar.span.end - quotes


def offsets(scalar: Scalar) -> list[int]:
    """For each character of the value, and for its end, the offset in the text.

    Characters that YAML folds (line breaks, indentation) are found by walking both texts; an escape counts as the
    character it stands for.
    """
    source, end = scalar.span.source, scalar.span.end
    at = _after_header(source, scalar.span.start) if scalar.style in "|>" else inner_start(scalar)
    found: list[int] = []
    for character in scalar.value:
        if scalar.style == '"':
            at = _skip_continuation(source, at, end)
        if scalar.style == '"' and source.text[at : at + 1] == "\\":
            found.append(min(at, end))
            at += _escape_length(source, at)
        elif character in _BLANK:
            found.append(min(at, end))
            at += source.text[at : at + 1] == character
        else:
            while at < end and source.text[at] != character:
                at += 1
            found.append(min(at, end))
            at += 2 if scalar.style == "'" and character == "'" else 1
    return [*found, min(at, end)]


def _after_header(source: Source, start: int) -> int:
    """The text of a block scalar begins on the line after its `|` or `>`."""
    at = source.text.find("\n", start)
    return len(source.text) if at < 0 else at + 1


def _skip_continuation(source: Source, at: int, end: int) -> int:
    """Past a backslash at the end of a line and the indentation of the next, which stand for nothing."""
    while source.text[at : at + 2] in ("\\\n", "\\\r"):
        at += 1
        while at < end and source.text[at] in _BLANK:
            at += 1
    return at


def _escape_length(source: Source, at: int) -> int:
    length = _LENGTHS.get(source.text[at + 1 : at + 2], 2)
    pair = length == 6 and source.text[at + 2 : at + 4].lower() in ("d8", "d9", "da", "db")
    return 12 if pair else length
