"""How concepts move between two models: `shift`. Formulas: `steerlang/kernels/shifts.py`."""

from __future__ import annotations

from typing import Any

from steerlang.diagnostics import Diagnostic, Label, codes, error
from steerlang.graph.node import Json, Node
from steerlang.language.lowering import Lowering
from steerlang.language.parameter_types import Choice, Value
from steerlang.language.signature import Call, Function, Parameter
from steerlang.language.types import ACTIVATIONS, CONCEPTS, SHIFT
from steerlang.language.values import POISON, ConceptsValue, ShiftValue, StatesValue
from steerlang.source import Span

from .concepts import activations_on, layers_text, same_place_as, written

_REDUCE = {
    "mean": "the mean of the states after minus the mean of those before",
    "median": "the same with the median of each entry",
    "trimmed": "the same with means that leave out a tenth at each end",
}
_ASSIGN = {
    "argmax": "its concept of largest activation",
    "argmax_abs": "that of the activation of largest magnitude",
}


def _shift(call: Call, low: Lowering) -> Any:
    before, after, dictionary = call["before"], call["after"], call["by"]
    if not _comparable(before, after, call.where("after"), low) or not _dictionary_fits(call, low):
        return POISON
    options: dict[str, Json] = {"reduce": call["reduce"], "assign": call["assign"]}
    inputs = (activations_on(dictionary, before, low), before.node, after.node)
    return ShiftValue(low.node("shift", options, inputs, "shift"), dictionary, before, after)


def _dictionary_fits(call: Call, low: Lowering) -> bool:
    dictionary: ConceptsValue = call["by"]
    before: StatesValue = call["before"]
    if not same_place_as(dictionary, before, call.where("by"), low):
        return False
    if dictionary.model == before.model.base.key:
        return True
    message = f"the dictionary is of `{dictionary.model_name}`, and the states before are of `{before.model.name}`"
    help = "decompose the states before: concepts are followed from the model they were found in"
    low.report(error(codes.PROVENANCE_MISMATCH, call.where("by"), message, help=help))
    return False


def _comparable(before: StatesValue, after: StatesValue, where: Span, low: Lowering) -> bool:
    """Whether two captures may be compared sample by sample."""
    if before.model.width != after.model.width:
        code = codes.WIDTH_MISMATCH
        said = (f"{before.model.width} wide (`{before.model.name}`)", f"{after.model.width} (`{after.model.name}`)")
    elif before.site != after.site:
        code, said = codes.CAPTURES_DIFFER, (f"read at {written(before.site)}", f"at {written(after.site)}")
    elif before.layers != after.layers:
        code, said = codes.CAPTURES_DIFFER, (f"of {layers_text(before.layers)}", f"of {layers_text(after.layers)}")
    else:
        return _same_samples(before, after, where, low)
    message = f"the states before are {said[0]}, those after {said[1]}"
    low.report(error(code, where, message, help="capture both at the same site and layer"))
    return False


def _same_samples(before: StatesValue, after: StatesValue, where: Span, low: Lowering) -> bool:
    """Whether row i of both is of the same sample; what is read of it should be the same too."""
    same = rows_of(before.node) is rows_of(after.node)
    if not same and before.count != after.count and None not in (before.count, after.count):
        message = f"the states before are of {before.count} samples, those after of {after.count}"
        low.report(error(codes.CAPTURES_DIFFER, where, message, help="capture the same samples in both models"))
        return False
    if before.tokens != after.tokens:
        message = f"the states before were read at {written(before.tokens)}, those after at {written(after.tokens)}"
        help = "read both at the same tokens, unless the difference between the tokens is meant"
        low.report(Diagnostic(codes.MIXED_TOKENS, message, Label(where), help=(help,)))
    return True


def rows_of(states: Node) -> Node:
    """The rows that were read, or that texts were generated from."""
    node = states.inputs[1]
    while node.operation == "generate":
        node = node.inputs[1]
    return node


FUNCTIONS = (
    Function(
        "shift",
        "how each concept moves from one model to another: a vector a concept",
        "concepts",
        (
            Parameter("before", Value((ACTIVATIONS,)), "states of the model the concepts are of"),
            Parameter("after", Value((ACTIVATIONS,)), "states of the other model on the same samples"),
        ),
        (
            Parameter("by", Value((CONCEPTS,)), "the dictionary that says which samples belong to a concept"),
            Parameter("reduce", Choice(_REDUCE), "how the samples of a concept are drawn together", "mean"),
            Parameter("assign", Choice(_ASSIGN), "which concept a sample belongs to", "argmax"),
        ),
        SHIFT,
        _shift,
        source="Khayatan et al., 2025",
    ),
)
