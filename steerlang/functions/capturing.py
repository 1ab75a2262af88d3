"""Reading states: `capture`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from steerlang.diagnostics import codes, error
from steerlang.graph.node import Json, Node
from steerlang.language.lowering import Lowering
from steerlang.language.parameter_types import Choice, Data, Layers, Number, Value
from steerlang.language.signature import Call, Function, MethodChoice, Parameter
from steerlang.language.types import ACTIVATIONS, IMAGES, MODEL, SAMPLES, TEXTS
from steerlang.language.values import POISON, DataValue, ModelValue, SamplesValue, StatesValue, as_selection

from .generation import METHODS as DECODING
from .generation import samples_node
from .selectors import SITES, TOKENS_READ
from .tasks import is_causal
from .texts import can_read

_DURING = {
    "prompt": "the texts as they are given",
    "generation": "what the model generates after them, greedily; selectors search the new text alone",
    "reference": "the first of each row's `references` after its prompt; selectors search the reference alone",
}
#: Sites that are one place and not one a block.
_ONE_PLACE = frozenset({"embedding", "final_norm"})


def capture_node(low: Lowering, model: ModelValue, data: Node, role: str, points: list[Json], tokens: Json) -> Node:
    """States at `points` (site and layer) of one side of some rows. All captures on one model may share a pass."""
    options: dict[str, Json] = {"role": role, "points": points, "tokens": tokens}
    group = f"capture:{model.base.key}:{model.node.key}"
    return low.node("capture", options, (model.node, data), "states", group=group)


def points_at(site: Json, layers: tuple[int, ...]) -> list[Json]:
    return [{"site": site, "layer": layer} for layer in layers]


def layers_at(call: Call, low: Lowering, model: ModelValue) -> tuple[int, ...] | None:
    """The layers that are read; 0 for a site that has none."""
    if call["site"]["select"] not in _ONE_PLACE:
        return low.layers(as_selection(call["layers"]), model.layers, call.where("layers"), f"`{model.name}`")
    if not call.is_written("layers"):
        return (0,)
    where, site = call.where("layers"), call["site"]["select"]
    low.report(error(codes.ARGUMENT_TYPE, where, f"`{site}` is one place, not one in each block", help="leave it out"))
    return None


def _capture(call: Call, low: Lowering) -> Any:
    model, data = call["model"], call["data"]
    if not is_causal(model, call.where("model"), "reading states", low):
        return POISON
    layers = layers_at(call, low, model)
    if layers is None:
        return POISON
    node = _texts_read(call, low, model, data)
    if node is None:
        return POISON
    role = "reference" if call["during"] == "reference" else "text"
    states = capture_node(low, model, node, role, points_at(call["site"], layers), call["tokens"])
    count = data.count if isinstance(data, DataValue) else None
    return StatesValue(states, model, call["site"], layers, call["tokens"], count)


def _texts_read(call: Call, low: Lowering, model: ModelValue, data: DataValue | SamplesValue) -> Node | None:
    """The node of the texts that are read: rows, or generated texts."""
    generates, given = call["during"] == "generation", call["during"] == "reference"
    if call.is_written("max_new_tokens") and not generates:
        message, help = "nothing is generated here", "say `during = generation`, or leave it out"
        low.report(error(codes.ARGUMENT_TYPE, call.where("max_new_tokens"), message, help=help))
        return None
    if isinstance(data, SamplesValue):
        if not (generates or given):
            return data.node if has_tokens(call, low, None) else None
        message, help = "these texts are generated already", "leave it out, or give prompts"
        low.report(error(codes.ARGUMENT_TYPE, call.where("during"), message, help=help))
        return None
    if not can_read(model, data, call.where("data"), low) or not has_tokens(
        call, low, None if generates or given else data
    ):
        return None
    if given and "references" not in data.carried:
        message, help = "these rows have no references", 'name the column of reference texts: `references = "…"`'
        low.report(error(codes.UNFIT_DATA, call.where("during"), message, help=help))
        return None
    if not generates:
        return data.node
    return samples_node(low, model, data.node, MethodChoice(DECODING[0], {}), call["max_new_tokens"], None)


def has_tokens(call: Call, low: Lowering, data: DataValue | None) -> bool:
    """Whether the tokens that are read have a meaning in some rows; None: in texts that are generated."""
    said = call["tokens"]["select"]
    has, what, help = _ONLY_SOME.get(said, (lambda _: True, "", ""))
    if has(data):
        return True
    low.report(error(codes.UNFIT_DATA, call.where("tokens"), f"`{said}` reads {what}", help=help))
    return False


# Tokens that not all rows have: which do, what is said of the others, and help.
_ONLY_SOME: Mapping[str, tuple[Callable[[DataValue | None], bool], str, str]] = {
    "assistant": (
        lambda data: data is None or data.replies,
        "the assistant's replies, and these rows have none",
        'name the user\'s message and say that rows are chats: `prompt = "…", chat = true`',
    ),
    "generated": (
        lambda data: data is None,
        "what is generated, and nothing is generated here",
        "say `during = generation`",
    ),
    "image": (
        lambda data: data is not None and data.form == IMAGES,
        "the image of a prompt, and here are only texts",
        "read the images themselves: `images(…, prompt = \"…\")`, without `during = generation`",
    ),
}


PLACES = (
    Parameter("layers", Layers(), "which blocks are read", None),
    Parameter("site", SITES, "where in the block", {"select": "residual"}),
    Parameter("tokens", TOKENS_READ, "which tokens are read", {"select": "last"}),
)

FUNCTIONS = (
    Function(
        "capture",
        "states read from a model",
        "extraction",
        (
            Parameter("model", Value((MODEL,)), "the model read"),
            Parameter("data", Data((TEXTS, IMAGES, SAMPLES)), "texts or images with prompts, or generated texts"),
        ),
        (
            *PLACES,
            Parameter("during", Choice(_DURING), "which texts are read", "prompt"),
            Parameter("max_new_tokens", Number(1, 100_000, integer=True), "the longest text generated", 32, "tokens"),
        ),
        ACTIVATIONS,
        _capture,
    ),
)
