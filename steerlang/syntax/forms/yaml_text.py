"""YAML to nodes, from PyYAML's events: nothing is constructed, so nothing can be but text, lists and mappings.

Anchors, aliases, tags and further documents are refused: they can hide what a file says, and programs need none.
"""

from __future__ import annotations

from typing import Any

import yaml

from steerlang.source import Source, Span
from steerlang.syntax.depth import MAX_DEPTH

from .nodes import FormNode, Malformed, Open, Scalar

LONG = 32_768
_HELP = "write the value out where it is used; `definitions` give names to what is used twice"


def read_yaml(source: Source) -> FormNode | None:
    """The one document of a text, or None where there is none. Raises Malformed."""
    try:
        return _read(source)
    except yaml.reader.ReaderError as problem:
        found = yaml.reader.Reader.NON_PRINTABLE.search(source.text)
        at = found.start() if found is not None else 0
        raise Malformed("a character that YAML does not allow", Span(source, at, at + 1)) from problem
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        at = min(mark.index, len(source.text)) if mark is not None else 0
        reason = (problem.problem or problem.context or "it cannot be read").split("\n")[0]
        raise Malformed(f"this is not YAML: {reason}", Span(source, at, min(at + 1, len(source.text)))) from problem


def loader_for(text: str) -> Any:
    """PyYAML's own parser, which words its messages alike everywhere; for long texts libyaml, thirty times as fast,
    where PyYAML was built with it. Both give the same events at the same places."""
    return yaml.SafeLoader if len(text) < LONG else getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _read(source: Source) -> FormNode | None:
    open_: list[Open] = []
    documents: list[FormNode] = []
    for event in yaml.parse(source.text, Loader=loader_for(source.text)):
        node: FormNode | None = None
        if isinstance(event, yaml.DocumentStartEvent) and documents:
            raise Malformed("a second document begins here", _span(source, event), "a file holds one program")
        if isinstance(event, yaml.NodeEvent):
            _check(source, event, len(open_))
        if isinstance(event, yaml.ScalarEvent):
            node = Scalar(_whole(event.value, _span(source, event)), event.style or "plain", _span(source, event))
        elif isinstance(event, (yaml.SequenceStartEvent, yaml.MappingStartEvent)):
            is_mapping = isinstance(event, yaml.MappingStartEvent)
            open_.append(Open(is_mapping, _span(source, event).start, []))
        elif isinstance(event, (yaml.SequenceEndEvent, yaml.MappingEndEvent)):
            ended = open_.pop()
            node = ended.closed(_trimmed(source, ended.start, _span(source, event).end))
        if node is not None:
            (open_[-1].parts if open_ else documents).append(node)
    return documents[0] if documents else None


def _check(source: Source, event: yaml.NodeEvent, depth: int) -> None:
    if isinstance(event, yaml.AliasEvent):
        raise Malformed("aliases (`*name`) are not read", _span(source, event), _HELP)
    if event.anchor is not None:
        raise Malformed("anchors (`&name`) are not read", _span(source, event), _HELP)
    if getattr(event, "tag", None) is not None:
        raise Malformed("tags (`!name`) are not read", _span(source, event), "leave the tag out")
    if depth > MAX_DEPTH:
        raise Malformed("", _span(source, event), deep=True)


def _whole(value: str, span: Span) -> str:
    """Raises Malformed for surrogates, which are no characters. YAML escapes have eight digits for those they make."""
    if any(0xD800 <= ord(c) < 0xE000 for c in value):
        raise Malformed("an escape names no Unicode character", span, "write the character itself, or `\\U0001F600`")
    return value


def _span(source: Source, event: yaml.Event) -> Span:
    assert event.start_mark is not None
    assert event.end_mark is not None
    return _trimmed(source, event.start_mark.index, event.end_mark.index)


def _trimmed(source: Source, start: int, end: int) -> Span:
    """Without the line breaks that YAML counts to what stands before them."""
    text = source.text[start:end]
    return Span(source, start, start + len(text.rstrip()) if text.strip() else start)
