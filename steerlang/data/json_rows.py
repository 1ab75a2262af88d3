"""Rows of JSON lines and of a JSON list of objects."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import BinaryIO, NoReturn

from .table import Row, RowProblem, UnreadableError, empty_file
from .text_lines import refuse_binary, text_lines, without_blank_end

_NAMES = {dict: "an object", list: "a list", str: "a text", int: "a number", float: "a number", bool: "true or false"}
_LIST_HELP = "read a file that is one list with `json(…)`"
_LINES_HELP = "write `[{…}, {…}]`, or read one object a line with `jsonl(…)`"
_NEXT_OBJECT = re.compile(r"\}\s*,\s*(?=\{)")
_BLANKS = re.compile(r"[ \t\r\n]*")


def type_in_words(value: object) -> str:
    """How messages name the type of a JSON value."""
    return "nothing (null)" if value is None else _NAMES.get(type(value), type(value).__name__)


class _BadJsonError(ValueError):
    """JSON that Python's reader accepts and a data file must not hold."""


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    result = dict(pairs)
    if len(result) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise _BadJsonError(f"key `{twice}` stands twice in one object")
    return result


def _no_constant(name: str) -> NoReturn:
    raise _BadJsonError(f"`{name}` is not JSON")


def _decoder() -> json.JSONDecoder:
    return json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)


def jsonl_rows(handle: BinaryIO) -> Iterator[Row | RowProblem]:
    """One JSON object a line."""
    decoder = _decoder()
    for line in without_blank_end(text_lines(handle)):
        if line.trouble:
            yield RowProblem(line.number, None, line.trouble)
        elif line.is_blank:
            yield RowProblem(line.number, None, "is empty", "delete the line")
        else:
            yield _row_of(line.number, line.text, decoder)


def _row_of(number: int, text: str, decoder: json.JSONDecoder) -> Row | RowProblem:
    try:
        value = decoder.decode(text)
    except (ValueError, RecursionError) as error:
        if text.strip() in ("[", "]", "{", "}"):
            return RowProblem(number, None, "is not one whole JSON object", _LIST_HELP)
        return RowProblem(number, None, _in_words(error), _json_help(error))
    return _checked(number, value)


def _checked(number: int, value: object) -> Row | RowProblem:
    if not isinstance(value, dict):
        help = _LIST_HELP if isinstance(value, list) else "write one object a line"
        return RowProblem(number, None, f"is {type_in_words(value)}, not an object", help)
    for column, cell in value.items():
        if _has_surrogate(column) or (isinstance(cell, str) and _has_surrogate(cell)):
            return RowProblem(number, column, "holds half of a surrogate pair, which is no character")
    return Row(number, value)


def _has_surrogate(text: str) -> bool:
    # `isascii` and the encoder are C loops; a search by regular expression is ten times slower on long texts.
    if text.isascii():
        return False
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False


def _in_words(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"is not JSON: {error.msg[:1].lower()}{error.msg[1:]} at column {error.colno}"
    if isinstance(error, RecursionError):
        return "is nested too deeply"
    return str(error)


def _json_help(error: Exception) -> str:
    message = str(error)
    if "double quotes" in message:
        return "JSON writes texts and keys in double quotes"
    if "Unterminated string" in message or "control character" in message:
        return "write a line break inside a text as `\\n`"
    if "Extra data" in message:
        return "write one object a line"
    return ""


def json_list_rows(handle: BinaryIO) -> Iterator[Row | RowProblem]:
    """A JSON list of objects, read element by element so that each has its line number."""
    text = _whole_text(handle)
    place = _Place(text)
    position = _after_blanks(text, 0)
    if text[position : position + 1] != "[":
        found = "one object" if text[position : position + 1] == "{" else "something else"
        raise UnreadableError(f"holds {found}, not a list of objects", _LINES_HELP)
    yield from _elements(text, position + 1, place)


class _Place:
    """Line numbers of increasing offsets, counted only once each."""

    def __init__(self, text: str) -> None:
        self._text, self._offset, self._line = text, 0, 1

    def line(self, offset: int) -> int:
        self._line += self._text.count("\n", self._offset, offset)
        self._offset = max(self._offset, offset)
        return self._line


def _elements(text: str, position: int, place: _Place) -> Iterator[Row | RowProblem]:
    decoder = _decoder()
    position = _after_blanks(text, position)
    if text[position : position + 1] == "]":
        return
    while True:
        line = place.line(position)
        try:
            value, end = decoder.raw_decode(text, position)
        except (ValueError, RecursionError) as error:
            yield RowProblem(line, None, _in_words(error), _json_help(error))
            # Look for what reads like the start of the next row, so that one bad row does not hide the others.
            again = _NEXT_OBJECT.search(text, getattr(error, "pos", position))
            if again is None:
                return
            position = again.end()
            continue
        yield _checked(line, value)
        position = _after_blanks(text, end)
        following = text[position : position + 1]
        if following != ",":
            yield from _list_end(text, position, following, place)
            return
        position = _after_blanks(text, position + 1)


def _list_end(text: str, position: int, following: str, place: _Place) -> Iterator[RowProblem]:
    if following != "]":
        message = "the list is not closed" if not following else "a comma is missing between two rows"
        yield RowProblem(place.line(position), None, message)
        return
    end = _after_blanks(text, position + 1)
    if end != len(text):
        yield RowProblem(place.line(end), None, "something follows the end of the list")


def _after_blanks(text: str, position: int) -> int:
    match = _BLANKS.match(text, position)
    return match.end() if match else position


def _whole_text(handle: BinaryIO) -> str:
    raw = handle.read()
    if not raw:
        raise empty_file()
    refuse_binary(raw)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise UnreadableError(f"is not UTF-8 (line {line})", "save it as UTF-8") from None
