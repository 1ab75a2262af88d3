"""Completion within quotes: paths of files and models, and columns of data files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from steerlang.data import read_table
from steerlang.graph.facts import resolve_path
from steerlang.syntax.literals import plain

from .analysis import Analysis
from .completing_values import Offer, Offered
from .cursor import Cursor, Frame
from .desk import Desk
from .expected import slot_at, takes_text

#: Names of one folder that are offered at most.
MOST = 500
#: Bytes of a data file beyond which its columns are not looked up while one types.
LARGEST = 64 << 20
# What a function reads, by the ends of file names; a function that is not here reads any file.
ENDINGS = {
    "jsonl": (".jsonl",), "json": (".json",), "csv": (".csv",), "tsv": (".tsv",), "parquet": (".parquet",),
    "lines": (".txt",),
}  # fmt: skip
_FORMATS = {".jsonl": "jsonl", ".json": "json", ".csv": "csv", ".tsv": "tsv", ".parquet": "parquet"}


def in_text(desk: Desk, analysis: Analysis, cursor: Cursor) -> Iterator[Offer]:
    reading = takes_text(slot_at(cursor, analysis.compiled.program.registry).type)
    if reading is None or cursor.text is None:
        return
    if reading.holds == "column":
        yield from _columns(analysis, cursor)
    elif reading.holds in ("file", "model", "output"):
        yield from _paths(analysis, cursor, reading.holds)


def _typed(analysis: Analysis, cursor: Cursor) -> str:
    """What stands between the opening quote and the cursor."""
    assert cursor.text is not None
    written = analysis.source.text[cursor.text.start : cursor.offset]
    return written.partition('"')[2]


def _paths(analysis: Analysis, cursor: Cursor, holds: str) -> Iterator[Offer]:
    folder, _, last = _typed(analysis, cursor).rpartition("/")
    base = analysis.module.folder
    place = resolve_path(folder or ".", base)
    if not isinstance(place, Path):
        return
    start = cursor.offset - len(last)
    callee = cursor.inner.callee if cursor.inner is not None else ""
    endings = (".steer", ".steer.yaml", ".steer.json") if cursor.kind == "import" else ENDINGS.get(callee, ())
    for name, is_folder in _names(place):
        path = place / name
        if is_folder:
            is_model = holds == "model" and (path / "config.json").is_file()
            detail = "a model" if is_model else "a folder"
            end = "" if is_model else "/"
            yield Offer(Offered.FOLDER, name, detail, insert=f"{name}{end}", start=start)
        elif holds != "model" and (not endings or name.endswith(endings)) and path != _own(analysis):
            yield Offer(Offered.FILE, name, "a file", start=start)


def _own(analysis: Analysis) -> Path | None:
    return Path(analysis.source.path) if analysis.source.path is not None else None


def _names(folder: Path) -> list[tuple[str, bool]]:
    """Names in a folder with whether each is one; folders first, hidden ones left out."""
    found: list[tuple[str, bool]] = []
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.startswith(".") and len(found) < MOST:
                found.append((entry.name, entry.is_dir()))
    return sorted(found, key=lambda f: (not f[1], f[0]))


def _columns(analysis: Analysis, cursor: Cursor) -> Iterator[Offer]:
    """The columns of the file that the innermost call around the cursor reads."""
    typed = _typed(analysis, cursor)
    for frame in reversed(cursor.frames):
        path = _first_text(analysis, frame) if frame.callee else None
        if path is not None and cursor.text is not None and path[1] != cursor.text.start:
            for name in columns_of(path[0], frame.callee, analysis.module.folder):
                yield Offer(Offered.COLUMN, name, f"a column of `{path[0]}`", start=cursor.offset - len(typed))
            return


def _first_text(analysis: Analysis, frame: Frame) -> tuple[str, int] | None:
    """The text right behind an opening bracket: the path of the file that a function reads; and where it starts."""
    tokens = analysis.significant
    at = next((i for i, t in enumerate(tokens) if t.start == frame.opener.start), None)
    first = tokens[at + 1] if at is not None and at + 1 < len(tokens) else None
    return (plain(first.text), first.start) if first is not None and first.type == "STRING" else None


def columns_of(path: str, function: str, folder: str) -> tuple[str, ...]:
    """The columns of a data file; none where it cannot be read."""
    place = resolve_path(path, folder)
    if not isinstance(place, Path):
        return ()
    format = function if function in ENDINGS else _FORMATS.get(place.suffix.lower(), "")
    with suppress(OSError, ValueError):
        if place.is_file() and format not in ("", "lines") and place.stat().st_size <= LARGEST:
            return tuple(read_table(place, format, {}, keep=1).columns)
    return ()
