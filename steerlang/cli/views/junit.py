"""One JUnit document on stdout."""

from __future__ import annotations

from collections.abc import Sequence

from steerlang.cli.exit_codes import ExitCode
from steerlang.diagnostics.junit import Suite, render_junit

from .documents import DocumentView


class JunitView(DocumentView):
    def write(self, suites: Sequence[Suite], code: ExitCode) -> None:
        text = render_junit(suites)
        out = self.streams.out
        out.write(text if out.unicode else text.encode("ascii", "xmlcharrefreplace").decode("ascii"))
