"""One SARIF document on stdout."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from steerlang.cli.exit_codes import ExitCode
from steerlang.diagnostics.junit import Suite
from steerlang.diagnostics.sarif import to_sarif

from .documents import DocumentView


class SarifView(DocumentView):
    def write(self, suites: Sequence[Suite], code: ExitCode) -> None:
        found = [d for suite in suites for case in suite.cases for d in case.problems]
        out = self.streams.out
        out.line(json.dumps(to_sarif(found, int(code), Path.cwd()), ensure_ascii=not out.unicode, indent=2))
