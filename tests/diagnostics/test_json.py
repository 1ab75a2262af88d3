"""The JSON envelope."""

from __future__ import annotations

import json

import steerlang
from steerlang.diagnostics.codes import FILE_NOT_FOUND, LARGE_SCALE
from steerlang.diagnostics.json import envelope, to_json
from steerlang.diagnostics.model import Applicability, Diagnostic, Label, error
from steerlang.source import Source, Span
from steerlang.syntax import parse

SOURCE = Source("a.steer", "steerlang 1\nlet a = f(x y)\n")


def test_envelope() -> None:
    _, found = parse(SOURCE)
    assert json.loads(to_json(found)) == {
        "format": "steerlang.diagnostics",
        "format_version": "1.0",
        "tool": {"name": "steerlang", "version": steerlang.__version__},
        "valid": False,
        "error_count": 1,
        "warning_count": 0,
        "diagnostics": [{
            "code": "SL101",
            "slug": "missing-comma",
            "severity": "error",
            "message": "a comma is missing between `x` and `y`",
            "file": "a.steer",
            "range": {
                "start": {"line": 2, "column": 12, "offset": 23}, "end": {"line": 2, "column": 12, "offset": 23},
            },
            "labels": [{
                "primary": True, "message": "`,` is missing here", "file": "a.steer",
                "range": {
                    "start": {"line": 2, "column": 12, "offset": 23}, "end": {"line": 2, "column": 12, "offset": 23},
                },
            }],
            "notes": [],
            "help": ["separate entries with `,`"],
            "fixes": [{
                "title": "insert `,`",
                "applicability": "unsafe",
                "edits": [{
                    "file": "a.steer", "text": ",",
                    "range": {
                        "start": {"line": 2, "column": 12, "offset": 23},
                        "end": {"line": 2, "column": 12, "offset": 23},
                    },
                }],
            }],
        }],
    }


def test_without_a_place() -> None:
    found = envelope([error(FILE_NOT_FOUND, None, "gone", place="b.steer")])["diagnostics"][0]
    assert found["file"] == "b.steer"
    assert found["range"] is None
    assert found["labels"] == []


def test_warnings_leave_a_program_valid() -> None:
    document = envelope([Diagnostic(LARGE_SCALE, "much", Label(Span(SOURCE, 0, 1)))])
    assert document["valid"] is True
    assert document["warning_count"] == 1


def test_safe_fixes_say_so() -> None:
    _, found = parse(Source("a", "let a = 1"))
    assert [fix.applicability for d in found for fix in d.fixes] == [Applicability.SAFE]
