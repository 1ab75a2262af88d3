"""What concepts mean: words of the vocabulary, and samples. Formulas: `steerlang/models/grounding.py`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from steerlang.diagnostics import codes, error
from steerlang.graph.node import Json, Node
from steerlang.language.lowering import Lowering
from steerlang.language.parameter_types import Data, Flag, Number, Spread, Value
from steerlang.language.signature import Call, Function, Parameter
from steerlang.language.types import CONCEPTS, METRIC, MODEL, NONE, SHIFT, TEXTS, VECTOR, list_of
from steerlang.language.values import POISON, ConceptsValue, MetricValue, ModelValue, ShiftValue

from .concepts import per_concept, with_activations
from .shifting import rows_of
from .tasks import is_causal

#: The metrics whose tables have a set of things for each concept.
SETS = frozenset({"metric.ground_words", "metric.ground_samples"})

WORD_OPTIONS = (
    Parameter("top", Number(1, 10_000, integer=True), "how many for each concept", 10),
    Parameter("final_norm", Flag(), "whether the model's last norm comes before its unembedding", False),
    Parameter("vocabulary", Data((TEXTS, NONE)), "the words that may be named; any of letters when left out", None),
    Parameter("stop", Data((TEXTS, NONE)), "words that are not named", None),
)


def words_node(
    call: Call, low: Lowering, of: tuple[Node, ...], model: ModelValue, names: tuple[str, ...] = ()
) -> Node:
    """The words of the vectors that nodes hold, by the options of a call. `names`: what several vectors are called."""
    lists = [(name, call[name]) for name in ("vocabulary", "stop") if call[name] is not None]
    options: dict[str, Json] = {
        "top": call["top"],
        "final_norm": call["final_norm"],
        "lists": [name for name, _ in lists],
    }
    if names:
        options["vectors"] = list(names)
    inputs = (*of, model.base, *(data.node for _, data in lists))
    # Any number of dictionaries go through the unembedding together.
    group = f"words:{model.base.key}"
    return low.node("metric.ground_words", options, inputs, "metric", group=group)


def speaks(model: ModelValue, width: int, of: str, where: Any, low: Lowering) -> bool:
    """Whether a model's unembedding can read vectors of a width."""
    if not is_causal(model, where, "naming words", low):
        return False
    if model.width == width:
        return True
    message = f"the concepts are {width} wide (from `{of}`), and `{model.name}` is {model.width} wide"
    low.report(error(codes.WIDTH_MISMATCH, where, message, help="take the model they were read from, or one as wide"))
    return False


def _ground_words(call: Call, low: Lowering) -> Any:
    given, model = call["x"], call["on"]
    vectors = given if isinstance(given, list) else [given]
    for vector in vectors:
        of = vector.dictionary if isinstance(vector, ShiftValue) else vector
        if not speaks(model, of.width, of.model_name, call.where("on"), low):
            return POISON
    names = tuple(v.label or str(i) for i, v in enumerate(vectors)) if isinstance(given, list) else ()
    node = words_node(call, low, tuple(v.node for v in vectors), model, names)
    whole = given.dictionary if isinstance(given, ShiftValue) else given
    return per_concept(node, whole.k) if isinstance(whole, ConceptsValue) else MetricValue(node)


def _ground_samples(call: Call, low: Lowering) -> MetricValue:
    concepts: ConceptsValue = call["x"]
    # What stands in the texts: the rows, and what was generated after them, where that was read.
    read = concepts.states.node.inputs[1]
    rows = rows_of(concepts.states.node)
    texts = (rows,) if rows is read else (rows, read)
    inputs = (with_activations(concepts, low), *texts)
    return per_concept(low.node("metric.ground_samples", {"top": call["top"]}, inputs, "metric"), concepts.k)


def _dictionary_overlap(call: Call, low: Lowering) -> Any:
    metric: MetricValue = call["grounded"]
    if metric.node.operation not in SETS:
        message = "this metric has no words and no samples of concepts"
        help = "give a metric of `ground_words` or `ground_samples`"
        low.report(error(codes.NOT_PER_CONCEPT, call.where("grounded"), message, help=help))
        return POISON
    return replace(metric, node=low.node("metric.dictionary_overlap", {}, (metric.node,), "metric"))


FUNCTIONS = (
    Function(
        "ground_words",
        "the words that concepts raise most, and how many of a concept's words are its own",
        "concepts",
        (
            Parameter(
                "x",
                Spread(Value((CONCEPTS, VECTOR, SHIFT, list_of(VECTOR))), "concepts"),
                "a dictionary, a vector, a shift, `pairs_of(…)`, or a list",
            ),
        ),
        (Parameter("on", Value((MODEL,)), "the model whose unembedding is read"), *WORD_OPTIONS),
        METRIC,
        _ground_words,
        source="nostalgebraist, 2020 (logit lens); Parekh et al., 2024",
    ),
    Function(
        "ground_samples",
        "the samples that activate concepts most, and how many of a concept's samples are its own",
        "concepts",
        (Parameter("x", Spread(Value((CONCEPTS,)), "concepts"), "a dictionary, or a list"),),
        (Parameter("top", Number(1, 10_000, integer=True), "how many for each concept", 10),),
        METRIC,
        _ground_samples,
        source="Parekh et al., 2024",
    ),
    Function(
        "dictionary_overlap",
        "how much concepts share words (or samples): the mean over i and j of |T_i and T_j| / |T_i|",
        "concepts",
        (Parameter("grounded", Value((METRIC,)), "a metric of `ground_words` or `ground_samples`"),),
        (),
        METRIC,
        _dictionary_overlap,
        source="Parekh et al., 2024",
    ),
)
