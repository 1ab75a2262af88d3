"""What `fmt` found out about one file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from steerlang.diagnostics import Diagnostic, codes, error
from steerlang.source import Source, Span

from .exit_codes import ExitCode


@dataclass(frozen=True)
class Formatted:
    """A program before and after. `after` is None when it has mistakes and was left alone.

    written  whether the file was replaced
    diff     the change as a unified diff, where it was asked for
    text     whether `after` itself is the result (standard input)
    """

    name: str
    before: str
    after: str | None
    diagnostics: tuple[Diagnostic, ...] = ()
    written: bool = False
    diff: str | None = None
    text: bool = False

    @property
    def changed(self) -> bool:
        return self.after is not None and self.after != self.before


def not_formatted(results: Sequence[Formatted], code: ExitCode) -> list[Diagnostic]:
    """What `fmt --check` found, as diagnostics; none where nothing was only checked."""
    return [] if code is ExitCode.OK else [_not_formatted(r) for r in results if r.changed and not r.written]


def _not_formatted(result: Formatted) -> Diagnostic:
    """Points at the first line that the standard layout has otherwise."""
    source = Source(result.name, result.before)
    before, after = result.before.split("\n"), (result.after or "").split("\n")
    pairs = enumerate(zip(before, after, strict=False))
    line = next((i for i, (old, new) in pairs if old != new), min(len(before), len(after)))
    number = min(line, source.line_count - 1) + 1
    start = source.line_starts[number - 1]
    span = Span(source, start, start + len(source.line(number)))
    return error(codes.NOT_FORMATTED, span, f"`{result.name}` is not in the standard layout", label="from here on",
                 help=f"rewrite it: `steerlang fmt {result.name}`")
