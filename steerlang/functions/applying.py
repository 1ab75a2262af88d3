"""Steered models: actions applied to a model, checked against it, its vectors and each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from steerlang.diagnostics import Label, codes, error
from steerlang.graph.node import Json, Node
from steerlang.language.layers import AllLayers, Selection, spelled
from steerlang.language.lowering import Lowering
from steerlang.language.parameter_types import Value
from steerlang.language.signature import Call, Function, Parameter
from steerlang.language.types import ACTION, MODEL, STEERING
from steerlang.language.values import (
    POISON,
    ActionValue,
    AppliedAction,
    ConceptsValue,
    ModelValue,
    ReadingValue,
    VectorValue,
)
from steerlang.source import Span

from . import gates
from .conflicts import without_conflicts
from .order import comes_after, place_text
from .tasks import is_causal


def _apply(call: Call, low: Lowering) -> Any:
    if not is_causal(call["model"], call.where("model"), "steering", low):
        return POISON
    actions: list[ActionValue] = [
        a for given in call["actions"] for a in (given if isinstance(given, list) else [given])
    ]
    if not actions:
        low.report(
            error(
                codes.EMPTY_RANGE,
                call.where("actions"),
                "the list of actions is empty",
                help="give at least one action",
            )
        )
        return POISON
    return steered(call["model"], actions, low)


def steered(model: ModelValue, actions: list[ActionValue], low: Lowering) -> Any:
    """The model with these actions on top of those it has; POISON, and reported, where they do not fit it."""
    inputs: list[Node] = []
    applied: list[AppliedAction] = []
    for action in actions:
        layers = _action_layers(action, model, low) if _made_for(action, model, low) else None
        if layers is None or not _have_layers(action, layers, low):
            return POISON
        readings = _reading_layers(action, layers, model, low)
        if readings is None:
            return POISON
        applied.append(AppliedAction(action, layers, _document(action, layers, readings, inputs)))
    everything = (*model.actions, *applied)
    if not without_conflicts(everything, low):
        return POISON
    options: dict[str, Json] = {"actions": [dict(a.document) for a in applied]}
    node = low.node("model.steer", options, (model.node, *inputs), "model", virtual=True)
    return replace(model, node=node, actions=everything)


def _document(
    action: ActionValue, layers: tuple[int, ...], readings: dict[ReadingValue, int], inputs: list[Node]
) -> dict[str, Json]:
    """The JSON form of an action; vectors by their position among the node's inputs after the model.

    What is left out (a gate, a schedule) is not in it, so that keys do not change with what the language learns.
    """
    place = _placed(inputs)
    found: dict[str, Json] = {
        "operator": action.operator,
        "version": action.version,
        "layers": list(layers),
        "scales": list(action.scales),
        "vectors": [place(vector.node) for vector in action.vectors],
        "site": action.site,
        "tokens": action.tokens,
        "options": dict(action.options),
    }
    if action.when is not None:
        found["when"] = gates.document(action.when, readings, place)
    if action.schedule is not None:
        found["schedule"] = action.schedule
    return found


def _placed(inputs: list[Node]) -> Callable[[Node], int]:
    """Where a node stands among some inputs, to which it is added if it is not there yet."""

    def place(node: Node) -> int:
        if node not in inputs:
            inputs.append(node)
        return inputs.index(node)

    return place


def _action_layers(action: ActionValue, model: ModelValue, low: Lowering) -> tuple[int, ...] | None:
    if action.layers is None:
        common = set(action.vectors[0].layers).intersection(*(v.layers for v in action.vectors[1:]))
        selection: Selection = tuple(sorted(common))
    else:
        selection = action.layers
    return low.layers(selection, model.layers, action.layers_where, f"`{model.name}`")


def _made_for(action: ActionValue, model: ModelValue, low: Lowering) -> bool:
    """Whether the vectors of an action and of its gate were read from this model, or may be used across models."""
    readings = () if action.when is None else action.when.readings
    used: list[tuple[VectorValue | ConceptsValue, bool, Span, str]] = []
    used += [(v, action.across, action.span, "steer") for v in action.vectors]
    used += [(r.vector, r.across, r.span, "read") for r in readings]
    return all(_fits(vector, model, across, span, verb, low) for vector, across, span, verb in used)


def _fits(
    vector: VectorValue | ConceptsValue, model: ModelValue, across: bool, span: Span, verb: str, low: Lowering
) -> bool:
    noun = _noun(vector)
    if vector.width != model.width:
        return _misfit(
            codes.WIDTH_MISMATCH,
            span,
            low,
            f"the {noun} is {vector.width} wide (from `{vector.model_name}`), `{model.name}` is {model.width} wide",
            f"{verb} the model the {noun} was read from",
        )
    if vector.model != model.base.key and not across:
        return _misfit(
            codes.PROVENANCE_MISMATCH,
            span,
            low,
            f"the {noun} was read from `{vector.model_name}`, and this {verb}s `{model.name}`",
            "say `across = true` if it is meant",
        )
    return True


def _noun(vector: VectorValue | ConceptsValue) -> str:
    return "dictionary" if isinstance(vector, ConceptsValue) else "vector"


def _have_layers(action: ActionValue, layers: tuple[int, ...], low: Lowering) -> bool:
    """Whether the vectors of an action have all the layers it acts on."""
    for vector in action.vectors:
        missing = [x for x in layers if x not in vector.layers]
        if missing:
            whole = action.layers is not None and any(isinstance(i, AllLayers) for i in action.layers)
            return _misfit(
                codes.LAYER_OUT_OF_RANGE,
                action.layers_where,
                low,
                f"the vector has no layer {missing[0]}: it has {spelled(vector.layers)}",
                "leave `layers` out to act on the layers the vector has" if whole else "act on layers the vector has",
            )
    return True


def _reading_layers(
    action: ActionValue, layers: tuple[int, ...], model: ModelValue, low: Lowering
) -> dict[ReadingValue, int] | None:
    """The layer of each reading of an action's gate, all of them read before the action acts."""
    found: dict[ReadingValue, int] = {}
    for reading in () if action.when is None else action.when.readings:
        layer = _reading_layer(reading, model, low)
        if layer is None:
            return None
        if comes_after(reading.site, layer, action.site, layers[0]):
            low.report(
                error(
                    codes.GATE_AFTER_ACTION,
                    reading.span,
                    f"this gate reads {place_text(reading.site, layer)}, which comes after "
                    f"{place_text(action.site, layers[0])}, where its action begins to act",
                    help=_earlier(layer, layers[0]),
                    secondary=(Label(action.span, "the action"),),
                )
            )
            return None
        found[reading] = layer
    return found


def _earlier(layer: int, first: int) -> str:
    if layer > first:
        return f"read the gate at layer {first} or before, or act on later layers"
    return "read the gate at an earlier layer, or act on later layers" if first else "act on later layers"


def _reading_layer(reading: ReadingValue, model: ModelValue, low: Lowering) -> int | None:
    layers = low.layers(reading.layer, model.layers, reading.span, f"`{model.name}`")
    if layers is None:
        return None
    message = help = ""
    if len(layers) != 1:
        message, help = f"a gate reads one layer, and these are {spelled(layers)}", "combine gates by `and` and `or`"
    elif layers[0] not in reading.vector.layers:
        has = spelled(reading.vector.layers)
        what = _noun(reading.vector)
        message, help = f"the {what} has no layer {layers[0]}: it has {has}", f"read a layer the {what} has"
    if message:
        low.report(error(codes.LAYER_OUT_OF_RANGE, reading.span, message, help=help))
        return None
    return layers[0]


def _misfit(code: codes.Code, span: Span, low: Lowering, message: str, help: str) -> bool:
    low.report(error(code, span, message, help=help))
    return False


FUNCTIONS = (
    Function(
        "apply",
        "a steered model",
        "steering",
        (
            Parameter("model", Value((MODEL,)), "the model steered"),
            Parameter("actions", Value((ACTION, STEERING)), "what is done to its states, in this order", many=True),
        ),
        (),
        MODEL,
        _apply,
    ),
)
