"""What a program writes, held against what it reads and against itself: no output may replace either."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from steerlang.diagnostics import Diagnostic, Label, codes, error
from steerlang.graph.node import Node, walk
from steerlang.source import Source, Span

from .lowering import Cell
from .values import POISON, AdapterValue, CheckpointValue, ExportValue, ReportValue, node_of

_FOLDERS = (CheckpointValue, AdapterValue)
_FILES = (ExportValue, ReportValue)
# What reads a folder as a whole: nothing else is put there.
_MODELS = ("model.load", "adapter.load")


@dataclass(frozen=True)
class _Output:
    label: str
    place: Path
    span: Span
    folder: bool


def unsafe_outputs(tables: Mapping[str, Sequence[tuple[str, Cell]]], sources: Sequence[Source]) -> list[Diagnostic]:
    """Outputs that would replace something the program reads, itself, or another output."""
    cells = [cell for table in tables.values() for cell in table]
    outputs = [
        _Output(label, _real(cell.value.path), cell.value.span, isinstance(cell.value, _FOLDERS))
        for label, cell in cells
        if isinstance(cell.value, _FOLDERS + _FILES)
    ]
    if not outputs:
        return []
    found = list(_written_twice(outputs))
    roots = [n for _, c in cells if c.value is not POISON and (n := node_of(c.value)) is not None]
    read = _read(roots, sources)
    found += [_replaced(output, why) for output in outputs if (why := _why(output, read)) is not None]
    return found


@dataclass(frozen=True)
class _Input:
    """What is read, as the program calls it; `model`: a folder that is one thing."""

    name: str
    place: Path
    model: bool


def _read(roots: list[Node], sources: Sequence[Source]) -> list[_Input]:
    read = [_Input(source.name, _real(source.path), False) for source in sources if source.path is not None]
    for node in walk(roots):
        path = node.locators.get("path")
        if path is not None:
            name = node.locators.get("name", os.path.basename(path))
            read.append(_Input(name, _real(path), node.operation in _MODELS))
    return list(dict.fromkeys(read))


def _why(output: _Output, read: Sequence[_Input]) -> str | None:
    """What is wrong with the place of an output; None where nothing is."""
    for one in read:
        if output.place == one.place:
            return f"`{output.label}` would replace `{one.name}`, which the program reads"
        if output.folder and output.place in one.place.parents:
            return f"`{output.label}` would replace a folder with `{one.name}` in it, which the program reads"
        if one.model and one.place in output.place.parents:
            return f"`{output.label}` would lie inside `{one.name}`, which the program reads"
    return None


def _replaced(output: _Output, why: str) -> Diagnostic:
    return error(codes.OUTPUT_EXISTS, output.span, why, help=f"name another {_what(output)}")


def _what(output: _Output) -> str:
    return "folder" if output.folder else "file"


def _written_twice(outputs: Sequence[_Output]) -> Iterator[Diagnostic]:
    """Places that would be written twice: the second would replace the first."""
    first: dict[Path, _Output] = {}
    for output in outputs:
        other = first.setdefault(output.place, output)
        if other is not output:
            yield _clash(output, other, f"would be written to one {_what(output)}")
    folders = {o.place: o for o in first.values() if o.folder}
    for output in first.values():
        around = next((folders[p] for p in output.place.parents if p in folders), None)
        if around is not None:
            yield _clash(output, around, "would be written into each other")


def _clash(output: _Output, other: _Output, how: str) -> Diagnostic:
    swept, what = other.span == output.span, _what(output)
    return error(
        codes.OUTPUT_EXISTS,
        output.span,
        f"`{other.label}` and `{output.label}` {how}",
        help=f"select a point of the sweep for each {what}" if swept else f"give each a {what} of its own",
        secondary=() if swept else (Label(other.span, f"`{other.label}` is written here"),),
    )


def _real(path: str) -> Path:
    return Path(os.path.realpath(path))
