"""How well a shift accounts for a fine-tune: its statistics, and recovery. Formulas: `steerlang/kernels/shifts.py`."""

from __future__ import annotations

from typing import Any

from steerlang.diagnostics import codes, error
from steerlang.graph.node import Json, Node
from steerlang.language.lowering import Lowering
from steerlang.language.parameter_types import Choice, Value
from steerlang.language.signature import Call, Function, Parameter
from steerlang.language.types import CONCEPTS, METRIC, MODEL, NONE, SHIFT
from steerlang.language.values import POISON, ConceptsValue, MetricValue, ModelValue, ShiftValue

from .concepts import per_concept, with_activations
from .grounding import WORD_OPTIONS, speaks, words_node
from .shifting import rows_of

_STATISTICS = {
    "consistency": "the mean cosine of two samples' differences",
    "alignment": "the mean cosine of a sample's difference to the concept's shift",
    "magnitude": "the length of the concept's shift",
    "count": "samples of the concept that were found in both models",
}
_MATCH = {
    "hungarian": "one to one, so that the sum of cosines is largest",
    "nearest": "each with the one of largest cosine",
}
_MEASURE = {
    "cosine": "cos(u, w), w the concept that u should become",
    "distance": "|w - u|, smaller is better",
    "words": "the share of the words of w that are among those of u; needs `on`",
    "samples": "the share of the strongest samples of w that are among those of u",
}
_AS = {
    "gain": "how much better the shifted concepts are than the unshifted ones",
    "normalized": "the gain divided by what the unshifted concepts have",
    "shifted": "what the shifted concepts have",
    "unshifted": "what the unshifted concepts have",
    "improved": "the share of concepts that are better shifted than unshifted",
}
_WORDS_ONLY = ("final_norm", "vocabulary", "stop")


def _statistics(call: Call, low: Lowering) -> MetricValue:
    shift: ShiftValue = call["shift"]
    node = low.node("metric.shift_statistics", {"measure": call["measure"]}, (shift.node,), "metric")
    return per_concept(node, shift.dictionary.k)


def _recovery(call: Call, low: Lowering) -> Any:
    shifted, unshifted, to = call["shifted"], call["from"], call["to"]
    if not _alike(call, low, shifted, unshifted, to) or not _measurable(call, low, to):
        return POISON
    dictionaries = [with_activations(d, low) for d in (shifted, unshifted, to)]
    model: ModelValue | None = call["on"]
    named = () if model is None else (shifted, unshifted, to)
    words: list[Node] = [words_node(call, low, (d.node,), model) for d in named if model is not None]
    options: dict[str, Json] = {
        "match": call["match"],
        "measure": call["measure"],
        "as": call["as"],
        "top": call["top"],
        "words": model is not None,
        "samples": _same_data(shifted, unshifted, to),
    }
    group = f"recovery:{to.node.key}"
    return per_concept(low.node("metric.recovery", options, (*dictionaries, *words), "metric", group=group), shifted.k)


def _alike(
    call: Call, low: Lowering, shifted: ConceptsValue, unshifted: ConceptsValue, to: ConceptsValue
) -> bool:
    """Whether the three dictionaries can be compared, and the first two concept by concept."""
    if shifted.k != unshifted.k:
        name, message = "from", f"{shifted.k} shifted concepts, and {unshifted.k} unshifted ones"
    elif shifted.width != unshifted.width or shifted.width != to.width:
        name, message = "to", f"the concepts are {shifted.width}, {unshifted.width} and {to.width} wide"
    elif call["match"] == "hungarian" and to.k < shifted.k:
        name, message = "to", f"{shifted.k} concepts cannot each have one of {to.k}"
    elif (shifted.site, shifted.layer) != (to.site, to.layer):
        name, message = "to", f"the concepts are of layer {shifted.layer}, those to recover of layer {to.layer}"
    else:
        return True
    help = "decompose both models alike: the same k, site and layer"
    low.report(error(codes.CAPTURES_DIFFER, call.where(name), message, help=help))
    return False


def _measurable(call: Call, low: Lowering, to: ConceptsValue) -> bool:
    """Whether words and samples can be compared where they are asked for."""
    model: ModelValue | None = call["on"]
    if model is not None:
        return speaks(model, to.width, to.model_name, call.where("on"), low)
    written = next((name for name in _WORDS_ONLY if call.is_written(name)), None)
    if call["measure"] == "words":
        where, message = call.where("measure"), "words are read off a model's unembedding, and none is given"
        help = "name the model: `on = base`"
    elif written is not None:
        where, message = call.where(written), f"`{written}` says which words are named, and none are"
        help = "name the model whose unembedding is read, `on = base`, or leave it out"
    elif call["measure"] == "samples" and not _same_data(call["shifted"], call["from"], to):
        where, message = call.where("measure"), "the dictionaries are of different samples"
        help = "decompose states of the same samples, or measure by `cosine` or `distance`"
    else:
        return True
    low.report(error(codes.ARGUMENT_TYPE, where, message, help=help))
    return False


def _same_data(*concepts: ConceptsValue) -> bool:
    """Whether row i is the same sample in all of them."""
    return len({rows_of(c.states.node).key for c in concepts}) == 1


FUNCTIONS = (
    Function(
        "shift_statistics",
        "how the samples of each concept move together: the mean over concepts, and a table",
        "concepts",
        (Parameter("shift", Value((SHIFT,)), "the shift"),),
        (Parameter("measure", Choice(_STATISTICS), "which number stands for the whole", "consistency"),),
        METRIC,
        _statistics,
        source="Khayatan et al., 2025",
    ),
    Function(
        "recovery",
        "how near shifted concepts come to those of a fine-tune, beside the unshifted ones: a table, and its mean",
        "concepts",
        (Parameter("shifted", Value((CONCEPTS,)), "the shifted concepts"),),
        (
            Parameter("from", Value((CONCEPTS,)), "the concepts before the shift: the baseline"),
            Parameter("to", Value((CONCEPTS,)), "the concepts of the fine-tune"),
            Parameter("match", Choice(_MATCH), "how concepts of both find each other, before the shift", "hungarian"),
            Parameter("measure", Choice(_MEASURE), "what stands for the whole", "cosine"),
            Parameter("as", Choice(_AS), "in which form", "gain"),
            Parameter("on", Value((MODEL, NONE)), "the model whose unembedding names words", None),
            *WORD_OPTIONS,
        ),
        METRIC,
        _recovery,
        source="Khayatan et al., 2025",
    ),
)
