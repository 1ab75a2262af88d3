"""Steering: actions on hidden states, and models they are applied to.

Formulas stand in `steerlang/kernels/steering.py`; here is what each action takes and what is checked before it runs.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from steerlang.diagnostics import Diagnostic, Label, codes, error
from steerlang.graph.node import Json, Node
from steerlang.language.layers import AllLayers, Selection, spelled
from steerlang.language.lowering import Lowering
from steerlang.language.parameter_types import Choice, Flag, Layers, ListOf, Number, Single, Value
from steerlang.language.signature import Call, Function, Parameter
from steerlang.language.types import ACTION, MODEL, STEERING, VECTOR
from steerlang.language.values import POISON, ActionValue, ModelValue, VectorValue, as_selection
from steerlang.source import Span

from .selectors import SITES, TOKENS_STEERED
from .tasks import is_causal

_NORM = {
    "free": "the sum as it is",
    "keep": "the sum rescaled to the length of the state before",
    "cap": "rescaled only where the state grew",
}
_UNIT = {
    "raw": "the vector as extracted",
    "unit": "the vector at length 1",
    "residual": "length 1 times the mean norm of the states it was read from",
}
_GAIN = {
    "anti_alignment": "turns further where the state points away: 1 + max(0, -cos)",
    "none": "the same turn everywhere",
}
# Beyond this the state is mostly the vector: text falls apart well before (measured on small models).
_LARGE = {"residual": 2.0, "rotate": 2.0}


def _action(operator: str, reads: tuple[str, ...], option_names: tuple[str, ...], scale: str = "scale") -> Any:
    """Lowering of an action.

    `reads` are the sites its vectors may come from besides the site it acts on; `scale` is the parameter that says how
    strongly it acts (empty: always fully).
    """

    def lower(call: Call, low: Lowering) -> Any:
        vectors: list[VectorValue] = call["vectors"]
        scales = _scales(call, low, scale, len(vectors))
        if scales is None or not _sites_fit(call, low, vectors, reads):
            return POISON
        options = {name: call[name] for name in option_names}
        _large(call, low, operator, scales, options.get("unit"))
        layers = as_selection(call["layers"]) if call.is_written("layers") else None
        places = (call["site"], call["tokens"], call["across"], call.span)
        return ActionValue(operator, 1, tuple(vectors), tuple(scales), options, layers, *places)

    return lower


def _scales(call: Call, low: Lowering, name: str, count: int) -> list[float] | None:
    """One scale a vector."""
    if not name:
        return [1.0] * count
    given = call[name] if isinstance(call[name], list) else [call[name]]
    if len(given) not in (1, count):
        message = f"{len(given)} scales for {count} vector{'' if count == 1 else 's'}"
        low.report(error(codes.ARGUMENT_TYPE, call.where(name), message, help="give one scale, or one for each vector"))
        return None
    return [float(x) for x in (given * count if len(given) == 1 else given)]


def _sites_fit(call: Call, low: Lowering, vectors: list[VectorValue], reads: tuple[str, ...]) -> bool:
    site = call["site"]
    for vector in vectors:
        select = vector.site["select"] if isinstance(vector.site, dict) else None
        if call["across"] or vector.site == site or select in reads:
            continue
        low.report(
            error(
                codes.PROVENANCE_MISMATCH,
                call.where("site"),
                f"the vector was read at `{select}`, and this acts on `{site['select']}`",
                help=f"act where it was read (`site = {select}`), or say `across = true` if it is meant",
            )
        )
        return False
    return True


def _large(call: Call, low: Lowering, operator: str, scales: list[float], unit: Json) -> None:
    bound = _LARGE.get(operator) or _LARGE.get(str(unit))
    if bound is not None and any(abs(s) > bound for s in scales):
        low.report(
            Diagnostic(
                codes.LARGE_SCALE,
                f"a scale above {bound:g} usually breaks the model",
                Label(call.where("scale")),
                help=("most effects show below 0.5; a sweep finds the strength",),
            )
        )


def _apply(call: Call, low: Lowering) -> Any:
    model: ModelValue = call["model"]
    if not is_causal(model, call.where("model"), "steering", low):
        return POISON
    actions: list[ActionValue] = [
        a for given in call["actions"] for a in (given if isinstance(given, list) else [given])
    ]
    inputs: list[Node] = []
    documents: list[Json] = []
    for action in actions:
        layers = _action_layers(action, model, low) if _made_for(action, model, low) else None
        if layers is None or not _have_layers(action, layers, low):
            return POISON
        documents.append(_document(action, layers, inputs))
    if not documents:
        low.report(
            error(
                codes.EMPTY_RANGE,
                call.where("actions"),
                "the list of actions is empty",
                help="give at least one action",
            )
        )
        return POISON
    node = low.node("model.steer", {"actions": documents}, (model.node, *inputs), "model", virtual=True)
    return replace(model, node=node)


def _document(action: ActionValue, layers: tuple[int, ...], inputs: list[Node]) -> dict[str, Json]:
    """The JSON form of an action; vectors by their position among the node's inputs after the model."""
    places: list[Json] = []
    for vector in action.vectors:
        if vector.node not in inputs:
            inputs.append(vector.node)
        places.append(inputs.index(vector.node))
    return {
        "operator": action.operator,
        "version": action.version,
        "layers": list(layers),
        "scales": list(action.scales),
        "vectors": places,
        "site": action.site,
        "tokens": action.tokens,
        "options": dict(action.options),
    }


def _action_layers(action: ActionValue, model: ModelValue, low: Lowering) -> tuple[int, ...] | None:
    if action.layers is None:
        common = set(action.vectors[0].layers).intersection(*(v.layers for v in action.vectors[1:]))
        selection: Selection = tuple(sorted(common))
    else:
        selection = action.layers
    return low.layers(selection, model.layers, action.span, f"`{model.name}`")


def _made_for(action: ActionValue, model: ModelValue, low: Lowering) -> bool:
    """Whether the vectors of an action were read from this model, or may be used across models."""
    for vector in action.vectors:
        if vector.width != model.width:
            return _misfit(
                codes.WIDTH_MISMATCH,
                action.span,
                low,
                f"the vector is {vector.width} wide (from `{vector.model_name}`), `{model.name}` is {model.width} wide",
                "steer the model the vector was read from",
            )
        if vector.model != model.base.key and not action.across:
            return _misfit(
                codes.PROVENANCE_MISMATCH,
                action.span,
                low,
                f"the vector was read from `{vector.model_name}`, and this steers `{model.name}`",
                "say `across = true` if it is meant",
            )
    return True


def _have_layers(action: ActionValue, layers: tuple[int, ...], low: Lowering) -> bool:
    """Whether the vectors of an action have all the layers it acts on."""
    for vector in action.vectors:
        missing = [x for x in layers if x not in vector.layers]
        if missing:
            whole = action.layers is not None and any(isinstance(i, AllLayers) for i in action.layers)
            return _misfit(
                codes.LAYER_OUT_OF_RANGE,
                action.span,
                low,
                f"the vector has no layer {missing[0]}: it has {spelled(vector.layers)}",
                "leave `layers` out to act on the layers the vector has" if whole else "act on layers the vector has",
            )
    return True


def _misfit(code: codes.Code, span: Span, low: Lowering, message: str, help: str) -> bool:
    low.report(error(code, span, message, help=help))
    return False


_VECTORS = Parameter("vectors", ListOf(Value((VECTOR,)), single=True), "a vector, or several")
_ONE_VECTOR = Parameter("vectors", Single(Value((VECTOR,))), "the vector")


def _common(site: str) -> tuple[Parameter, ...]:
    return (
        Parameter("layers", Layers(), "which blocks are steered; those of the vector when left out", None),
        Parameter("site", SITES, "where in the block", {"select": site}),
        Parameter("tokens", TOKENS_STEERED, "which tokens are steered", {"select": "all"}),
        Parameter("across", Flag(), "allows a vector of another model or site", False),
    )


FUNCTIONS = (
    Function(
        "add",
        "adds a vector to states: h + s v",
        "steering",
        (_VECTORS,),
        (
            Parameter(
                "scale",
                ListOf(Number(), single=True),
                "how many units of the vector; one for all or one each",
                [1.0],
                "unit",
            ),
            Parameter("unit", Choice(_UNIT), "what a scale of 1 means", "raw"),
            Parameter("norm", Choice(_NORM), "what happens to the length of the state", "free"),
            *_common("residual"),
        ),
        ACTION,
        _action("add", (), ("unit", "norm")),
        source="Turner et al., 2023; norm = keep: Liu et al., 2023",
    ),
    Function(
        "rotate",
        "turns states towards vectors and keeps their length: the in-context-vector operator",
        "steering",
        (_VECTORS,),
        (
            Parameter(
                "scale", ListOf(Number(), single=True), "strength; 0.1 turns a state by at most 8.1 degrees", [0.1]
            ),
            Parameter("gain", Choice(_GAIN), "how the turn depends on where the state points", "anti_alignment"),
            *_common("mlp"),
        ),
        ACTION,
        _action("rotate", ("residual",), ("gain",)),
        source="Liu et al., 2023, published code",
    ),
    Function(
        "ablate",
        "takes the part of states along a vector (or in the span of several) out: h - strength (h.v) v",
        "steering",
        (_VECTORS,),
        (
            Parameter("strength", Number(), "the share taken out; 1 is all of it", 1.0),
            *_common("residual"),
        ),
        ACTION,
        _action("ablate", (), (), "strength"),
        source="Arditi et al., 2024",
    ),
    Function(
        "clamp",
        "sets the component of states along a vector",
        "steering",
        (_ONE_VECTOR,),
        (
            Parameter("to", Number(), "the component along the vector at length 1"),
            *_common("residual"),
        ),
        ACTION,
        _action("clamp", (), ("to",), ""),
    ),
    Function(
        "replace",
        "sets states to a vector",
        "steering",
        (_ONE_VECTOR,),
        _common("residual"),
        ACTION,
        _action("replace", (), (), ""),
    ),
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
