"""JSON lines: an object for each diagnostic, for each event of a run as it happens, and at the end the exit code."""

from __future__ import annotations

import json
from collections.abc import Sequence

from steerlang.cli.arguments import Output
from steerlang.cli.exit_codes import ExitCode
from steerlang.cli.streams import Streams
from steerlang.diagnostics import Diagnostic
from steerlang.diagnostics.codes import Severity
from steerlang.diagnostics.junit import Suite
from steerlang.engine.events import DiagnosticEvent, End, Event

from .documents import DocumentView
from .json import finite


class JsonLinesView(DocumentView):
    """Lines are events (`engine.events`), written when they happen: a reader at the other end of a pipe sees them."""

    def __init__(self, streams: Streams, output: Output) -> None:
        super().__init__(streams, output)
        self.live = self
        self._told: list[Diagnostic] = []

    def emit(self, event: Event) -> None:
        if isinstance(event, DiagnosticEvent):
            self._told.append(event.diagnostic)
        self.streams.out.line(json.dumps(finite(event.document()), ensure_ascii=True, allow_nan=False))

    def write(self, suites: Sequence[Suite], code: ExitCode) -> None:
        cases = [case for suite in suites for case in suite.cases]
        found = [d for case in cases for d in case.problems]
        for diagnostic in found:
            if diagnostic not in self._told:
                self.emit(DiagnosticEvent(diagnostic=diagnostic))
        count = {severity: sum(d.severity is severity for d in found) for severity in Severity}
        trace = "".join(case.output for case in cases) or None
        self.emit(End(exit_code=int(code), errors=count[Severity.ERROR], warnings=count[Severity.WARNING],
                      traceback=trace))
