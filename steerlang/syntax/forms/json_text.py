"""JSON to nodes. The text is known to be JSON when it is scanned, so the scan itself is simple."""

from __future__ import annotations

import json
import re
from json.decoder import scanstring  # type: ignore[attr-defined]

from steerlang.source import Source, Span
from steerlang.syntax.depth import MAX_DEPTH

from .nodes import FormNode, Malformed, Open, Scalar

_BLANK = re.compile(r"[ \t\r\n,:]*")
_WORD = re.compile(r"[-+.0-9A-Za-z]+")


def read_json(source: Source) -> FormNode:
    """The value of a JSON text. Raises Malformed."""
    text = source.text
    try:
        json.loads(text, parse_constant=_refuse, parse_int=str, parse_float=str)
    except json.JSONDecodeError as problem:
        span = Span(source, problem.pos, min(problem.pos + 1, len(text)))
        raise Malformed(f"this is not JSON: {_lower(problem.msg)}", span) from problem
    except RecursionError as problem:
        raise Malformed("", Span(source, 0, 1), deep=True) from problem
    except ValueError as problem:
        at = text.find(str(problem))
        raise Malformed(f"`{problem}` is no number of JSON", Span(source, at, at + len(str(problem)))) from problem
    return _scan(source)


def _refuse(word: str) -> object:
    raise ValueError(word)


def _scan(source: Source) -> FormNode:
    text, at, open_ = source.text, 0, list[Open]()
    while True:
        found = _BLANK.match(text, at)
        at = found.end() if found is not None else at
        node: FormNode | None = None
        start, first = at, text[at]
        if first in "{[":
            open_.append(Open(first == "{", at, []))
            at += 1
            if len(open_) > MAX_DEPTH + 1:
                raise Malformed("", Span(source, start, at), deep=True)
        elif first in "}]":
            at += 1
            ended = open_.pop()
            node = ended.closed(Span(source, ended.start, at))
        elif first == '"':
            value, at = scanstring(text, at + 1, True)
            node = Scalar(_whole(value, Span(source, start, at)), '"', Span(source, start, at))
        else:
            word = _WORD.match(text, at)
            assert word is not None
            at = word.end()
            node = Scalar(word.group(), "plain", Span(source, start, at))
        if node is not None:
            if not open_:
                return node
            open_[-1].parts.append(node)


def _whole(value: str, span: Span) -> str:
    """Raises Malformed for half of a surrogate pair, which is no character."""
    if any(0xD800 <= ord(c) < 0xE000 for c in value):
        raise Malformed("an escape names no Unicode character", span, "surrogates stand in pairs")
    return value


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]
