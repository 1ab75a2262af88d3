"""What a diagnostic is. Functions return diagnostics for mistakes of the user; exceptions mean bugs."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from steerlang.source import Span

from .codes import Code, Severity


class Applicability(Enum):
    SAFE = "safe"
    UNSAFE = "unsafe"


@dataclass(frozen=True, slots=True)
class Label:
    """A place worth pointing at, with the words shown beside it."""

    span: Span
    message: str = ""


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace the text of `span` by `text`."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class Fix:
    title: str
    edits: tuple[Edit, ...]
    applicability: Applicability = Applicability.UNSAFE


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One thing to tell the user: which rule, where, what is wrong, and how to mend it.

    `message` starts in lower case, has no final full stop and quotes code in backticks. `primary` is None only when the
    trouble has no place in a program (a command-line option, a cache folder); then `place` names the file or option.
    """

    code: Code
    message: str
    primary: Label | None = None
    secondary: tuple[Label, ...] = ()
    notes: tuple[str, ...] = ()
    help: tuple[str, ...] = ()
    fixes: tuple[Fix, ...] = ()
    place: str | None = None
    level: Severity | None = field(default=None)

    @property
    def severity(self) -> Severity:
        return self.level or self.code.severity

    @property
    def is_error(self) -> bool:
        return self.severity is Severity.ERROR


def has_errors(diagnostics: list[Diagnostic] | tuple[Diagnostic, ...]) -> bool:
    return any(d.is_error for d in diagnostics)


def error(
    code: Code, span: Span | None, message: str, *, label: str = "", help: str | tuple[str, ...] = (),
    notes: tuple[str, ...] = (), secondary: tuple[Label, ...] = (), fixes: tuple[Fix, ...] = (),
    place: str | None = None,
) -> Diagnostic:
    """Shorthand for the usual diagnostic: one place, one message, one help line."""
    helps = (help,) if isinstance(help, str) else help
    primary = Label(span, label) if span is not None else None
    return Diagnostic(code, message, primary, secondary, notes, helps, fixes, place)


def sort_key(diagnostic: Diagnostic) -> tuple[str, int, str]:
    where = diagnostic.primary
    if where is None:
        return (diagnostic.place or "", -1, diagnostic.code.id)
    return (where.span.source.name, where.span.start, diagnostic.code.id)


def ordered(diagnostics: list[Diagnostic]) -> list[Diagnostic]:
    """Sorted by place, with repeats of one code at one place dropped."""
    seen: set[tuple[object, ...]] = set()
    result: list[Diagnostic] = []
    for d in sorted(diagnostics, key=sort_key):
        span = d.primary.span if d.primary else None
        mark = (d.code.id, id(span.source), span.start, span.end) if span else (d.code.id, d.place, d.message)
        if mark not in seen:
            seen.add(mark)
            result.append(d)
    return result
