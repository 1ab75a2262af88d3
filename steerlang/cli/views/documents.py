"""What views have in common that print one document of diagnostics: whatever happens, exactly one on stdout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from steerlang.cli.arguments import Output
from steerlang.cli.exit_codes import ExitCode, gravest
from steerlang.cli.formatting import not_formatted
from steerlang.cli.streams import Streams
from steerlang.diagnostics import codes
from steerlang.diagnostics.junit import Case, Suite

if TYPE_CHECKING:
    from steerlang.api.lock_writing import LockResult
    from steerlang.api.planning import PlanView
    from steerlang.cli.failures import Ending
    from steerlang.cli.formatting import Formatted
    from steerlang.cli.outcomes import Ran
    from steerlang.engine.events import EventSink
    from steerlang.language.compiling import Compiled


class DocumentView:
    """Turns every result into suites of cases; a format writes those down."""

    live: EventSink | None = None

    def __init__(self, streams: Streams, output: Output) -> None:
        self.streams = streams
        self.output = output

    def write(self, suites: Sequence[Suite], code: ExitCode) -> None:
        raise NotImplementedError

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"a verb without the format `{self.output.format}` used it: {name}")

    def failed(self, ending: Ending) -> None:
        broken = ending.code not in (ExitCode.INVALID, ExitCode.EXPECTATION_FAILED)
        trace = ending.trace if self.output.tracebacks else ""
        self.write([Suite("steerlang", (Case("steerlang", ending.diagnostics, None, broken, trace),))], ending.code)

    def help(self, text: str) -> None:
        self.streams.err.line(text)
        self.write([], ExitCode.USAGE)

    def checked(self, results: Sequence[Compiled]) -> None:
        suites = [Suite(r.source.name, (Case("validate", tuple(r.diagnostics)),)) for r in results]
        self.write(suites, ExitCode.OK if all(r.ok for r in results) else ExitCode.INVALID)

    def planned(self, plan: PlanView, program: Compiled, code: ExitCode) -> None:
        self.write([Suite(program.source.name, (Case("plan", tuple(program.diagnostics)),))], code)

    def ran(self, result: Ran) -> None:
        self.write([_suite("run", result)], result.code)

    def tested(self, results: Sequence[Ran]) -> None:
        self.write([_suite("test", r) for r in results], gravest(r.code for r in results))

    def formatted(self, results: Sequence[Formatted], code: ExitCode) -> None:
        suites = [Suite(r.name, (Case("fmt", (*r.diagnostics, *not_formatted([r], code))),)) for r in results]
        self.write(suites, code)

    def locked(self, results: Sequence[LockResult], code: ExitCode) -> None:
        self.write([Suite(r.program, (Case("lock", r.diagnostics),)) for r in results], code)


def _suite(verb: str, result: Ran) -> Suite:
    """One case for the program as a whole, and one for each of its expectations."""
    broken = result.code not in (ExitCode.OK, ExitCode.INVALID, ExitCode.EXPECTATION_FAILED)
    if result.findings is None:
        return Suite(result.program, (Case(verb, result.diagnostics, None, broken),))
    expected = result.findings.expectations
    starts = {e.label: f"`{e.label}` does not hold" for e in expected}
    found = [d for d in result.diagnostics if d.code is codes.EXPECTATION_FAILED]
    failed = {label: tuple(d for d in found if d.message.startswith(start)) for label, start in starts.items()}
    told = {id(d) for problems in failed.values() for d in problems}
    whole = Case(verb, tuple(d for d in result.diagnostics if id(d) not in told), None, broken)
    open = "it could not be judged"
    cases = [Case(e.label, failed[e.label], open if e.holds is None else None) for e in expected]
    return Suite(result.program, (whole, *cases), result.findings.tally.seconds)
