"""Vector algebra: sums, mixes, unit length, orthogonal parts, random directions. Float32 throughout, numpy only."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from steerlang.diagnostics import codes
from steerlang.engine.operation import Context, Task
from steerlang.engine.payload import Payload

from .base import Single, fail, inputs
from .vector import SteeringVector

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def _vectors(task: Task) -> list[SteeringVector]:
    return [SteeringVector.of(p) for p in inputs(task)]


def _document(task: Task, **options: Any) -> dict[str, Any]:
    """How a derived vector says what it is: the operation, its options, and the vectors it was made of."""
    return {
        "name": task.node.operation,
        "version": task.node.version,
        "options": options,
        "of": [i.key for i in task.node.inputs],
    }


def _norms(vector: SteeringVector) -> NDArray[np.float32]:
    """Length of each direction `[L, 1]`; a zero direction has no unit and is an error that names its layer."""
    norms = vector.norms
    for layer, norm in zip(vector.layers, norms, strict=True):
        if norm == 0:
            raise fail(
                codes.ZERO_DIRECTION,
                f"the direction at layer {layer} is zero and has no unit length",
                "leave that layer out: `v[1..last]`",
            )
    return norms[:, None]


def _sum(task: Task, _: Context) -> Payload:
    """sum_i w_i v_i, per layer. The mean norm of the states is that of the first."""
    weights: Any = task.node.options["weights"]
    vectors = _vectors(task)
    import numpy

    total = numpy.zeros_like(vectors[0].directions)
    for weight, vector in zip(weights, vectors, strict=True):
        total = total + numpy.float32(weight) * vector.directions
    document = _document(task, weights=list(weights))
    return vectors[0].derived(total, document, same_lines=len(vectors) == 1 and weights[0] != 0).payload()


def _mix(task: Task, _: Context) -> Payload:
    """(1/N) sum_i w_i v_i / |v_i|, per layer (Liu et al., 2023, how several in-context vectors are combined)."""
    weights: Any = task.node.options["weights"]
    vectors = _vectors(task)
    import numpy

    total = numpy.zeros_like(vectors[0].directions)
    for weight, vector in zip(weights, vectors, strict=True):
        total = total + numpy.float32(weight) * (vector.directions / _norms(vector))
    return vectors[0].derived(total / numpy.float32(len(vectors)), _document(task, weights=list(weights))).payload()


def _unit(task: Task, _: Context) -> Payload:
    (vector,) = _vectors(task)
    return vector.derived(vector.directions / _norms(vector), _document(task), same_lines=True).payload()


def _orthogonalize(task: Task, _: Context) -> Payload:
    """v - (v.u) u with u = to/|to|, per layer."""
    vector, to = _vectors(task)
    unit = to.directions / _norms(to)
    along = (vector.directions * unit).sum(axis=1, keepdims=True)
    return vector.derived(vector.directions - along * unit, _document(task)).payload()


def _random_like(task: Task, _: Context) -> Payload:
    """A Gaussian direction in every layer, scaled to the norm the vector has there. One generator a layer, so that the
    direction at a layer does not depend on which others are there. With `orthogonal`, its part along the vector is
    taken out before it is scaled: g - (g.v) v / |v|^2."""
    import numpy

    options: Any = dict(task.node.options)
    (vector,) = _vectors(task)
    rows = [numpy.random.default_rng([options["seed"], layer]).standard_normal(vector.width) for layer in vector.layers]
    drawn = numpy.asarray(rows, dtype=numpy.float32)
    norms = vector.norms[:, None]
    if options.get("orthogonal"):
        unit = vector.directions / numpy.where(norms == 0, 1, norms)
        drawn -= (drawn * unit).sum(axis=1, keepdims=True) * unit
    drawn *= norms / numpy.linalg.norm(drawn, axis=1, keepdims=True)
    return vector.derived(drawn.astype(numpy.float32), _document(task, **options)).payload()


def _restrict(task: Task, _: Context) -> Payload:
    layers: Any = task.node.options["layers"]
    return _vectors(task)[0].at(tuple(layers)).payload()


def _broadcast(task: Task, _: Context) -> Payload:
    """The direction of one layer at all of `layers`. Norms of the states stay those of their layers; where the vector
    was not read they are unknown and stand as 0, and the unit that needs them is refused."""
    import numpy

    options: Any = dict(task.node.options)
    (vector,) = _vectors(task)
    layers = tuple(options["layers"])
    row = vector.directions[vector.layers.index(options["layer"])]
    known = dict(zip(vector.layers, vector.state_norms.tolist(), strict=True))
    norms = numpy.asarray([known.get(layer, 0.0) for layer in layers], dtype=numpy.float32)
    placed = replace(vector, layers=layers, state_norms=norms)
    return placed.derived(numpy.tile(row, (len(layers), 1)), _document(task, **options)).payload()


OPERATIONS = {
    "vector.broadcast": Single(_broadcast),
    "vector.sum": Single(_sum),
    "vector.mix": Single(_mix),
    "vector.unit": Single(_unit),
    "vector.orthogonalize": Single(_orthogonalize),
    "vector.random_like": Single(_random_like),
    "vector.restrict": Single(_restrict),
}
