"""Boards of concepts, put together from what metrics tell of dictionaries: words, samples, matchings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from steerlang.graph.node import Node

from .board import Board, ShownConcept, ShownSample
from .defined import Defined
from .findings import Labels, point_text
from .thumbnails import thumbnail

MOST_SAMPLES = 8
# Operations that leave the concepts of a dictionary what they are.
_SAME_CONCEPTS = frozenset({"concepts.project"})
_AXIS = "concepts"


@dataclass(frozen=True)
class _Known:
    """What is known of dictionaries, by the key of their node: words and samples of each concept, and matchings from
    one to another with a note for each concept of the first."""

    words: dict[str, list[tuple[str, ...]]] = field(default_factory=dict)
    samples: dict[str, dict[int, list[ShownSample]]] = field(default_factory=dict)
    matches: dict[tuple[str, str], tuple[list[int], list[str]]] = field(default_factory=dict)


def boards_of(metrics: Sequence[Defined]) -> tuple[Board, ...]:
    """The boards of a run: one for each set of dictionaries whose words or samples were asked for together."""
    known = _Known()
    asked: dict[tuple[str, ...], tuple[str, tuple[str, ...]]] = {}
    for metric in metrics:
        for labels, node in metric.nodes.items():
            learn = _LEARNING.get(node.operation)
            if learn is not None and labels in metric.cells:
                learn(node, metric.cells[labels], known)
        for name, keys, columns in _asked(metric):
            asked.setdefault(keys, (name, columns))
    found = [(keys, *said) for keys, said in asked.items() if not any(set(keys) < set(other) for other in asked)]
    return tuple(_board(name, keys, columns, known) for keys, name, columns in found)


def _asked(metric: Defined) -> Iterator[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """The sets of dictionaries a metric is of: its name, their keys, what they are called. A list of dictionaries is
    one set at each point of the other axes."""
    groups: dict[Labels, list[tuple[str, str]]] = {}
    at = metric.axes.index(_AXIS) if _AXIS in metric.axes else None
    for labels, node in metric.nodes.items():
        if node.operation not in _GROUNDING or not _is_dictionary(node.inputs[0]):
            continue
        rest = labels if at is None else (*labels[:at], *labels[at + 1 :])
        own = metric.name if at is None else str(labels[at])
        groups.setdefault(rest, []).append((_key(node.inputs[0]), own))
    axes = tuple(a for i, a in enumerate(metric.axes) if i != at)
    for rest, members in groups.items():
        place = f"[{point_text(axes, rest)}]" if axes else ""
        yield f"{metric.name}{place}", tuple(k for k, _ in members), tuple(name for _, name in members)


def _is_dictionary(node: Node) -> bool:
    return node.result == "concepts"


def _key(dictionary: Node) -> str:
    while dictionary.operation in _SAME_CONCEPTS:
        dictionary = dictionary.inputs[0]
    return dictionary.key


def _board(name: str, keys: Sequence[str], columns: tuple[str, ...], known: _Known) -> Board:
    dictionaries = [_concepts(key, known) for key in keys]
    count = max(map(len, dictionaries), default=0)
    by_number = [[*(c for c in found), *[None] * (count - len(found))] for found in dictionaries]
    board = Board(name, columns, tuple(zip(*by_number, strict=True)))
    for i, key in enumerate(keys):
        match = next((known.matches[other, key] for other in keys if (other, key) in known.matches), None)
        if match is not None:
            board = _beside(board, i, *match)
    return board


def _beside(board: Board, column: int, match: Sequence[int], notes: Sequence[str]) -> Board:
    """The board with the concepts of one column beside those they are matched with."""
    own = {row[column].number: row[column] for row in board.rows if row[column] is not None}  # type: ignore[union-attr]
    rows = tuple(
        (*row[:column], own.get(match[i]) if i < len(match) else None, *row[column + 1 :])
        for i, row in enumerate(board.rows)
    )
    return replace(board, rows=rows, notes=tuple(notes) or board.notes, matched=True)


def _concepts(key: str, known: _Known) -> list[ShownConcept]:
    words, samples = known.words.get(key, []), known.samples.get(key, {})
    count = max(len(words), max(samples, default=-1) + 1)
    return [
        ShownConcept(i, words[i] if i < len(words) else (), tuple(samples.get(i, ()))) for i in range(count)
    ]


# ---- what metrics tell ---------------------------------------------------------------------------------------------


def _words(node: Node, metric: Any, known: _Known) -> None:
    if _is_dictionary(node.inputs[0]) and "concept" in metric.table.columns:
        known.words.setdefault(_key(node.inputs[0]), [tuple(words) for words in metric.table.column("words")])


def _samples(node: Node, metric: Any, known: _Known) -> None:
    key, folder = _key(node.inputs[0]), _folder(node.inputs[1])
    if key in known.samples:
        return
    found: dict[int, list[ShownSample]] = {}
    for row in metric.table.records():
        own = found.setdefault(int(row["concept"]), [])
        if len(own) < MOST_SAMPLES:
            image = row.get("image")
            picture = thumbnail(folder / str(image)) if image is not None and folder is not None else ""
            own.append(ShownSample(str(row["text"]), float(row["activation"]), picture))
    known.samples[key] = found


def _folder(data: Node) -> Path | None:
    """Where images that some rows name start from."""
    while data.operation != "data.rows" and data.inputs:
        data = data.inputs[0]
    path = data.locators.get("path")
    return None if path is None else Path(path).parent


def _recovery(node: Node, metric: Any, known: _Known) -> None:
    """Which concepts of the dictionary before are matched with which of the one to be recovered."""
    _, before, to = (_key(n) for n in node.inputs[:3])
    measure, records = str(node.options["measure"]), metric.table.records()
    notes = [f"{measure} {_said(r[measure])} shifted, {_said(r[f'{measure}_unshifted'])} unshifted" for r in records]
    known.matches.setdefault((before, to), ([int(r["matched"]) for r in records], notes))


def _said(value: float | None) -> str:
    return "none" if value is None else f"{value:.2f}"


_LEARNING: Mapping[str, Callable[[Node, Any, _Known], None]] = {
    "metric.ground_words": _words,
    "metric.ground_samples": _samples,
    "metric.recovery": _recovery,
}
_GROUNDING = frozenset({"metric.ground_words", "metric.ground_samples"})
