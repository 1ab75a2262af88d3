"""Concepts: dictionaries of states and their algebra. Formulas: `steerlang/kernels/concepts.py`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from steerlang.diagnostics import Diagnostic, Label, codes, error
from steerlang.graph.node import Json, Node
from steerlang.language.layers import spelled
from steerlang.language.lowering import Lowering
from steerlang.language.parameter_types import Choice, Methods, Number, Value
from steerlang.language.signature import Call, Function, Method, MethodChoice, Operator, Parameter
from steerlang.language.types import ACTIVATIONS, CONCEPTS, NUMBER, SHIFT, VECTOR, list_of
from steerlang.language.values import POISON, ConceptsValue, MetricValue, ShiftValue, StatesValue, VectorValue
from steerlang.source import Span

_SUM = "vector.sum"
# Rises when what is recorded beside a dictionary changes, whatever the method; 1: whether the fit has converged.
_RECORD = 1
# Of how many concepts all pairs are made at most.
_MOST = 100
_NEGATIVES = {"refuse": "an error", "clip": "taken as 0"}
_STEPS = Parameter("steps", Number(1, 1_000_000, integer=True), "the most iterations", 1000)

METHODS = (
    Method(
        "kmeans",
        "centroids of clusters",
        (Parameter("restarts", Number(1, 1000, integer=True), "starts, of which the best is kept", 10),),
        source="MacQueen, 1967; k-means++",
        formula="U centroids, V = 1 / (1 + |z - u_k|)",
    ),
    Method(
        "snmf",
        "sparse dictionary with nonnegative activations (semi-NMF)",
        (Parameter("alpha", Number(0, exclusive=True), "how sparse the activations are", 1.0), _STEPS),
        source="Ding et al., 2010; Parekh et al., 2024 (CoX-LMM)",
        formula="min 1/2 |Z - V U|^2 + alpha |V|_1, V >= 0, |u_k| <= 1",
    ),
    Method(
        "pca",
        "principal directions of the centred states",
        source="Pearson, 1901",
        formula="V = (Z - mean Z) U^T, U orthonormal",
    ),
    Method(
        "nmf",
        "nonnegative factorisation, of states that are nowhere negative",
        (Parameter("negatives", Choice(_NEGATIVES), "what a negative number in a state is", "refuse"), _STEPS),
        source="Lee and Seung, 1999",
        formula="min 1/2 |Z - V U|^2, U >= 0, V >= 0",
    ),
    Method(
        "largest_norm",
        "the states of greatest norm, the longest first: a baseline",
        source="Parekh et al., 2024",
        formula="U the K longest states, V = 1 / (1 + |z - u_k|)",
    ),
)
#: Methods whose rows are states, so that a shift of states adds to them.
_IN_UNITS_OF_STATES = frozenset({"kmeans", "largest_norm"})


def _decompose(call: Call, low: Lowering) -> Any:
    states: StatesValue = call["acts"]
    choice: MethodChoice = call["method"]
    if not _one_layer(call, states, low) or not _enough(call, states, choice, low):
        return POISON
    options: dict[str, Json] = {"method": choice.document(), "k": call["k"], "seed": call["seed"]}
    node = low.node("concepts.decompose", options, (states.node,), "concepts", version=choice.method.version + _RECORD)
    model = states.model
    place = (states.site, states.layers[0], model.width, model.layers)
    return ConceptsValue(node, model.base.key, model.name, *place, call["k"], choice.method.name, states)


def _one_layer(call: Call, states: StatesValue, low: Lowering) -> bool:
    if len(states.layers) == 1:
        return True
    message = f"a dictionary is of one layer, and these activations have layers {spelled(states.layers)}"
    low.report(error(codes.NOT_ONE_LAYER, call.where("acts"), message, help="capture one of them: `layers = 3`"))
    return False


def _enough(call: Call, states: StatesValue, choice: MethodChoice, low: Lowering) -> bool:
    """Whether there are as many states as concepts, as far as that is known."""
    k, count, width = call["k"], states.count, states.model.width
    if choice.method.name == "pca" and k > width:
        message, most = f"{k} principal directions of states that are {width} wide", width
    elif count is not None and states.tokens["select"] != "all" and k > count:  # type: ignore[call-overload,index]
        message, most = f"{k} concepts of at most {count} states", count
    else:
        return True
    low.report(error(codes.TOO_MANY_CONCEPTS, call.where("k"), message, help=f"take at most {most}"))
    return False


def _project(call: Call, low: Lowering) -> Any:
    concepts, states = call["concepts"], call["acts"]
    if not same_place_as(concepts, states, call.where("acts"), low):
        return POISON
    node = activations_on(concepts, states, low)
    return replace(concepts, node=node, states=states, fitted=True)


def activations_on(concepts: ConceptsValue, states: StatesValue, low: Lowering) -> Node:
    """The node that holds the concepts with their activations on these states."""
    if concepts.fitted and concepts.states.node is states.node:
        return concepts.node
    group = f"project:{states.node.key}"
    return low.node("concepts.project", {}, (concepts.node, states.node), "concepts", group=group)


def with_activations(concepts: ConceptsValue, low: Lowering) -> Node:
    """The node that holds the concepts with the activations that are theirs."""
    return activations_on(concepts, concepts.states, low)


def per_concept(node: Node, k: int) -> MetricValue:
    """A metric with a number for each of k concepts: `found[3]`."""
    return MetricValue(node, lines="concept", names=tuple(map(str, range(k))))


def same_place_as(concepts: ConceptsValue, states: StatesValue, where: Span, low: Lowering) -> bool:
    """Whether states lie where the concepts do: at their site and layer, as wide. They may be another model's."""
    if states.model.width != concepts.width:
        code = codes.WIDTH_MISMATCH
        said = (f"{concepts.width} wide", f"{states.model.width} wide (from `{states.model.name}`)")
    elif states.site != concepts.site:
        code, said = codes.CAPTURES_DIFFER, (f"at {written(concepts.site)}", f"at {written(states.site)}")
    elif states.layers != concepts.layers:
        code, said = codes.CAPTURES_DIFFER, (f"of layer {concepts.layer}", f"of {layers_text(states.layers)}")
    else:
        return True
    message = f"the concepts are {said[0]}, and these activations {said[1]}"
    low.report(error(code, where, message, help="capture at the site and layer that the dictionary was made of"))
    return False


def layers_text(layers: tuple[int, ...]) -> str:
    """`layer 3`, `layers 3..5`."""
    return f"layer{'s' if len(layers) > 1 else ''} {spelled(layers)}"


def written(selector: Any) -> str:
    """A site or selector as a program writes it, in backquotes."""
    arguments = ", ".join(f'"{v}"' if isinstance(v, str) else str(v) for k, v in selector.items() if k != "select")
    return f"`{selector['select']}({arguments})`" if arguments else f"`{selector['select']}`"


# ---- vectors of concepts -------------------------------------------------------------------------------------------


def _concept_at(call: Call, low: Lowering) -> Any:
    concepts, index = call["concepts"], call["index"]
    dictionary = concepts.dictionary if isinstance(concepts, ShiftValue) else concepts
    if index >= dictionary.k:
        message = f"there is no concept {index}: the dictionary has {dictionary.k}, 0 to {dictionary.k - 1}"
        low.report(error(codes.NO_SUCH_CONCEPT, call.where("index"), message, help="concepts are counted from 0"))
        return POISON
    return _row(concepts, index, low)


def _row(concepts: ConceptsValue | ShiftValue, index: int, low: Lowering) -> VectorValue:
    shifted = isinstance(concepts, ShiftValue)
    of = concepts.dictionary if isinstance(concepts, ShiftValue) else concepts
    operation = "shift.vector" if shifted else "concepts.vector"
    node = low.node(operation, {"index": index}, (concepts.node,), "vector")
    return VectorValue(node, of.model, of.model_name, of.site, of.layers, of.width, of.depth, label=str(index))


def _pairs_of(call: Call, low: Lowering) -> Any:
    """u_j − u_i for all i ≠ j, as `dict[j] - dict[i]` makes it: i first, then j."""
    concepts: ConceptsValue = call["concepts"]
    if not 2 <= concepts.k <= _MOST:
        message = f"{concepts.k} concepts make {concepts.k * (concepts.k - 1):,} pairs"
        help = f"decompose into 2 to {_MOST} concepts"
        low.report(error(codes.OUT_OF_BOUNDS, call.where("concepts"), message, help=help))
        return POISON
    rows = [_row(concepts, i, low) for i in range(concepts.k)]
    return [
        replace(_difference(rows[j], rows[i], low), label=f"{i} to {j}")
        for i in range(concepts.k)
        for j in range(concepts.k)
        if i != j
    ]


def _difference(to: VectorValue, start: VectorValue, low: Lowering) -> VectorValue:
    weighted = sorted([(to.node, 1.0), (start.node, -1.0)], key=lambda pair: pair[0].key)
    options: dict[str, Json] = {"weights": [w for _, w in weighted]}
    return replace(to, node=low.node(_SUM, options, tuple(n for n, _ in weighted), "vector"))


# ---- sums with shifts ----------------------------------------------------------------------------------------------


def _scaled(shift: ShiftValue, factor: float, low: Lowering) -> ShiftValue:
    node = shift.node
    if node.operation == "shift.scaled":
        before: Any = node.options["factor"]
        node, factor = node.inputs[0], factor * before
    made = low.node("shift.scaled", {"factor": float(factor)}, (node,), "shift", group=f"scaled:{node.key}")
    return replace(shift, node=made)


def _divided(operands: tuple[Any, ...], span: Span, low: Lowering) -> Any:
    if operands[1] == 0:
        low.report(error(codes.OUT_OF_BOUNDS, span, "division by zero", help="divide by another number"))
        return POISON
    return _scaled(operands[0], 1 / operands[1], low)


def _moved(sign: float) -> Any:
    def lower(operands: tuple[Any, ...], span: Span, low: Lowering) -> Any:
        concepts, shift = operands if isinstance(operands[0], ConceptsValue) else tuple(reversed(operands))
        if _unshifted(concepts.node) is not _unshifted(shift.dictionary.node):
            message = "this shift was assigned to the concepts of another dictionary"
            help = "add it to the dictionary it was made by: `shift(before, after, by = …)`"
            low.report(error(codes.CAPTURES_DIFFER, span, message, help=help))
            return POISON
        _warn_of_units(concepts, span, low)
        added = shift if sign > 0 else _scaled(shift, sign, low)
        group = f"shifted:{concepts.node.key}"  # all strengths of a sweep at once
        node = low.node("concepts.shifted", {}, (concepts.node, added.node), "concepts", group=group)
        return replace(concepts, node=node, states=shift.after, fitted=False)

    return lower


def _unshifted(node: Node) -> Node:
    """The dictionary as it was decomposed: shifts and activations of other states leave the concepts their numbers."""
    while node.operation in ("concepts.shifted", "concepts.project"):
        node = node.inputs[0]
    return node


def _warn_of_units(concepts: ConceptsValue, span: Span, low: Lowering) -> None:
    if concepts.method in _IN_UNITS_OF_STATES:
        return
    message = f"concepts of `{concepts.method}` are not in the units of states, and a shift is"
    help = "decompose by `kmeans`, or use the shift by itself: `moved[3]`"
    low.report(Diagnostic(codes.OTHER_UNITS, message, Label(span), help=(help,)))


OPERATORS = (
    Operator("*", (NUMBER, SHIFT), SHIFT, lambda o, _, low: _scaled(o[1], o[0], low)),
    Operator("*", (SHIFT, NUMBER), SHIFT, lambda o, _, low: _scaled(o[0], o[1], low)),
    Operator("/", (SHIFT, NUMBER), SHIFT, _divided),
    Operator("-", (SHIFT,), SHIFT, lambda o, _, low: _scaled(o[0], -1.0, low)),
    Operator("+", (CONCEPTS, SHIFT), CONCEPTS, _moved(1.0)),
    Operator("+", (SHIFT, CONCEPTS), CONCEPTS, _moved(1.0)),
    Operator("-", (CONCEPTS, SHIFT), CONCEPTS, _moved(-1.0)),
)

_CONCEPTS = Parameter("concepts", Value((CONCEPTS,)), "the dictionary")
_ACTS = Parameter("acts", Value((ACTIVATIONS,)), "the states, of one layer")

FUNCTIONS = (
    Function(
        "decompose",
        "a dictionary of concepts: states as combinations of few vectors",
        "concepts",
        (_ACTS,),
        (
            Parameter("method", Methods(METHODS), "how", MethodChoice(METHODS[0], {"restarts": 10})),
            Parameter("k", Number(1, 100_000, integer=True), "how many concepts"),
            Parameter("seed", Number(0, integer=True), "of random starts", 0),
        ),
        CONCEPTS,
        _decompose,
        source="Parekh et al., 2024",
    ),
    Function(
        "project",
        "the same concepts with their activations on other states",
        "concepts",
        (_CONCEPTS, _ACTS),
        (),
        CONCEPTS,
        _project,
    ),
    Function(
        "concept_at",
        "the vector of one concept, or of one concept's shift; `dict[3]` is the same",
        "concepts",
        (Parameter("concepts", Value((CONCEPTS, SHIFT)), "the dictionary, or a shift"),),
        (Parameter("index", Number(0, integer=True), "which concept, from 0"),),
        VECTOR,
        _concept_at,
    ),
    Function(
        "pairs_of",
        "the vectors from every concept to every other, u_j - u_i: `0 to 1`, `0 to 2`, …",
        "concepts",
        (_CONCEPTS,),
        (),
        list_of(VECTOR),
        _pairs_of,
        source="Khayatan et al., 2025, fine-grained steering",
    ),
)
