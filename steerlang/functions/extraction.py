"""Reading states and making directions of them: `capture`, `extract`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from steerlang.diagnostics import Diagnostic, Label, codes, error
from steerlang.graph.node import Json, Node
from steerlang.language import typed as t
from steerlang.language.lowering import Lowering
from steerlang.language.parameter_types import Choice, Data, Layers, Methods, Number, Value
from steerlang.language.signature import Call, Function, Method, MethodChoice, Mismatch, Parameter
from steerlang.language.types import ACTIVATIONS, MODEL, PAIRS, TEXTS, VECTOR, Type
from steerlang.language.values import POISON, DataValue, ModelValue, StatesValue, VectorValue, as_selection

from .selectors import SITES, TOKENS_READ
from .tasks import is_causal
from .texts import can_read

_CENTER = {
    "none": "first right singular vector of the differences, pointing as their mean does",
    "mean": "PCA of the differences, centred: the mean difference is removed (repeng's `pca_diff`)",
    "pairwise": "PCA of plus and minus half of each difference (repeng's `pca_center`, CAST's `pca_pairwise`)",
}
_VARIANT = {
    "code": "as the published code: the mean difference plus `rank` centred components, over all layers at once",
    "paper": "as the paper: the first uncentred principal direction over all layers at once",
}

METHODS = (
    Method(
        "mean_difference",
        "the mean of the target states minus the mean of the source states",
        source="Rimsky et al., 2023 (CAA); DiffMean",
        formula="v = mean h(y) - mean h(x)",
    ),
    Method(
        "pca",
        "first principal direction of the differences",
        (Parameter("center", Choice(_CENTER), "what is subtracted before", "none"),),
        source="Zou et al., 2023; repeng; Lee et al., 2024 (CAST)",
        formula="first right singular vector of the rows h(y) - h(x)",
    ),
    Method(
        "icv",
        "in-context vector",
        (
            Parameter("variant", Choice(_VARIANT), "the code's formula or the paper's", "code"),
            Parameter("rank", Number(1, integer=True), "how many components are added to the mean (variant `code`)", 1),
        ),
        source="Liu et al., 2023",
        formula="v = mean D + sum over r <= rank of V_r, D the differences over all layers",
    ),
)

# Rises when what is recorded beside a direction changes, whatever the method; 1: the largest projections.
_RECORD = 1

# How many pairs each method needs at least.
_LEAST = {"mean_difference": 1, "pca": 2, "icv": 3}


def capture_node(low: Lowering, model: ModelValue, data: Node, role: str, points: list[Json], tokens: Json) -> Node:
    """States at `points` (site and layer) of one side of some rows. All captures on one model may share a pass."""
    options: dict[str, Json] = {"role": role, "points": points, "tokens": tokens}
    group = f"capture:{model.base.key}:{model.node.key}"
    return low.node("capture", options, (model.node, data), "states", group=group)


def points_at(site: Json, layers: tuple[int, ...]) -> list[Json]:
    return [{"site": site, "layer": layer} for layer in layers]


def _capture(call: Call, low: Lowering) -> Any:
    model, data = call["model"], call["data"]
    if not is_causal(model, call.where("model"), "reading states", low):
        return POISON
    layers = low.layers(as_selection(call["layers"]), model.layers, call.where("layers"), f"`{model.name}`")
    if layers is None or not can_read(model, data, call.where("data"), low):
        return POISON
    node = capture_node(low, model, data.node, "text", points_at(call["site"], layers), call["tokens"])
    return StatesValue(node, model, call["site"], layers)


def _extract(call: Call, low: Lowering) -> Any:
    subject, other, choice = call["model"], call["data"], call["method"]
    if isinstance(subject, StatesValue):
        return _from_states(call, low, subject, other)
    if not is_causal(subject, call.where("model"), "extracting a direction", low):
        return POISON
    layers = low.layers(as_selection(call["layers"]), subject.layers, call.where("layers"), f"`{subject.name}`")
    if layers is None or not _fits(call, low, choice, other) or not can_read(subject, other, call.where("data"), low):
        return POISON
    points = points_at(call["site"], layers)
    if choice.method.name == "icv":
        # The method works on the embedding row as well and drops it afterwards.
        points = [{"site": {"select": "embedding"}, "layer": 0}, *points]
    sides = [capture_node(low, subject, other.node, role, points, call["tokens"]) for role in ("target", "source")]
    return _vector(call, low, choice, (sides[0], sides[1]), subject, call["site"], layers)


def _from_states(call: Call, low: Lowering, target: StatesValue, source: StatesValue) -> Any:
    if target.layers != source.layers or target.site != source.site:
        low.report(
            error(
                codes.PROVENANCE_MISMATCH,
                call.where("data"),
                "the two captures were read at different places",
                help="capture both at the same site and layers",
                notes=(f"layers {list(target.layers)} against {list(source.layers)}",),
            )
        )
        return POISON
    if call["method"].method.name == "icv":
        low.report(
            error(
                codes.ARGUMENT_TYPE,
                call.where("method"),
                "`icv` also reads the embedding, which these activations lack",
                help="extract from the model and its data: `extract(model, data, method = icv)`",
            )
        )
        return POISON
    return _vector(call, low, call["method"], (target.node, source.node), target.model, target.site, target.layers)


def _vector(
    call: Call,
    low: Lowering,
    choice: MethodChoice,
    states: tuple[Node, Node],
    model: ModelValue,
    site: Json,
    layers: tuple[int, ...],
) -> VectorValue:
    options: dict[str, Json] = {
        "method": choice.document(),
        "site": site,
        "layers": list(layers),
        "tokens": call["tokens"],
        "seed": call["seed"],
    }
    node = low.node("extract", options, states, "vector", version=choice.method.version + _RECORD)
    return VectorValue(node, model.base.key, model.name, site, layers, model.width, model.layers)


def _is_defined(call: Call, low: Lowering, choice: MethodChoice) -> bool:
    """Whether the method has a meaning with its options and the tokens read."""
    name, options = choice.method.name, choice.options
    if name == "icv" and options["variant"] == "paper" and options["rank"] != 1:
        message, help = (
            "the paper's in-context vector has one direction, so no rank",
            "leave out `rank`, or take variant `code`",
        )
    elif name != "mean_difference" and call["tokens"]["select"] == "all":
        message = f"`{name}` compares pairs, and `tokens = all` gives rows without partners"
        help = "read one token a text (`last`, `mean`, …), or take `mean_difference`"
    else:
        return True
    low.report(error(codes.ARGUMENT_TYPE, call.where("method"), message, help=help))
    return False


def _fits(call: Call, low: Lowering, choice: MethodChoice, data: DataValue) -> bool:
    name, count = choice.method.name, data.count
    if name == "pca" and choice.options["center"] == "mean":
        low.report(
            Diagnostic(
                codes.CENTRED_PCA,
                "centred PCA removes the mean difference, which is what most directions are",
                Label(call.where("method")),
                help=("take `pca(center = none)`, or `mean_difference`",),
            )
        )
    if not _is_defined(call, low, choice):
        return False
    rank = choice.options.get("rank")
    least = max(_LEAST[name], rank + 1 if isinstance(rank, int) else 0)
    if count is not None and count < least:
        low.report(
            error(
                codes.TOO_FEW_ROWS,
                call.where("data"),
                f"`{name}` needs at least {least} pairs, and this data has {count}",
                help="give more pairs" if rank in (None, 1) else "give more pairs, or a smaller rank",
            )
        )
        return False
    return True


def _subjects(given: Mapping[str, t.Typed]) -> Type | Mismatch:
    model, data = given["model"].type, given["data"].type
    if model == MODEL and data == ACTIVATIONS:
        return Mismatch(
            "activations are compared with activations", "give two activations, or a model and paired data", "data"
        )
    if model == ACTIVATIONS and data != ACTIVATIONS:
        return Mismatch(
            "activations are compared with activations", "give the source activations as second argument", "data"
        )
    if model == ACTIVATIONS and any(_written(given[n]) for n in ("layers", "site", "tokens")):
        return Mismatch(
            "layers, site and tokens were fixed when the activations were captured", "leave them out here", "model"
        )
    return VECTOR


def _written(argument: t.Typed) -> bool:
    return not (isinstance(argument, t.Constant) and argument.default)


_PLACES = (
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
            Parameter("data", Data((TEXTS,)), "the texts it reads"),
        ),
        _PLACES,
        ACTIVATIONS,
        _capture,
    ),
    Function(
        "extract",
        "a direction from demonstration pairs, pointing from source to target",
        "extraction",
        (
            Parameter("model", Value((MODEL, ACTIVATIONS)), "the model read, or activations of the target"),
            Parameter("data", Data((PAIRS, ACTIVATIONS)), "pairs of source and target, or activations of the source"),
        ),
        (
            Parameter("method", Methods(METHODS), "how the direction is made", MethodChoice(METHODS[0], {})),
            *_PLACES,
            Parameter("seed", Number(0, integer=True), "of the splits in the extraction report", 0),
        ),
        _subjects,
        _extract,
    ),
)
