"""Outcomes as JUnit XML, which CI servers show as tests: one test case for each program or expectation."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from .codes import Severity
from .model import Diagnostic
from .text import render_one

# What XML 1.0 cannot hold, not even escaped.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Case:
    """One test. It failed when it has `problems` (what was checked does not hold) or an `error` among them is one of
    running; `skipped` says why it was not judged; `seconds` where they are known.

    problems  errors make the case fail; warnings and notes are shown as its output
    broken    the problems are none of the program: a run that could not go on
    """

    name: str
    problems: tuple[Diagnostic, ...] = ()
    skipped: str | None = None
    broken: bool = False
    output: str = ""


@dataclass(frozen=True)
class Suite:
    """The tests of one program."""

    name: str
    cases: tuple[Case, ...]
    seconds: float = 0.0


def render_junit(suites: Sequence[Suite]) -> str:
    """The document, with a line break at its end."""
    cases = [case for suite in suites for case in suite.cases]
    head = f'<testsuites name="steerlang" {_counts(cases)} time="{sum(s.seconds for s in suites):.3f}">'
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', head]
    for suite in suites:
        lines.append(f'  <testsuite name={_value(suite.name)} {_counts(suite.cases)} time="{suite.seconds:.3f}">')
        for case in suite.cases:
            lines += _case(case, suite)
        lines.append("  </testsuite>")
    return "\n".join([*lines, "</testsuites>"]) + "\n"


def _counts(cases: Iterable[Case]) -> str:
    found = list(cases)
    failed = [c for c in found if _errors(c)]
    broken = sum(c.broken for c in failed)
    skipped = sum(c.skipped is not None and not _errors(c) for c in found)
    return f'tests="{len(found)}" failures="{len(failed) - broken}" errors="{broken}" skipped="{skipped}"'


def _errors(case: Case) -> list[Diagnostic]:
    return [d for d in case.problems if d.is_error]


def _case(case: Case, suite: Suite) -> list[str]:
    errors = _errors(case)
    others = [d for d in case.problems if d.severity is not Severity.ERROR]
    said = "\n\n".join([*([case.output] if case.output else []), *(render_one(d) for d in others)])
    inner: list[str] = []
    if errors:
        tag = "error" if case.broken else "failure"
        first = errors[0]
        message = first.message if len(errors) == 1 else f"{first.message} (and {len(errors) - 1} more)"
        text = "\n\n".join(render_one(d) for d in errors)
        inner.append(f"      <{tag} type={_value(first.code.id)} message={_value(message)}>{_text(text)}</{tag}>")
    elif case.skipped is not None:
        inner.append(f"      <skipped message={_value(case.skipped)}/>")
    if said:
        inner.append(f"      <system-out>{_text(said)}</system-out>")
    file = f" file={_value(suite.name)}"
    head = f"    <testcase name={_value(case.name)} classname={_value(suite.name)}{file}"
    return [f"{head}>", *inner, "    </testcase>"] if inner else [f"{head}/>"]


def _value(text: str) -> str:
    """An attribute with its quotes; line breaks stay what they are."""
    return quoteattr(_NOT_XML.sub("\ufffd", text), {"\n": "&#10;", "\r": "&#13;", "\t": "&#9;"})


def _text(text: str) -> str:
    return escape(_NOT_XML.sub("\ufffd", text))
