"""One Code Quality report on stdout, as GitLab reads it."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from steerlang.cli.exit_codes import ExitCode
from steerlang.diagnostics.gitlab import to_gitlab
from steerlang.diagnostics.junit import Suite

from .documents import DocumentView

REPOSITORY = "CI_PROJECT_DIR"


class GitlabView(DocumentView):
    def write(self, suites: Sequence[Suite], code: ExitCode) -> None:
        found = [(suite.name, d) for suite in suites for case in suite.cases for d in case.problems]
        root = Path(os.environ[REPOSITORY]) if os.environ.get(REPOSITORY) else None
        out = self.streams.out
        out.line(json.dumps(to_gitlab(found, root), ensure_ascii=not out.unicode, indent=2))
