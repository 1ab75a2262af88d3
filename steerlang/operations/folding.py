"""What several additions amount to, as one vector."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from steerlang.diagnostics import codes
from steerlang.engine.operation import Context, Task
from steerlang.engine.payload import Payload

from .base import Single, fail, inputs
from .vector import SteeringVector

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def _fold(task: Task, _: Context) -> Payload:
    """Σ_i s_i · u(v_i) at each layer, over the parts that act there; u(v) is v in the unit that its scale multiplies.

    The norms of the states are those of the first vector that has the layer.
    """
    import numpy

    options: Any = task.node.options
    vectors = [SteeringVector.of(p) for p in inputs(task)]
    layers = tuple(options["layers"])
    total = numpy.zeros((len(layers), vectors[0].width), dtype=numpy.float32)
    norms = numpy.zeros(len(layers), dtype=numpy.float32)
    for part in options["parts"]:
        at = vectors[part["vector"]].at(tuple(part["layers"]))
        rows = [layers.index(x) for x in part["layers"]]
        total[rows] += numpy.float32(part["scale"]) * _in_unit(at, part["unit"])
        norms[rows] = numpy.where(norms[rows] == 0, at.state_norms, norms[rows])
    made: dict[str, Any] = {
        "name": "vector.fold",
        "version": task.node.version,
        "options": {"parts": options["parts"]},
        "of": [i.key for i in task.node.inputs],
    }
    first = vectors[0]
    return SteeringVector(
        layers, total, norms, first.site, first.tokens, first.model, made, {}, first.provenance
    ).payload()


def _in_unit(vector: SteeringVector, unit: str) -> NDArray[np.float32]:
    """The directions `[L, D]` as a scale of 1 adds them."""
    import numpy

    if unit == "raw":
        return vector.directions
    lengths = vector.norms[:, None]
    if (lengths == 0).any():
        layer = vector.layers[int(numpy.flatnonzero(lengths[:, 0] == 0)[0])]
        raise fail(codes.NON_FINITE, f"the direction at layer {layer} is zero and has no unit length", "leave it out")
    directions = vector.directions / lengths
    if unit == "unit":
        return directions
    measured = vector.state_norms if unit == "residual" else getattr(vector, "max_projections", None)
    if measured is None:
        raise fail(codes.UNIT_UNKNOWN, f"`unit = {unit}` needs what this vector does not hold", "take another unit")
    found: NDArray[np.float32] = directions * numpy.asarray(measured)[:, None]
    return found


OPERATIONS = {"vector.fold": Single(_fold)}
