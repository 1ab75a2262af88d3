"""Making directions of states: `extract`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from steerlang.diagnostics import Diagnostic, Label, codes, error
from steerlang.graph.node import Json, Node
from steerlang.language import typed as t
from steerlang.language.layers import spelled
from steerlang.language.lowering import Lowering
from steerlang.language.parameter_types import Data, Methods, Number, Value
from steerlang.language.signature import Call, Function, MethodChoice, Mismatch, Parameter
from steerlang.language.types import ACTIVATIONS, MODEL, PAIRS, VECTOR, Type
from steerlang.language.values import (
    POISON,
    ModelValue,
    StatesValue,
    VectorValue,
)

from .capturing import PLACES, capture_node, has_tokens, layers_at, points_at
from .extraction_methods import FROM_EXAMPLES, LEAST, METHODS, needs_pairs
from .in_context import from_examples
from .tasks import is_causal
from .texts import can_read

# Rises when what is recorded beside a direction changes, whatever the method; 1: the largest projections.
_RECORD = 1

def _extract(call: Call, low: Lowering) -> Any:
    subject, other, choice = call["model"], call["data"], call["method"]
    if isinstance(subject, StatesValue):
        return _from_states(call, low, subject, other)
    if not is_causal(subject, call.where("model"), "extracting a direction", low):
        return POISON
    layers = layers_at(call, low, subject)
    if layers is None or not can_read(subject, other, call.where("data"), low):
        return POISON
    if choice.method in FROM_EXAMPLES:
        return from_examples(call, low, layers)
    if not _is_defined(call, low, choice) or not _enough(call, low, choice, other.count):
        return POISON
    if not has_tokens(call, low, other):
        return POISON
    points = points_at(call["site"], layers)
    if choice.method.name == "icv":
        # The method works on the embedding row as well and drops it afterwards.
        points = [{"site": {"select": "embedding"}, "layer": 0}, *points]
    sides = [capture_node(low, subject, other.node, role, points, call["tokens"]) for role in ("target", "source")]
    return directions(
        low, choice, call["seed"], (sides[0], sides[1]), subject, call["site"], layers, call["tokens"]
    )


def _from_states(call: Call, low: Lowering, target: StatesValue, source: StatesValue) -> Any:
    choice = call["method"]
    if not _same_place(call, low, target, source) or not _takes_states(call, low, choice):
        return POISON
    if target.tokens != source.tokens:
        low.report(
            Diagnostic(
                codes.MIXED_TOKENS,
                f"the target was read at {_written_as(target.tokens)}, the source at {_written_as(source.tokens)}",
                Label(call.where("data")),
                help=("read both at the same tokens, unless the difference between the tokens is meant",),
            )
        )
    counts = (target.count, source.count)
    if needs_pairs(choice.method.name, choice.options) and None not in counts and counts[0] != counts[1]:
        message = f"`{choice.method.name}` compares pairs, and there are {counts[0]} texts against {counts[1]}"
        help = "capture both sides of the same pairs, or take `mean_difference`, `probe` or `lda`"
        low.report(error(codes.UNFIT_DATA, call.where("data"), message, help=help))
        return POISON
    fewest = None if target.count is None or source.count is None else min(target.count, source.count)
    if not _is_defined(call, low, choice, target.tokens) or not _enough(call, low, choice, fewest):
        return POISON
    places = (target.model, target.site, target.layers, target.tokens)
    paired = needs_pairs(choice.method.name, choice.options)
    return directions(low, choice, call["seed"], (target.node, source.node), *places, paired)


def _takes_states(call: Call, low: Lowering, choice: MethodChoice) -> bool:
    if choice.method.name == "icv":
        message = "`icv` also reads the embedding, which these activations lack"
    elif choice.method in FROM_EXAMPLES:
        message = f"`{choice.method.name}` makes prompts of the pairs itself, which activations no longer are"
    else:
        return True
    help = f"extract from the model and its data: `extract(model, data, method = {choice.method.name})`"
    low.report(error(codes.ARGUMENT_TYPE, call.where("method"), message, help=help))
    return False


def _same_place(call: Call, low: Lowering, target: StatesValue, source: StatesValue) -> bool:
    """Whether two captures may be compared: of the same weights, at one site and the same layers."""
    if target.model.base.key != source.model.base.key:
        said = (f"from `{target.model.name}`", f"from `{source.model.name}`")
    elif target.site != source.site:
        said = (f"at {_written_as(target.site)}", f"at {_written_as(source.site)}")
    elif target.layers != source.layers:
        said = (f"at layers {spelled(target.layers)}", f"at layers {spelled(source.layers)}")
    else:
        return True
    low.report(
        error(
            codes.PROVENANCE_MISMATCH,
            call.where("data"),
            f"these activations cannot be compared: the target was read {said[0]}, the source {said[1]}",
            help="capture both from one model, at the same site and layers",
        )
    )
    return False


def _written_as(selector: Any) -> str:
    arguments = ", ".join(f'"{v}"' if isinstance(v, str) else str(v) for k, v in selector.items() if k != "select")
    return f"`{selector['select']}({arguments})`" if arguments else f"`{selector['select']}`"


def directions(
    low: Lowering,
    choice: MethodChoice,
    seed: int,
    states: tuple[Node, Node],
    model: ModelValue,
    site: Json,
    layers: tuple[int, ...],
    tokens: Json,
    paired: bool = True,
) -> VectorValue:
    """The vector that a method makes of the target's and the source's states; `paired`: row by row."""
    options: dict[str, Json] = {
        "method": choice.document(),
        "site": site,
        "layers": list(layers),
        "tokens": tokens,
        "seed": seed,
    }
    options |= {} if paired else {"paired": False}
    node = low.node("extract", options, states, "vector", version=choice.method.version + _RECORD)
    return VectorValue(node, model.base.key, model.name, site, layers, model.width, model.layers)


def _is_defined(call: Call, low: Lowering, choice: MethodChoice, tokens: Any = None) -> bool:
    """Whether the method has a meaning with its options and the tokens read."""
    name, options = choice.method.name, choice.options
    select = (tokens or call["tokens"])["select"]
    if name == "icv" and options["variant"] == "paper" and options["rank"] != 1:
        message, help = (
            "the paper's in-context vector has one direction, so no rank",
            "leave out `rank`, or take variant `code`",
        )
    elif needs_pairs(name, options) and select == "all":
        message = f"`{name}` compares pairs, and `tokens = all` gives rows without partners"
        help = "read one token a text (`last`, `mean`, …), or take `mean_difference`"
    else:
        _doubt(call, low, choice)
        return True
    low.report(error(codes.ARGUMENT_TYPE, call.where("method"), message, help=help))
    return False


def _doubt(call: Call, low: Lowering, choice: MethodChoice) -> None:
    if choice.method.name == "pca" and choice.options["center"] == "mean":
        low.report(
            Diagnostic(
                codes.CENTRED_PCA,
                "centred PCA removes the mean difference, which is what most directions are",
                Label(call.where("method")),
                help=("take `pca(center = none)`, or `mean_difference`",),
            )
        )


def _enough(call: Call, low: Lowering, choice: MethodChoice, count: int | None) -> bool:
    """Whether there are as many pairs as the method needs."""
    rank = choice.options.get("rank")
    least = max(LEAST[choice.method.name], rank + 1 if isinstance(rank, int) else 0)
    if count is None or count >= least:
        return True
    low.report(
        error(
            codes.TOO_FEW_ROWS,
            call.where("data"),
            f"`{choice.method.name}` needs at least {least} pairs, and this data has {count}",
            help="give more pairs" if rank in (None, 1) else "give more pairs, or a smaller rank",
        )
    )
    return False


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


FUNCTIONS = (
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
            *PLACES,
            Parameter("seed", Number(0, integer=True), "of the method, and of the splits in the extraction report", 0),
        ),
        _subjects,
        _extract,
        gives=(VECTOR,),
    ),
)
