"""Comparing with committed texts; `STEERLANG_UPDATE=1` rewrites them, except in CI."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parents[1] / "golden" / "syntax"


def cases(folder: str) -> list[Path]:
    return sorted((GOLDEN / folder).glob("*.steer"))


def compare(found: str, expected: Path) -> None:
    """Fail unless `found` is what the file holds."""
    if os.environ.get("STEERLANG_UPDATE") == "1":
        if os.environ.get("CI") == "true":
            pytest.fail("STEERLANG_UPDATE is set in CI, where expected texts must not change")
        with expected.open("w", encoding="utf-8", newline="") as file:
            file.write(found)
        return
    assert expected.exists(), f"{expected} is missing; write it with STEERLANG_UPDATE=1"
    with expected.open(encoding="utf-8", newline="") as file:
        assert found == file.read(), f"{expected.name} differs; if that is meant, run with STEERLANG_UPDATE=1"
