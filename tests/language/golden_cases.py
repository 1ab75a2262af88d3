"""Golden cases: a program in one file with what it says.

A case is a text of sections. `>>> NAME` begins a file (`main.steer` first, then what it imports), `>>> set` one
`name=value` a line, `>>> expected` the diagnostics as the text renderer shows them.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from steerlang.diagnostics.text import render
from steerlang.language.compiling import Compiled

from .language_programs import compiled

FOLDER = Path(__file__).parents[1] / "golden" / "language"
_SECTION = re.compile(r"^>>> (.+)\n", re.MULTILINE)


@dataclass(frozen=True)
class Case:
    path: Path
    sections: dict[str, str]

    @property
    def codes(self) -> set[str]:
        """The codes the case expects."""
        return set(re.findall(r"^(?:error|warning|note)\[(SL\d+)\]", self.sections.get("expected", ""), re.MULTILINE))

    def run(self) -> Compiled:
        files = {n: t for n, t in self.sections.items() if n not in ("main.steer", "set", "expected")}
        overrides = dict(line.split("=", 1) for line in self.sections.get("set", "").splitlines() if line)
        return compiled(self.sections["main.steer"], files, overrides)

    def update(self, found: str) -> None:
        text = self.path.read_text(encoding="utf-8").partition(">>> expected\n")[0]
        self.path.write_text(f"{text}>>> expected\n{found}", encoding="utf-8")


def cases() -> list[Case]:
    return [_read(p) for p in sorted(FOLDER.glob("*.txt"))]


def _read(path: Path) -> Case:
    _, *parts = _SECTION.split(path.read_text(encoding="utf-8"))
    return Case(path, dict(zip(parts[::2], parts[1::2], strict=True)))


def updating() -> bool:
    """Whether expectations are to be written anew; never where changes go unseen."""
    wanted = os.environ.get("STEERLANG_UPDATE") == "1"
    if wanted and os.environ.get("CI"):
        raise RuntimeError("STEERLANG_UPDATE must not be set in CI")
    return wanted


def shown(result: Compiled) -> str:
    return render(result.diagnostics)
