"""Text whose diagnostics are one line each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from steerlang.cli.streams import Stream
from steerlang.diagnostics import Diagnostic
from steerlang.diagnostics.concise import concise_line, render_concise

from .text import TextView

if TYPE_CHECKING:
    from steerlang.language.compiling import Compiled


class ConciseView(TextView):
    def checked(self, results: Sequence[Compiled]) -> None:
        shown = [d for r in results for d in self._shown(r.diagnostics)]
        if shown or not self.output.quiet:
            self.streams.out.write(render_concise(shown, color=self.streams.out.color, limit=None))

    def _blocks(self, stream: Stream, diagnostics: Iterable[Diagnostic]) -> None:
        for diagnostic in self._shown(diagnostics):
            stream.line(concise_line(diagnostic, color=stream.color))
