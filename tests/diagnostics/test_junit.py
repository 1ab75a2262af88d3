"""JUnit XML: well formed whatever the texts hold, and counted rightly."""

from __future__ import annotations

from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from steerlang.diagnostics.codes import LARGE_SCALE, UNEXPECTED
from steerlang.diagnostics.junit import Case, Suite, render_junit
from steerlang.diagnostics.model import Diagnostic, error

FAILED = error(UNEXPECTED, None, "<bad> & \"worse\"", place="a")
WARNED = Diagnostic(LARGE_SCALE, "large", place="a")


def test_a_document() -> None:
    broken = Case("broken", (FAILED,), None, True)
    cases = (Case("fine"), Case("failed", (FAILED, WARNED)), Case("open", (), "not judged"), broken)
    root = ElementTree.fromstring(render_junit([Suite("a.steer", cases, 1.5), Suite("b.steer", (Case("validate"),))]))
    counts = {"tests": "5", "failures": "1", "errors": "1", "skipped": "1"}
    assert root.attrib == {"name": "steerlang", **counts, "time": "1.500"}
    suite = root.find("testsuite[@name='a.steer']")
    assert suite is not None
    failed = suite.find("testcase[@name='failed']/failure")
    assert failed is not None
    assert failed.attrib == {"type": "SL117", "message": FAILED.message}
    assert (failed.text or "").startswith("error[SL117]: <bad> &")
    assert suite.find("testcase[@name='failed']/system-out") is not None
    assert suite.find("testcase[@name='open']/skipped") is not None
    assert suite.find("testcase[@name='broken']/error") is not None
    assert list(suite.find("testcase[@name='fine']") or ()) == []


@given(st.text())
def test_any_text_is_well_formed(text: str) -> None:
    found = error(UNEXPECTED, None, text, place=text)
    case = Case(text, (found,), None, False, text)
    root = ElementTree.fromstring(render_junit([Suite(text, (case,))]).encode("utf-8"))
    assert root.find("testsuite/testcase/failure") is not None
