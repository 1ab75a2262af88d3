"""Vectors out of files: the numbers that the facts only say the place of."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from steerlang.diagnostics import codes
from steerlang.engine.errors import OperationError
from steerlang.engine.operation import Context, Task
from steerlang.engine.payload import Payload
from steerlang.graph.facts import Numbers, Trouble, VectorFacts
from steerlang.graph.facts.digests import FileDigests
from steerlang.graph.facts.vectors import read_vector
from steerlang.graph.facts.vectors.svec import directions, parsed
from steerlang.graph.node import Node

from .base import Single, fail
from .origins import identity_of
from .vector import KIND, SteeringVector

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def _load(task: Task, _: Context) -> Payload:
    node = task.node
    name = node.locators["name"]
    found = read_vector(Path(node.locators["path"]), name, FileDigests(None))
    if isinstance(found, Trouble):
        raise OperationError(found.at(None))
    if found.digest() != node.options["digest"]:
        raise fail(codes.RUN_FAILED, f"`{name}` has changed since the run began", "run the program again")
    layers: Any = node.options["layers"]
    rows = _rows(found)
    return _own(found, rows, layers, node) if found.document is not None else _foreign(found, rows, layers, node)


def load_file(found: VectorFacts) -> SteeringVector:
    """The vector of a file as it says itself, with no model at hand. Raises OperationError."""
    return SteeringVector.of(payload_of(found))


def payload_of(found: VectorFacts) -> Payload:
    """The same as it would be stored, with what this version does not know the meaning of."""
    node = Node("vector.load", 1, {"digest": found.digest(), "site": found.site}, (), KIND)
    make = _own if found.document is not None else _foreign
    return make(found, _rows(found), list(found.layers), node)


def _rows(found: VectorFacts) -> NDArray[np.float32]:
    """The directions `[L, D]`, ascending by layer. Raises OperationError for numbers that are not finite."""
    import numpy

    if found.format == "svec":
        # Its own numbers of layers may differ from ours; their order does not.
        written = directions(parsed(found.path))
        rows = numpy.asarray([written[layer] for layer in sorted(written)], dtype=numpy.float32)
    else:
        rows = numpy.stack([read_numbers(found.path, found.numbers[layer]) for layer in found.layers])
    for layer, row in zip(found.layers, rows, strict=True):
        if not numpy.isfinite(row).all():
            raise fail(
                codes.NON_FINITE, f"`{found.name}` has numbers that are not finite at layer {layer}", "make it anew"
            )
    return rows


def read_numbers(path: Path, place: Numbers) -> NDArray[np.float32]:
    """Numbers of a file as float32 `[n]`."""
    import numpy

    from steerlang.weights.dtypes import STORAGE, to_float32

    dtype = numpy.dtype(STORAGE[place.dtype])
    with path.open("rb") as file:
        file.seek(place.offset)
        stored = numpy.frombuffer(file.read(place.count * dtype.itemsize), dtype=dtype)
    return to_float32(stored, place.dtype)


def _own(found: VectorFacts, rows: NDArray[np.float32], layers: list[int], node: Node) -> Payload:
    """All that the vector was when it was written, also what this version does not know the meaning of."""
    import numpy

    assert found.document is not None
    tensors = {name: read_numbers(found.path, n).reshape(shape) for name, (n, shape) in found.tensors.items()}
    lists = {name: numpy.asarray(value, dtype=numpy.float32) for name, value in found.values.items()}
    meta: dict[str, Any] = {**found.document, "layers": layers, "site": node.options["site"]}
    return Payload(KIND, meta, {"directions": rows, **lists, **tensors})


def _foreign(found: VectorFacts, rows: NDArray[np.float32], layers: list[int], node: Node) -> Payload:
    """A vector of another tool. The norms of its states are unknown; they stand as 0, and units that need them are
    refused where the program is checked."""
    import numpy

    options = {"format": found.format, **({"hint": found.hint} if found.hint else {})}
    base = node.inputs[0] if node.inputs else None
    model: dict[str, Any] = {"id": None, "identity": None}
    if base is not None:
        model = {"id": base.locators.get("name", base.key), "identity": identity_of(base)}
    return SteeringVector(
        tuple(layers),
        rows,
        numpy.zeros(len(layers), dtype=numpy.float32),
        node.options["site"],
        None,
        model,
        {"name": "file", "version": 1, "options": options},  # type: ignore[dict-item]
        {},
        {"sha256": node.options["digest"]},
    ).payload()


OPERATIONS = {"vector.load": Single(_load)}
