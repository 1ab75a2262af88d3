"""Recovery under thousands of small mistakes: no exception, few diagnostics, the first one near the mistake."""

from __future__ import annotations

from steerlang.syntax import parse

from .corpus import programs
from .mutants import mutants

COUNT = 2500


def test_mutants_are_reported_near_and_briefly() -> None:
    detected = near = exact = 0
    for mutant in mutants(programs(), COUNT, seed=1):
        _, diagnostics = parse(mutant.source)
        assert len(diagnostics) <= 3, (mutant.what, mutant.line, [d.message for d in diagnostics])
        if not diagnostics:
            continue
        detected += 1
        assert diagnostics[0].primary is not None
        line = diagnostics[0].primary.span.first.line
        near += abs(line - mutant.line) <= 1
        exact += line == mutant.line
    assert detected > COUNT / 2
    assert near / detected >= 0.97
    assert exact / detected >= 0.90
