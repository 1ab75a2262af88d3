"""Steering: actions on hidden states.

Formulas stand in `steerlang/kernels/steering.py`; here is what each action takes and what is checked of it alone. What
is checked once its model is known stands in `applying.py`.
"""

from __future__ import annotations

from typing import Any

from steerlang.diagnostics import Diagnostic, Label, codes, error
from steerlang.graph.node import Json
from steerlang.language.lowering import Lowering
from steerlang.language.parameter_types import Choice, Flag, Layers, ListOf, Number, Single, Value
from steerlang.language.signature import Call, Function, Parameter
from steerlang.language.types import ACTION, VECTOR
from steerlang.language.values import POISON, ActionValue, VectorValue, as_selection

from .gates import WHEN
from .reports import counted
from .schedules import SCHEDULE, schedule_of
from .selectors import SITES, TOKENS_STEERED

_NORM = {
    "free": "the sum as it is",
    "keep": "the sum rescaled to the length of the state before",
    "cap": "rescaled only where the state grew",
}
UNIT = {
    "raw": "the vector as extracted",
    "unit": "the vector at length 1",
    "residual": "length 1 times the mean norm of the states it was read from",
    "max_activation": "length 1 times the largest component along it of the states it was read from",
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
        if scales is None or not _sites_fit(call, low, vectors, reads) or not _unit_known(call, low, vectors):
            return POISON
        options = {name: call[name] for name in option_names}
        _large(call, low, operator, scales, options.get("unit"))
        schedule, fits = schedule_of(call, low)
        if not fits:
            return POISON
        layers = as_selection(call["layers"]) if call.is_written("layers") else None
        places = (call["site"], call["tokens"], call["across"], call.span, call["when"], schedule)
        layers_span = call.where("layers") if call.is_written("layers") else None
        return ActionValue(
            operator, 1, tuple(vectors), tuple(scales), options, layers, *places, layers_span=layers_span
        )

    return lower


def _scales(call: Call, low: Lowering, name: str, count: int) -> list[float] | None:
    """One scale a vector."""
    if not name:
        return [1.0] * count
    given = call[name] if isinstance(call[name], list) else [call[name]]
    if len(given) == 1 and (call.is_alone(name) or name not in call.entries):
        given = given * count
    if len(given) != count:
        message = f"{counted(len(given), 'scale')} for {counted(count, 'vector')}"
        help = "a list has one for each vector; a number without brackets is that of all"
        low.report(error(codes.ARGUMENT_TYPE, call.where(name), message, help=help))
        return None
    return [float(x) for x in given]


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


def _unit_known(call: Call, low: Lowering, vectors: list[VectorValue]) -> bool:
    """Whether the states' norms are known where a scale multiplies by them: files of other tools lack them."""
    if dict(call.values).get("unit") not in ("residual", "max_activation"):
        return True
    for vector in vectors:
        if not vector.normed:
            low.report(
                error(
                    codes.UNIT_UNKNOWN,
                    call.where("unit"),
                    f"`unit = {call['unit']}` needs what was measured of the states of `{vector.model_name}`, which "
                    "the vector does not hold",
                    help="take `unit = raw` or `unit = unit`, or extract the vector",
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


_VECTORS = Parameter("vectors", ListOf(Value((VECTOR,)), single=True), "a vector, or several")
_ONE_VECTOR = Parameter("vectors", Single(Value((VECTOR,))), "the vector")


def _common(site: str) -> tuple[Parameter, ...]:
    return (
        Parameter("layers", Layers(), "which blocks are steered; those of the vector when left out", None),
        Parameter("site", SITES, "where in the block", {"select": site}),
        Parameter("tokens", TOKENS_STEERED, "which tokens are steered", {"select": "all"}),
        WHEN,
        SCHEDULE,
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
                "how many units of the vector; one for all or a list of one each",
                [1.0],
                "unit",
            ),
            Parameter("unit", Choice(UNIT), "what a scale of 1 means", "raw"),
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
)
