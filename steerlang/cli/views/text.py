"""Text for people: results on stdout; progress, and diagnostics that only accompany results, on stderr."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from steerlang.cli.arguments import Output
from steerlang.cli.exit_codes import ExitCode
from steerlang.cli.streams import Stream, Streams
from steerlang.diagnostics import Diagnostic, codes
from steerlang.diagnostics.text import render, render_one, summary
from steerlang.reports.layout import Screen

if TYPE_CHECKING:
    from steerlang.api.inspecting import Looked
    from steerlang.api.lock_writing import LockResult
    from steerlang.api.planning import PlanView
    from steerlang.cli.examination import Examination
    from steerlang.cli.failures import Ending
    from steerlang.cli.formatting import Formatted
    from steerlang.cli.outcomes import Ran
    from steerlang.cli.showing import Shown
    from steerlang.diagnostics.pages import Page
    from steerlang.engine.upkeep import Cleared, Problem, Stored
    from steerlang.language.compiling import Compiled
    from steerlang.weights.comparing import CheckpointDifference
    from steerlang.weights.verifying import Finding


class TextView:
    live = None

    def __init__(self, streams: Streams, output: Output) -> None:
        self.streams = streams
        self.output = output

    # ---- diagnostics ------------------------------------------------------------------------------------------------

    def failed(self, ending: Ending) -> None:
        self._blocks(self.streams.err, ending.diagnostics)
        if ending.trace and self.output.tracebacks:
            self.streams.err.write(ending.trace)

    def help(self, text: str) -> None:
        self.streams.err.line(text)

    def checked(self, results: Sequence[Compiled]) -> None:
        """Diagnostics are the result here, so they go to stdout."""
        shown = [d for r in results for d in self._shown(r.diagnostics)]
        out = self.streams.out
        if shown:
            out.write(render(shown, color=out.color, width=max(60, out.width)))
        elif not self.output.quiet:
            for result in results:
                out.line(f"{result.source.name}: no problems found, {count(len(result.module.symbols), 'definition')}")

    def _shown(self, diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
        return [d for d in diagnostics if d.is_error or not self.output.quiet]

    def _blocks(self, stream: Stream, diagnostics: Iterable[Diagnostic]) -> None:
        for diagnostic in self._shown(diagnostics):
            stream.write(render_one(diagnostic, color=stream.color, width=max(60, stream.width)) + "\n")

    # ---- running ----------------------------------------------------------------------------------------------------

    def planned(self, plan: PlanView, program: Compiled, code: ExitCode) -> None:
        from .plan_text import render_plan

        self._blocks(self.streams.err, program.diagnostics)
        self.streams.out.write(render_plan(plan, program, self._screen(), self.output.verbose))

    def ran(self, result: Ran) -> None:
        from steerlang.reports.terminal import render as render_findings

        if result.findings is not None:
            self.streams.out.write(render_findings(result.findings, self._screen()))
        self._accompany(result)

    def tested(self, results: Sequence[Ran]) -> None:
        from steerlang.reports.terminal import expectations

        out, screen = self.streams.out, self._screen()
        held = total = 0
        for result in results:
            found = result.findings.expectations if result.findings is not None else ()
            held, total = held + sum(e.holds is True for e in found), total + len(found)
            good = result.code is ExitCode.OK
            mark = screen.paint(screen.sign("yes" if good else "no"), "green" if good else "red")
            if not (self.output.quiet and good):
                words = "" if found or result.findings is None else "  no expectations"
                out.line(f"{mark} {screen.paint(result.program, 'bold')}{words}")
            failed = [e for e in found if not e.holds]
            for lines in expectations(failed if self.output.quiet else found, screen):
                out.write("\n".join(lines[1:]) + "\n")
            self._accompany(result)
        out.line(f"{held} of {total} expectations hold, {count(len(results), 'program')}")

    def _accompany(self, result: Ran) -> None:
        """What there is to say beside the results. Expectations that failed stand among them, and are told once."""
        told = codes.EXPECTATION_FAILED if result.findings is not None else None
        self._blocks(self.streams.err, [d for d in result.diagnostics if d.code is not told])
        if self.output.tracebacks:
            for trace in result.tracebacks:
                self.streams.err.write(trace)

    def _screen(self) -> Screen:
        out = self.streams.out
        return Screen(out.width, out.color, out.unicode)

    def inspected(self, found: Looked, plot: Path | None) -> None:
        from steerlang.reports.inspection_text import render_inspection

        self.streams.out.write(render_inspection(found.inspection, self._screen()))
        self._blocks(self.streams.err, found.diagnostics)
        if plot is not None and not self.output.quiet:
            self.streams.err.line(f"plots written to {plot}")

    # ---- formatting -------------------------------------------------------------------------------------------------

    def formatted(self, results: Sequence[Formatted], code: ExitCode) -> None:
        for result in results:
            self._blocks(self.streams.err, result.diagnostics)
            if result.diff is not None:
                self.streams.out.write(result.diff)
            elif result.text and result.after is not None:
                self.streams.out.write(result.after)
            elif result.changed and not self.output.quiet:
                verb = "rewritten" if result.written else "would be rewritten"
                self.streams.err.line(f"{result.name} {verb}")
        if self.output.quiet or any(r.text for r in results):
            return
        changed = sum(r.changed for r in results)
        self.streams.err.line(f"{count(changed, 'file')} changed, {len(results) - changed} left as they are")

    # ---- locks and codes --------------------------------------------------------------------------------------------

    def locked(self, results: Sequence[LockResult], code: ExitCode) -> None:
        for result in results:
            self._blocks(self.streams.out, result.diagnostics)
            if not result.ok or self.output.quiet:
                continue
            state = "written" if result.written else "is current"
            self.streams.out.line(f"{result.file} {state}: {count(len(result.records), 'input')}")
            if result.written:
                for difference in result.differences:
                    self.streams.out.line(f"  {difference.message}")

    def explained(self, page: Page) -> None:
        self.streams.out.write(page.text)

    # ---- weights ----------------------------------------------------------------------------------------------------

    def verified(self, folder: str, findings: Sequence[Finding], code: ExitCode) -> None:
        from .weights_text import verification

        if findings or not self.output.quiet:
            self.streams.out.write(verification(folder, findings, self._screen()))

    def differed(self, names: tuple[str, str], found: CheckpointDifference, code: ExitCode) -> None:
        from .weights_text import difference

        if not (found.equal and self.output.quiet):
            self.streams.out.write(difference(names, found, self._screen()))

    # ---- cache and doctor -------------------------------------------------------------------------------------------

    def cache_listed(self, root: Path, results: Sequence[Stored]) -> None:
        from .cache_text import listing

        self.streams.out.write(listing(root, results, self._screen()))

    def cache_verified(self, root: Path, count: int, problems: Sequence[Problem]) -> None:
        from .cache_text import verification

        self.streams.out.write(verification(count, problems, self._screen()))

    def cache_cleared(self, root: Path, cleared: Cleared) -> None:
        from .cache_text import clearing

        self.streams.out.write(clearing(cleared))

    def cache_located(self, root: Path) -> None:
        self.streams.out.line(str(root))

    def examined(self, found: Examination) -> None:
        from .doctor_text import render_examination

        self.streams.out.write(render_examination(found, self._screen()))
        self._blocks(self.streams.out, found.diagnostics)
        self.streams.out.line(summary(found.diagnostics))

    def shown(self, result: Shown) -> None:
        self._blocks(self.streams.err, result.diagnostics)
        self.streams.out.write(result.render(self._screen(), self.output.quiet))


def count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
