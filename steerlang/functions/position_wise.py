"""Activation addition position by position: `activation_addition` (Turner et al., 2023).

Each position has its own direction, which is added at that position of the prompts: as many actions as positions, in
one `steering` list.
"""

from __future__ import annotations

from typing import Any

from steerlang.diagnostics import codes, error
from steerlang.graph.node import Json
from steerlang.language.lowering import Lowering
from steerlang.language.parameter_types import Data, Layers, ListOf, Number, Value
from steerlang.language.signature import Call, Function, MethodChoice, Parameter
from steerlang.language.types import MODEL, PAIRS, STEERING
from steerlang.language.values import POISON, ActionValue, as_selection

from .capturing import capture_node, points_at
from .extraction import directions
from .extraction_methods import METHODS
from .gates import WHEN
from .selectors import SITES
from .tasks import is_causal
from .texts import can_read

_DIFFERENCE = MethodChoice(METHODS[0], {})


def _activation_addition(call: Call, low: Lowering) -> Any:
    model, data = call["model"], call["data"]
    if not is_causal(model, call.where("model"), "activation addition", low):
        return POISON
    if not can_read(model, data, call.where("data"), low):
        return POISON
    where = call.where("layers")
    layers = low.layers(as_selection(call["layers"]), model.layers, where, f"`{model.name}`")
    if layers is None:
        return POISON
    positions = [int(p) for p in call["positions"]]
    twice = next((p for i, p in enumerate(positions) if p in positions[:i]), None)
    if twice is not None:
        message, help = f"position {twice} is named twice", "name each position once: all are added"
        low.report(error(codes.ARGUMENT_TYPE, call.where("positions"), message, help=help))
        return POISON
    return [_at(call, low, layers, {"select": "index", "position": p}) for p in positions]


def _at(call: Call, low: Lowering, layers: tuple[int, ...], tokens: Json) -> ActionValue:
    """What is read at one position, and added there."""
    model, site = call["model"], call["site"]
    points = points_at(site, layers)
    sides = [capture_node(low, model, call["data"].node, role, points, tokens) for role in ("target", "source")]
    vector = directions(low, _DIFFERENCE, 0, (sides[0], sides[1]), model, site, layers, tokens)
    options: dict[str, Json] = {"unit": "raw", "norm": "free"}
    places = (site, tokens, False, call.span, call["when"])
    return ActionValue("add", 1, (vector,), (float(call["scale"]),), options, None, *places)


FUNCTIONS = (
    Function(
        "activation_addition",
        "adds the difference of two prompts' states position by position: one action a position",
        "steering",
        (
            Parameter("model", Value((MODEL,)), "the model that reads the prompts"),
            Parameter("data", Data((PAIRS,)), "one pair of prompts, or several, whose differences are averaged"),
        ),
        (
            Parameter("layers", Layers(), "which blocks are read and steered"),
            Parameter(
                "positions",
                ListOf(Number(0, integer=True)),
                "positions of the whole sequence, from 0; every prompt of the pairs has them",
            ),
            Parameter("scale", Number(), "what each difference is multiplied by", 1.0),
            Parameter("site", SITES, "where in the block", {"select": "residual"}),
            WHEN,
        ),
        STEERING,
        _activation_addition,
        source="Turner et al., 2023 (ActAdd)",
    ),
)
