"""Programs the tests of this folder share."""

from __future__ import annotations

from pathlib import Path

from steerlang.source import Source

FOLDER = Path(__file__).parent / "programs"


def programs() -> list[Source]:
    """The valid programs, in a stable order."""
    return [Source(path.name, path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.steer"))]


def program(name: str) -> Source:
    return Source(name, (FOLDER / name).read_text(encoding="utf-8"))
