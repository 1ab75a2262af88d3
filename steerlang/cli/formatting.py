"""What `fmt` found out about one file."""

from __future__ import annotations

from dataclasses import dataclass

from steerlang.diagnostics import Diagnostic


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
