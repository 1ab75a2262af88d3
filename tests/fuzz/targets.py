"""What is fuzzed: functions of bytes that return, or raise where something holds no longer.

Each decodes its input the way files are read, so bytes that are no text end there. No diagnostic is wrong here but one
that points outside the text; whatever is said must be said without an exception, and within seconds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping

from properties.language_mutants import checked

from steerlang.api.forms import parse_as
from steerlang.diagnostics import Diagnostic
from steerlang.diagnostics.text import render
from steerlang.source import Source
from steerlang.syntax import parse, parse_expression, source_from_bytes, tokenize
from steerlang.syntax.printing import format_source

#: Seconds that one input may take. Inputs are a few kilobytes; checking one of those takes a tenth of that.
LONGEST = 20.0


def lex(source: Source) -> None:
    """Tokens join to the text."""
    tokens = tokenize(source)
    assert "".join(t.text for t in tokens) == source.text
    assert all(t.end > t.start for t in tokens)


def parse_whole(source: Source) -> None:
    _placed(parse(source)[1])


def expression(source: Source) -> None:
    _placed(parse_expression(source)[1])


def form(source: Source) -> None:
    """Formatting a program without mistakes gives the same tree, and nothing further when it is done again."""
    program, found = parse(source)
    text, problems = format_source(source)
    _placed(problems)
    if text is None or any(d.is_error for d in found):
        return
    after = Source("after", text)
    assert parse(after) == (program, [])
    assert format_source(after)[0] == text


def yaml(source: Source) -> None:
    _placed(parse_as(source, "yaml")[1])


def json(source: Source) -> None:
    _placed(parse_as(source, "json")[1])


def check(source: Source) -> None:
    """The whole checker, in a world that has every model and every file; and what it says, as text."""
    found = checked(source.text).diagnostics
    _placed(found)
    render(list(found), width=80)


def _placed(diagnostics: Iterable[Diagnostic]) -> None:
    for diagnostic in diagnostics:
        assert diagnostic.message
        for label in (diagnostic.primary, *diagnostic.secondary):
            if label is not None:
                assert 0 <= label.span.start <= label.span.end <= len(label.span.source.text)


TARGETS: Mapping[str, Callable[[Source], None]] = {
    "lex": lex, "parse": parse_whole, "expression": expression, "format": form, "yaml": yaml, "json": json,
    "check": check,
}  # fmt: skip


def one_input(target: str) -> Callable[[bytes], None]:
    """The function of bytes that fuzzers call."""
    work = TARGETS[target]

    def run(data: bytes) -> None:
        source, problems = source_from_bytes(data, "fuzzed")
        if source is None:
            assert problems
            return
        began = time.monotonic()
        work(source)
        took = time.monotonic() - began
        assert took < LONGEST, f"{took:.1f} s for {len(data)} bytes"

    return run
