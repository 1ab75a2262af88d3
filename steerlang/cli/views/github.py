"""Text for the log of a GitHub Actions step, its diagnostics as annotations and as a table in the step's summary."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from steerlang.cli.arguments import Output
from steerlang.cli.exit_codes import ExitCode
from steerlang.cli.formatting import not_formatted
from steerlang.cli.streams import Stream, Streams
from steerlang.diagnostics import Diagnostic
from steerlang.diagnostics.github import render_github, step_summary

from .text import TextView

if TYPE_CHECKING:
    from steerlang.api.lock_writing import LockResult
    from steerlang.api.planning import PlanView
    from steerlang.cli.failures import Ending
    from steerlang.cli.formatting import Formatted
    from steerlang.cli.outcomes import Ran
    from steerlang.language.compiling import Compiled

SUMMARY_FILE = "GITHUB_STEP_SUMMARY"
REPOSITORY = "GITHUB_WORKSPACE"


class GithubView(TextView):
    """Diagnostics are gathered and told at the end, because GitHub counts them by step."""

    def __init__(self, streams: Streams, output: Output) -> None:
        super().__init__(streams, output)
        self._found: list[Diagnostic] = []

    def failed(self, ending: Ending) -> None:
        super().failed(ending)
        self._tell("steerlang")

    def checked(self, results: Sequence[Compiled]) -> None:
        self._found += [d for r in results for d in r.diagnostics]
        self._tell("steerlang validate")

    def planned(self, plan: PlanView, program: Compiled, code: ExitCode) -> None:
        with self._no_commands():
            super().planned(plan, program, code)
        self._tell("steerlang plan")

    def ran(self, result: Ran) -> None:
        with self._no_commands():
            super().ran(result)
        self._tell("steerlang run")

    def tested(self, results: Sequence[Ran]) -> None:
        with self._no_commands():
            super().tested(results)
        self._tell("steerlang test")

    def formatted(self, results: Sequence[Formatted], code: ExitCode) -> None:
        super().formatted(results, code)
        self._found += not_formatted(results, code)
        self._tell("steerlang fmt")

    def locked(self, results: Sequence[LockResult], code: ExitCode) -> None:
        super().locked(results, code)
        self._tell("steerlang lock")

    def _blocks(self, stream: Stream, diagnostics: Iterable[Diagnostic]) -> None:
        self._found += diagnostics

    def _accompany(self, result: Ran) -> None:
        self._found += result.diagnostics  # failed expectations too: annotations stand beside their lines
        if self.output.tracebacks:
            for trace in result.tracebacks:
                self.streams.err.write(trace)

    @contextmanager
    def _no_commands(self) -> Iterator[None]:
        """Texts of models and programs stand in what is printed: none of them is to be read as a command."""
        token = secrets.token_hex(16)
        self.streams.out.line(f"::stop-commands::{token}")
        yield
        self.streams.out.line(f"::{token}::")

    def _tell(self, title: str) -> None:
        shown = self._shown(self._found)
        self.streams.out.write(render_github(shown, _folder()))
        summary = os.environ.get(SUMMARY_FILE)
        if summary:
            with open(summary, "a", encoding="utf-8") as file:
                file.write(step_summary(shown, title))


def _folder() -> str:
    """The working directory as seen from the repository; empty where it is not below it."""
    repository = os.environ.get(REPOSITORY)
    if not repository:
        return ""
    try:
        found = os.path.relpath(os.getcwd(), repository).replace(os.sep, "/")
    except ValueError:  # another drive
        return ""
    return "" if found.startswith("..") else found
