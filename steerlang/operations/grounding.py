"""Words and samples of concepts, as metrics with a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from steerlang.engine.operation import Context, Operation, Task
from steerlang.engine.payload import Payload
from steerlang.graph.node import Node
from steerlang.kernels.shifts import dictionary_overlap
from steerlang.models.grounding import Named, WordFilter, named

from .base import Single, inputs
from .dictionary import KIND, SHIFT, ConceptDictionary
from .metric import Metric, Table
from .model_errors import as_diagnostics
from .resources import Resources
from .text import text_of

# Fields of a row that say which sample it is; whatever of them is there is shown.
_OF_SAMPLE = ("id", "image", "label")
_LONGEST = 200


class GroundWords:
    """Dictionaries, vectors and shifts that are named on one model go through its unembedding together."""

    def run(self, tasks: Sequence[Task], context: Context) -> Iterator[tuple[Node, Payload]]:
        resources: Any = context.resources
        for norm in (False, True):
            chosen = [t for t in tasks if bool(t.node.options["final_norm"]) is norm]
            if chosen:
                with as_diagnostics():
                    yield from _words(chosen, norm, resources)


def _words(tasks: Sequence[Task], norm: bool, resources: Resources) -> Iterator[tuple[Node, Payload]]:
    loaded = resources.model(tasks[0].node.inputs[_count(tasks[0].node)], tasks[0].value)
    given = [_given(task) for task in tasks]
    tops: list[Any] = [task.node.options["top"] for task in tasks]
    filters = [_filter(task) for task in tasks]
    found = named(loaded, [rows for _, _, rows in given], norm, tops, filters)
    for task, (heads, labels, _), words in zip(tasks, given, found, strict=True):
        yield task.node, _named(heads, labels, words).payload()


def _count(node: Node) -> int:
    """How many of a node's inputs are read; the model comes after them, and lists of words after it."""
    names: Any = node.options.get("vectors")
    return len(names) if names else 1


def _given(task: Task) -> tuple[tuple[str, ...], list[tuple[Any, ...]], Tensor]:
    """What rows are called by, what each is called, and the rows `[N, D]`."""
    parts = [_directions(task.value(n)) for n in task.node.inputs[: _count(task.node)]]
    names: Any = task.node.options.get("vectors")
    if not names:
        head, labels, rows = parts[0]
        return (head,), [(label,) for label in labels], rows
    labelled = [(name, label) for name, (_, labels, _) in zip(names, parts, strict=True) for label in labels]
    return ("vector", "layer"), labelled, torch.cat([rows for _, _, rows in parts])


def _directions(payload: Payload) -> tuple[str, list[int], Tensor]:
    """What rows are called and numbered by, and the rows: concepts of a dictionary, or layers of a vector."""
    name = {KIND: "components", SHIFT: "delta"}.get(payload.kind, "directions")
    rows = torch.tensor(np.asarray(payload.tensors[name]), dtype=torch.float32)
    if payload.kind in (KIND, SHIFT):
        return "concept", list(range(len(rows))), rows
    layers: Any = payload.meta["layers"]
    return "layer", list(layers), rows


def _filter(task: Task) -> WordFilter:
    names: Any = task.node.options["lists"]
    given = task.node.inputs[_count(task.node) + 1 :]
    lists = {n: [text_of(r) for r in task.value(i).rows] for n, i in zip(names, given, strict=True)}
    return WordFilter.of(lists.get("vocabulary"), lists.get("stop", []))


def _named(heads: tuple[str, ...], labels: Sequence[tuple[Any, ...]], words: Sequence[Named]) -> Metric:
    sets = [n.words for n in words]
    rows = tuple(
        (*label, list(n.words), [round(s, 6) for s in n.scores]) for label, n in zip(labels, words, strict=True)
    )
    return _own_share(sets, Table((*heads, "words", "scores"), rows))


def _own_share(sets: Sequence[Sequence[Any]], table: Table) -> Metric:
    """The share of each concept's words (or samples) that no other has; the value is the mean of those with any."""
    scores = []
    for i, own in enumerate(sets):
        others = {w for j, other in enumerate(sets) if j != i for w in other}
        scores.append(len(set(own) - others) / len(set(own)) if own else float("nan"))
    return Metric.over(scores, table)


# ---- samples -------------------------------------------------------------------------------------------------------


def _ground_samples(task: Task, _: Context) -> Payload:
    top: Any = task.node.options["top"]
    concepts, data, *generated = inputs(task)
    dictionary = ConceptDictionary.of(concepts)
    texts = generated[0].rows if generated else data.rows
    rows: list[tuple[Any, ...]] = []
    sets = []
    fields = [f for f in _OF_SAMPLE if any(f in row for row in data.rows)]
    for concept in range(dictionary.k):
        strongest = dictionary.strongest(concept, top)
        sets.append([sample for sample, _ in strongest])
        for sample, activation in strongest:
            row = data.rows[sample]
            rows.append((concept, sample, round(activation, 6), *(row.get(f) for f in fields), _text(texts[sample])))
    table = Table(("concept", "row", "activation", *fields, "text"), tuple(rows))
    return _own_share(sets, table).payload()


def _text(row: Mapping[str, Any]) -> str:
    """What a sample says: its text, or its prompt with what was generated after it."""
    text = f"{row['prompt']}{row['completion']}" if "completion" in row else text_of(dict(row))
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


# ---- overlap -------------------------------------------------------------------------------------------------------


def sets_of(payload: Payload) -> list[list[Any]]:
    """The words, or the rows of samples, of each concept of a grounding metric."""
    table = Metric.of(payload).table
    assert table is not None
    if "words" in table.columns:
        return [list(words) for words in table.column("words")]
    count = max((c + 1 for c in table.column("concept")), default=0)
    found: list[list[Any]] = [[] for _ in range(count)]
    for concept, row in zip(table.column("concept"), table.column("row"), strict=True):
        found[concept].append(row)
    return found


def _overlap(task: Task, _: Context) -> Payload:
    """The mean over i ≠ j of |T_i ∩ T_j| / |T_i|; 0 of a single concept."""
    matrix = dictionary_overlap(sets_of(inputs(task)[0]))
    k = len(matrix)
    scores = [float((row.sum() - row[i]) / (k - 1)) if k > 1 else 0.0 for i, row in enumerate(matrix)]
    table = Table(("concept", "overlap"), tuple((i, score) for i, score in enumerate(scores)))
    return Metric.over(scores, table).payload()


OPERATIONS: Mapping[str, Operation] = {
    "metric.ground_words": GroundWords(),
    "metric.ground_samples": Single(_ground_samples),
    "metric.dictionary_overlap": Single(_overlap),
}
