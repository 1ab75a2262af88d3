"""Diagnostics as a Code Quality report of GitLab, which a merge request shows beside its lines.

One array of issues, also when there are none: GitLab compares the reports of two commits by fingerprint, so an issue
keeps its fingerprint when lines move, and no two issues of a report share one. An issue needs a file and a line to be
shown; what has no place in a program is said of the program, or of the file that it names, at line 1.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from . import codes
from .codes import Severity
from .model import Diagnostic
from .sarif import fingerprint, is_file, words

# GitLab's words, from `info` to `blocker`; the last is kept for bugs of the tool itself.
SEVERITIES = {Severity.ERROR: "critical", Severity.WARNING: "minor", Severity.NOTE: "info"}


def to_gitlab(found: Iterable[tuple[str, Diagnostic]], root: Path | None = None) -> list[dict[str, Any]]:
    """The report as plain values, of diagnostics each with the program it is about. `root` is the folder that GitLab
    names files from, that of the repository; else the working directory."""
    seen: Counter[str] = Counter()
    return [_issue(d, program, root or Path.cwd(), seen) for program, d in found]


def _issue(d: Diagnostic, program: str, root: Path, seen: Counter[str]) -> dict[str, Any]:
    mark = fingerprint(d)
    seen[mark] += 1
    file, lines = _place(d, program)
    path = _below(root, file)
    return {
        "type": "issue",
        "check_name": d.code.id,
        "description": words(d),
        "categories": ["Style" if d.code is codes.NOT_FORMATTED else "Bug Risk"],
        "severity": "blocker" if d.code is codes.INTERNAL else SEVERITIES[d.severity],
        "fingerprint": hashlib.sha256(f"{path}\0{mark}\0{seen[mark]}".encode("utf-8", "replace")).hexdigest(),
        "location": {"path": path, "lines": lines},
    }


def _below(root: Path, file: str) -> str:
    """A file as seen from `root`; as it is named where it lies elsewhere."""
    try:
        return Path(os.path.abspath(file)).relative_to(os.path.abspath(root)).as_posix()
    except ValueError:
        return Path(file).as_posix()


def _place(d: Diagnostic, program: str) -> tuple[str, dict[str, int]]:
    if d.primary is not None:
        first, last = d.primary.span.first, d.primary.span.last
        return d.primary.span.source.name, {"begin": first.line, "end": last.line}
    own = d.place if d.place and is_file(d.place) else program
    return own, {"begin": 1, "end": 1}
