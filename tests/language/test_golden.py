"""Every diagnostic of the language, as a user sees it."""

from __future__ import annotations

import pytest

from steerlang.diagnostics import Diagnostic
from steerlang.diagnostics.codes import Severity, all_codes

from .golden_cases import Case, cases, shown, updating

CASES = cases()
# Codes that no program of this vocabulary can meet yet: patterns on parameter names have no function that takes them.
NO_CASE = {"SL421", "SL422", "SL431"}
# Said by other rooms: the parser (edition, reserved words), the command line, real files, Python, extraction while it
# runs, and plans of edits over the headers of checkpoints.
ELSEWHERE = {"SL204", "SL416", "SL432", "SL433", "SL457", "SL463", "SL621", "SL631", "SL713", "SL715", "SL723"}

# What is wrong with files is said by the facts; the fake ones have little to add.
FROM_FACTS = {"SL451", "SL453", "SL501"}


@pytest.mark.parametrize("case", CASES, ids=[c.path.stem for c in CASES])
def test_a_case_says_what_it_should(case: Case) -> None:
    found = shown(case.run())
    if updating():
        case.update(found)
    else:
        assert found == case.sections.get("expected")


def test_every_code_has_a_case() -> None:
    met = set().union(*(c.codes for c in CASES))
    wanted = {id for id in all_codes() if id[2] in "23467"} - NO_CASE - ELSEWHERE
    assert wanted - met == set()


def test_codes_without_a_case_are_not_met_after_all() -> None:
    met = set().union(*(c.codes for c in CASES))
    assert met & NO_CASE == set()


def test_cases_are_named_after_their_first_code() -> None:
    assert [c.path.name for c in CASES if c.path.name[:5] not in c.codes and not c.path.name.startswith("ok_")] == []


def _said() -> list[Diagnostic]:
    return [d for c in CASES for d in c.run().diagnostics]


def test_messages_are_written_in_one_manner() -> None:
    for d in _said():
        first = d.message[0]
        assert first in "`'\"" or not first.isalpha() or first.islower(), d.message
        assert not d.message.endswith((".", "!")), d.message
        assert d.message.count("`") % 2 == 0, d.message
        assert len(d.message) <= 140, d.message


def test_errors_say_how_to_mend_them() -> None:
    silent = {(d.code.id, d.message) for d in _said() if d.severity is not Severity.NOTE and not d.help}
    assert {code for code, _ in silent} <= FROM_FACTS, silent


def test_spans_are_small() -> None:
    for d in _said():
        if d.primary is not None and not d.code.id.startswith("SL1"):
            assert d.primary.span.first.line == d.primary.span.last.line, d.message
            assert d.primary.span.start < d.primary.span.end, d.message
