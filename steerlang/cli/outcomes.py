"""How running one program ended, for views and for the exit code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from steerlang.diagnostics import Diagnostic, codes

from .exit_codes import ExitCode

if TYPE_CHECKING:
    from steerlang.api.results import Run
    from steerlang.reports.findings import Findings


@dataclass(frozen=True)
class Ran:
    """A program that was run: what it found, what there is to say, tracebacks for `-vv`. `findings` is None when it has
    mistakes and could not be run."""

    program: str
    code: ExitCode
    diagnostics: tuple[Diagnostic, ...] = ()
    findings: Findings | None = None
    tracebacks: tuple[str, ...] = ()


def ran(run: Run, program: str) -> Ran:
    """What a run that has ended means."""
    from steerlang.reports.gathering import gather

    failures = run.results.failures
    return Ran(program, exit_code(run), tuple(run.diagnostics), gather(run), tuple(f.traceback for f in failures))


def exit_code(run: Run) -> ExitCode:
    if run.outcome == "interrupted":
        return ExitCode.INTERRUPTED
    if _has_bug(run.diagnostics):
        return ExitCode.INTERNAL
    if run.outcome != "done":
        return ExitCode.RUN_FAILED
    return ExitCode.OK if all(e.holds for e in run.expectations) else ExitCode.EXPECTATION_FAILED


def _has_bug(diagnostics: Sequence[Diagnostic]) -> bool:
    return any(d.code is codes.INTERNAL for d in diagnostics)
