"""Nearest names."""

from __future__ import annotations

import pytest

from steerlang.diagnostics.suggest import did_you_mean, distance, nearest


@pytest.mark.parametrize(("left", "right", "edits"), [
    ("", "", 0), ("a", "", 1), ("abc", "abc", 0), ("abc", "acb", 1), ("abc", "abd", 1), ("abc", "xabc", 1),
    ("kitten", "sitting", 3), ("ca", "abc", 3),
])
def test_distance(left: str, right: str, edits: int) -> None:
    assert distance(left, right) == distance(right, left) == edits


def test_nearest() -> None:
    names = ["extract", "extra", "extracts", "capture", "apply", "extractor"]
    assert nearest("extrct", names) == ["extract", "extra", "extracts"]
    assert nearest("extrct", reversed(names), limit=1) == ["extract"]
    assert nearest("zzz", names) == []
    assert nearest("Apply", names) == ["apply"]
    assert nearest("APPLY", names) == ["apply"]
    assert nearest("ab", ["b", "abc", "ba", "xy"]) == ["abc", "b", "ba"]
    assert nearest("apply", ["apply"]) == []


def test_did_you_mean() -> None:
    assert did_you_mean("exract", ["extract", "capture"]) == ("did you mean `extract`?",)
    assert did_you_mean("x", ["capture"]) == ()
