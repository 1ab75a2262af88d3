"""Composing task vectors: coefficients, patterns of tensor names, and the methods of merging."""

from __future__ import annotations

from typing import Any

from steerlang.diagnostics import codes, error
from steerlang.graph.node import Json
from steerlang.language.lowering import Lowering
from steerlang.language.parameter_types import Choice, Flag, ListOf, Methods, Number, Text, Value
from steerlang.language.signature import Call, Function, Method, MethodChoice, Parameter
from steerlang.language.types import COEFFICIENTS, MODEL, NUMBER, PATTERN, RULE, TASKVECTOR
from steerlang.language.values import POISON, CoefficientsSetValue, CoefficientsValue, ModelValue

from .editing import slerped
from .reports import counted
from .terms import Term
from .weights import belong, composed_vector, sources

_DENSITY = "the share of entries kept"
_NORMALIZE = {
    "count": "the sum of agreeing entries is divided by their number",
    "weights": "it is divided by their weights",
    "none": "it is left as it is",
}
_SCOPE = {"tensor": "thresholds of each tensor", "all": "thresholds of all tensors together"}


def _share(default: float) -> Parameter:
    return Parameter("density", Number(0, 1, exclusive=True), _DENSITY, default)


def _normalize(default: str) -> Parameter:
    return Parameter("normalize", Choice(_NORMALIZE), "what the sum of agreeing entries is divided by", default)


_SEED = Parameter("seed", Number(0, integer=True), "of the random masks", 0)
_RESCALE = Parameter("rescale", Flag(), "whether what is kept is divided by its probability", True)
_OF = Parameter("scope", Choice(_SCOPE), "what the thresholds are of", "tensor")

METHODS = (
    Method("linear", "the weighted sum", source="Ilharco et al., 2023", formula="sum_i c_i tau_i"),
    Method(
        "ties",
        "trim by magnitude, elect a sign, average what agrees",
        (_share(0.2), _normalize("count"), _OF),
        source="Yadav et al., 2023",
    ),
    Method(
        "dare", "drop entries at random and rescale the rest", (_share(0.2), _RESCALE, _SEED), source="Yu et al., 2024"
    ),
    Method(
        "dare_ties",
        "drop at random, then elect a sign",
        (_share(0.2), _RESCALE, _SEED, _normalize("none")),
        source="Yu et al., 2024; Yadav et al., 2023",
    ),
    Method(
        "della",
        "drop at random, small entries more often",
        (
            _share(0.5),
            Parameter("epsilon", Number(0, 1), "half the spread of the probabilities", 0.1),
            _RESCALE,
            _SEED,
            _normalize("none"),
        ),
        source="Deep et al., 2024",
    ),
    Method(
        "breadcrumbs",
        "drop the largest and the smallest entries",
        (_share(0.9), Parameter("gamma", Number(0, 1), "the share of the largest entries that is dropped", 0.01), _OF),
        source="Davari & Belilovsky, 2024",
    ),
    Method(
        "consensus",
        "keep entries that matter to several task vectors",
        (
            Parameter("agree", Number(1, integer=True), "in how many masks an entry must be", 2),
            Parameter("strictness", Number(0), "how large an entry must be to be in a mask", 0.4),
        ),
        source="Wang et al., 2024",
    ),
)


def _pattern(kind: str) -> Any:
    def lower(call: Call, _: Lowering) -> Term:
        return {"is": "Pattern", "kind": kind, "text": call["text"]}

    return lower


def _rule(call: Call, _: Lowering) -> list[Json]:
    return [call["pattern"], float(call["value"])]


def _blockwise(call: Call, _: Lowering) -> CoefficientsValue:
    return CoefficientsValue({"is": "Rules", "rules": list(call["rules"]), "rest": float(call["rest"])})


def _over_depth(call: Call, _: Lowering) -> CoefficientsValue:
    points: list[Json] = [float(p) for p in call["points"]]
    return CoefficientsValue({"is": "Depth", "points": points, "outside": list(call["outside"] or [])})


def _compose(call: Call, low: Lowering) -> Any:
    vectors, given = call["vectors"], call["coefficients"]
    if not vectors:
        low.report(
            error(codes.EMPTY_RANGE, call.where("vectors"), "there is nothing to compose", help="give task vectors")
        )
        return POISON
    if any(isinstance(c, CoefficientsSetValue) for c in given):
        return _compose_found(call, low)
    if call.is_alone("coefficients"):
        given = given * len(vectors)
    if len(given) != len(vectors):
        message = f"{counted(len(given), 'coefficient')} for {counted(len(vectors), 'task vector')}"
        help = "a list has one for each; a number without brackets is that of all"
        low.report(error(codes.ARGUMENT_TYPE, call.where("coefficients"), message, help=help))
        return POISON
    numbers: list[Json] = [dict(c.term) if isinstance(c, CoefficientsValue) else float(c) for c in given]
    choice: MethodChoice = call["method"]
    return composed_vector(vectors, numbers, choice.method.name, _json(choice), call.span, low)


def _compose_found(call: Call, low: Lowering) -> Any:
    """Composition with coefficients that belong together: learned, searched, or read from a file."""
    vectors, given, choice = call["vectors"], call["coefficients"], call["method"]
    if len(given) > 1:
        message = "coefficients of several task vectors stand alone, not among others"
        low.report(
            error(codes.ARGUMENT_TYPE, call.where("coefficients"), message, help="write `coefficients = strength`")
        )
        return POISON
    if choice.method.name != "linear":
        message = f"these coefficients are those of a weighted sum, not of `{choice.method.name}`"
        low.report(error(codes.ARGUMENT_TYPE, call.where("method"), message, help="leave out `method`"))
        return POISON
    found: CoefficientsSetValue = given[0]
    written = [call.entry("vectors", i).text.strip() for i in range(len(vectors))]
    if not belong(found, vectors, call.where("coefficients"), low, written):
        return POISON
    numbers: list[Json] = [dict(term) for term in found.terms]
    return composed_vector(vectors, numbers, "linear", {}, call.span, low, sources(found))


def _json(choice: MethodChoice) -> dict[str, Json]:
    """The options of a method; they are numbers, words and flags."""
    return {name: value for name, value in choice.options.items() if isinstance(value, (bool, int, float, str))}


def _slerp(call: Call, low: Lowering) -> Any:
    first: ModelValue = call["first"]
    t = call["t"]
    if isinstance(t, CoefficientsSetValue):
        message = "`t` says how far to go, and these are coefficients of task vectors"
        low.report(error(codes.ARGUMENT_TYPE, call.where("t"), message, help="give a number, or `over_depth(…)`"))
        return POISON
    return slerped(
        first, call["second"], dict(t.term) if isinstance(t, CoefficientsValue) else float(t), call.span, low
    )


_PATTERN = Parameter("text", Text(), "the pattern")
_NUMBERS = Value((NUMBER, COEFFICIENTS))

FUNCTIONS = (
    Function(
        "glob",
        "tensor names by wildcards: `*` one segment, `**` any number, `{a,b}` either",
        "composition",
        (_PATTERN,),
        (),
        PATTERN,
        _pattern("glob"),
    ),
    Function(
        "regex",
        "tensor names by a regular expression, matched whole",
        "composition",
        (_PATTERN,),
        (),
        PATTERN,
        _pattern("regex"),
    ),
    Function(
        "set",
        "a number for the tensors that a pattern matches",
        "composition",
        (Parameter("pattern", Value((PATTERN,)), "which tensors"), Parameter("value", Number(), "their coefficient")),
        (),
        RULE,
        _rule,
    ),
    Function(
        "blockwise",
        "coefficients by pattern; patterns do not overlap and each matches",
        "composition",
        (Parameter("rules", Value((RULE,)), "`set(pattern, value)`", many=True),),
        (Parameter("rest", Number(), "the coefficient of all other tensors", 0.0),),
        COEFFICIENTS,
        _blockwise,
    ),
    Function(
        "over_depth",
        "a coefficient that runs over the layers, piecewise linear",
        "composition",
        (Parameter("points", ListOf(Number()), "values at equal distances from the first layer to the last"),),
        (
            Parameter(
                "outside", ListOf(Value((RULE,))), "numbers for the tensors outside the layers; never inherited", None
            ),
        ),
        COEFFICIENTS,
        _over_depth,
    ),
    Function(
        "compose",
        "several task vectors made one",
        "composition",
        (Parameter("vectors", ListOf(Value((TASKVECTOR,))), "the task vectors"),),
        (
            Parameter("coefficients", ListOf(_NUMBERS, single=True), "one for all, or a list of one each", [1.0]),
            Parameter("method", Methods(METHODS), "how they are merged", MethodChoice(METHODS[0], {})),
        ),
        TASKVECTOR,
        _compose,
    ),
    Function(
        "slerp",
        "a model between two models: spherical interpolation, tensor by tensor",
        "composition",
        (
            Parameter("first", Value((MODEL,)), "the model at t = 0"),
            Parameter("second", Value((MODEL,)), "the model at t = 1"),
        ),
        (Parameter("t", _NUMBERS, "how far from the first to the second"),),
        MODEL,
        _slerp,
        source="Shoemake, 1985",
    ),
)
