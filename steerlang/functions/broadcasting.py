"""One layer's direction at every layer: `broadcast(v, layer = 14)`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from steerlang.diagnostics import codes, error
from steerlang.language.layers import AllLayers, spelled
from steerlang.language.lowering import Lowering
from steerlang.language.parameter_types import Layers, Value
from steerlang.language.signature import Call, Function, Parameter
from steerlang.language.types import VECTOR
from steerlang.language.values import POISON, VectorValue, as_selection


def _broadcast(call: Call, low: Lowering) -> Any:
    vector: VectorValue = call["vector"]
    one = _one_layer(call, low, vector)
    selection = as_selection(call["layers"]) if call.is_written("layers") else (AllLayers(),)
    layers = low.layers(selection, vector.depth, call.where("layers"), f"`{vector.model_name}`")
    if one is None or layers is None:
        return POISON
    node = low.node("vector.broadcast", {"layer": one, "layers": list(layers)}, (vector.node,), "vector")
    # The states' norms are those of each layer, and known for the layers that the vector was read at.
    return replace(vector, node=node, layers=layers, normed=vector.normed and set(layers) <= set(vector.layers))


def _one_layer(call: Call, low: Lowering, vector: VectorValue) -> int | None:
    """The layer whose direction is taken: the one named, or the only one there is."""
    if not call.is_written("layer"):
        if len(vector.layers) == 1:
            return vector.layers[0]
        message = f"the vector has layers {spelled(vector.layers)}, and one of them is to be taken"
        low.report(error(codes.ARGUMENT_TYPE, call.span, message, help="name it: `broadcast(v, layer = 14)`"))
        return None
    where = call.where("layer")
    found = low.layers(as_selection(call["layer"]), vector.depth, where, f"`{vector.model_name}`")
    if found is None:
        return None
    if len(found) != 1:
        message, help = f"one layer is taken, and {len(found)} are named", "name one layer"
        low.report(error(codes.ARGUMENT_TYPE, where, message, help=help))
        return None
    if found[0] not in vector.layers:
        message = f"the vector has no layer {found[0]}"
        help = f"it has layers {spelled(vector.layers)}"
        low.report(error(codes.LAYER_OUT_OF_RANGE, where, message, help=help))
        return None
    return found[0]


FUNCTIONS = (
    Function(
        "broadcast",
        "the direction of one layer at every layer",
        "algebra",
        (Parameter("vector", Value((VECTOR,)), "the vector"),),
        (
            Parameter("layer", Layers(), "whose direction it is: one; left out, the only one the vector has", None),
            Parameter("layers", Layers(), "where it stands; every layer of the model when left out", None),
        ),
        VECTOR,
        _broadcast,
        source="Arditi et al., 2024, one direction ablated everywhere",
    ),
)
