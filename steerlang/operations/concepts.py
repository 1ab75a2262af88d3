"""Concepts of captured states: decomposing, projecting, shifting, and vectors of single concepts."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steerlang.engine.operation import Context, Task
from steerlang.engine.payload import Payload
from steerlang.graph.node import Node
from steerlang.kernels import concepts as kernels
from steerlang.kernels.concepts import Decomposition, States
from steerlang.kernels.shifts import assigned, shift

from .base import Single, inputs
from .dictionary import ConceptDictionary, ConceptShift, Place
from .model_errors import as_diagnostics
from .origins import origin_of
from .state_rows import StateRows, in_both

Decompose = Callable[[States, int, int, Mapping[str, Any]], Decomposition]
Project = Callable[[States, ConceptDictionary, Mapping[str, Any]], States]

_METHODS: Mapping[str, Decompose] = {
    "kmeans": lambda z, k, seed, o: kernels.kmeans(z, k, seed, o["restarts"]),
    "snmf": lambda z, k, seed, o: kernels.snmf(z, k, seed, o["alpha"], o["steps"]),
    "pca": lambda z, k, seed, _: kernels.pca(z, k, seed),
    "nmf": lambda z, k, seed, o: kernels.nmf(z, k, seed, o["negatives"], o["steps"]),
    "largest_norm": lambda z, k, seed, _: kernels.largest_norm(z, k, seed),
}
_PROJECT: Mapping[str, Project] = {
    "kmeans": lambda z, d, _: kernels.closeness(z, d.components),
    "snmf": lambda z, d, o: kernels.sparse_codes(z, d.components, o["alpha"]),
    "pca": lambda z, d, _: kernels.centred_products(z, d.components, d.offset),
    "nmf": lambda z, d, o: kernels.nonnegative_codes(z, d.components, o["negatives"]),
    "largest_norm": lambda z, d, _: kernels.closeness(z, d.components),
}


def _decompose(task: Task, _: Context) -> Payload:
    options: Any = task.node.options
    states = inputs(task)[0]
    rows = StateRows.of(states)
    with as_diagnostics():
        method = options["method"]
        found = _METHODS[method["name"]](rows.states, options["k"], options["seed"], method["options"])
    provenance = {
        "data": _data(task.node.inputs[0]), "states": len(rows.states), "left_out": rows.left_out,
        "seed": options["seed"], "explained": found.explained, "steps": found.steps, "converged": bool(found.converged),
    }  # fmt: skip
    place = _place(task.node.inputs[0], states, rows)
    return ConceptDictionary(
        found.components, found.activations, rows.samples, rows.tokens, found.offset, place, method, provenance
    ).payload()


def _place(captured: Node, states: Payload, rows: StateRows) -> Place:
    meta: Any = states.meta
    (point,) = meta["points"]
    norm = float(np.linalg.norm(rows.states, axis=1).mean(dtype=np.float64))
    return Place(point["layer"], point["site"], meta["tokens"], norm, origin_of(captured.inputs[0]))


def _data(captured: Node) -> str:
    """The key of the texts that were read."""
    return captured.inputs[1].key


def _project(task: Task, _: Context) -> Payload:
    concepts, states = inputs(task)
    dictionary, rows = ConceptDictionary.of(concepts), StateRows.of(states)
    with as_diagnostics():
        activations = _PROJECT[dictionary.method["name"]](rows.states, dictionary, dictionary.method["options"])
    provenance = {
        **dictionary.provenance, "projected": _data(task.node.inputs[1]), "states": len(rows.states),
        "left_out": rows.left_out,
    }  # fmt: skip
    return ConceptDictionary(
        dictionary.components, activations, rows.samples, rows.tokens, dictionary.offset, dictionary.place,
        dictionary.method, provenance,
    ).payload()  # fmt: skip


def _shift(task: Task, _: Context) -> Payload:
    options: Any = task.node.options
    concepts, before, after = inputs(task)
    dictionary = ConceptDictionary.of(concepts)
    assert dictionary.activations is not None
    a, b = StateRows.of(before), StateRows.of(after)
    left, right = in_both(a, b)
    # The dictionary's activations are those of the states before, row by row.
    concept = assigned(dictionary.activations[left], options["assign"])
    with as_diagnostics():
        found = shift(a.states[left], b.states[right], concept, dictionary.k, options["reduce"])
    provenance = {
        "data": [_data(n) for n in task.node.inputs[1:]], "samples": len(left), "left_out": [a.left_out, b.left_out],
        "reduce": options["reduce"], "assign": options["assign"], "to": origin_of(task.node.inputs[2].inputs[0]),
    }  # fmt: skip
    return ConceptShift(
        found.delta, tuple(int(n) for n in found.counts), _numbers(found.consistency), _numbers(found.alignment),
        dictionary.place, provenance,
    ).payload()  # fmt: skip


def _numbers(values: NDArray[np.float64]) -> tuple[float | None, ...]:
    return tuple(None if math.isnan(v) else float(v) for v in values)


def _scaled(task: Task, _: Context) -> Payload:
    factor: Any = task.node.options["factor"]
    return ConceptShift.of(inputs(task)[0]).scaled(factor).payload()


def _shifted(task: Task, _: Context) -> Payload:
    """u_k + Δ_k."""
    dictionary, moved = ConceptDictionary.of(inputs(task)[0]), ConceptShift.of(inputs(task)[1])
    provenance = {**dictionary.provenance, "shifted_by": task.node.inputs[1].key}
    return dictionary.moved(dictionary.components + moved.delta, provenance).payload()


def _concept_vector(task: Task, _: Context) -> Payload:
    index: Any = task.node.options["index"]
    return ConceptDictionary.of(inputs(task)[0]).vector(index, task.node.inputs[0].key).payload()


def _shift_vector(task: Task, _: Context) -> Payload:
    index: Any = task.node.options["index"]
    return ConceptShift.of(inputs(task)[0]).vector(index, task.node.inputs[0].key).payload()


OPERATIONS = {
    "concepts.decompose": Single(_decompose),
    "concepts.project": Single(_project),
    "concepts.shifted": Single(_shifted),
    "concepts.vector": Single(_concept_vector),
    "shift": Single(_shift),
    "shift.scaled": Single(_scaled),
    "shift.vector": Single(_shift_vector),
}
