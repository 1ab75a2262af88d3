"""Gates: `when = cosine(rude, layer = 3) > 0.1`. Formulas: `steerlang/kernels/gates.py`.

A gate reads states along a vector at one layer and compares the number with a threshold; gates combine by `and`, `or`
and `not`. Another quantity is one more function that gives a `ReadingValue`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from steerlang.diagnostics import Diagnostic, Label, codes, error
from steerlang.graph.node import Json, Node, walk
from steerlang.language.lowering import Lowering
from steerlang.language.parameter_types import Choice, Flag, Layers, Selector, Value
from steerlang.language.signature import Call, Function, Operator, Parameter
from steerlang.language.types import CONCEPTS, GATE, NEAREST, NONE, NUMBER, READING, SITE, VECTOR, Type
from steerlang.language.values import POISON, ConceptsValue, GateValue, ReadingValue, VectorValue, as_selection
from steerlang.source import Span

from .selectors import SITE_WORDS, SITES

_FORM = {"plain": "cos(h, v)", "cast": "CAST's: cos(h, tanh(P h)), P the projection on v"}
_TOKENS = {
    "as_read": "the last where the vector was read at last tokens, else the mean; `form = cast`: the mean",
    "mean": "the mean over the prompt's tokens",
    "last": "the prompt's last token",
}
_EACH = {
    "prompt": "decided once, on the prompt, and kept for the whole generation",
    "token": "decided at each token, from its own state",
}
_SITES = Selector(SITE, {"as_read": "where the vector was read", **SITE_WORDS}, SITES.calls)
# Between which numbers a quantity lies.
_RANGES = {"cosine": (-1.0, 1.0), "probability": (0.0, 1.0)}

WHEN = Parameter(
    "when",
    Value((GATE, NONE), "a gate, such as `cosine(v, layer = 7) > 0.1`"),
    "acts only where this gate is open",
    None,
)


def _quantity(name: str, fits: Callable[[Call, Lowering], bool] = lambda _c, _l: True) -> Any:
    """Lowering of a quantity; `fits` says whether it can be read along the vector given."""

    def lower(call: Call, low: Lowering) -> Any:
        vector: VectorValue = call["vector"]
        if not fits(call, low) or not _tokens_fit(call, low):
            return POISON
        form = call.values.get("form", "plain")
        site = _site_read(vector, call, low)
        if site is None:
            return POISON
        tokens = call["tokens"]
        if tokens == "as_read":
            tokens = "mean" if form == "cast" else _tokens_of(vector.node)
        layer = as_selection(call["layer"])
        places = (call["each"], call["across"], call.span)
        return ReadingValue(name, vector, layer, site, form, tokens, *places)

    return lower


def _concept(call: Call, low: Lowering) -> Any:
    """The nearest concept of a dictionary."""
    concepts: ConceptsValue = call["vector"]
    site = _site_read(concepts, call, low) if _tokens_fit(call, low) else None
    if site is None:
        return POISON
    tokens = call["tokens"]
    if tokens == "as_read":
        tokens = "last" if _select(concepts.states.tokens) == "last" else "mean"
    places = (call["each"], call["across"], call.span)
    return ReadingValue("concept", concepts, as_selection(call["layer"]), site, "plain", tokens, *places)


def _site_read(vector: VectorValue | ConceptsValue, call: Call, low: Lowering) -> Json:
    """The site that is read; None where it is not the vector's, which is reported."""
    site: Json = vector.site if call["site"]["select"] == "as_read" else call["site"]
    if site == vector.site or call["across"]:
        return site
    _refused(
        codes.PROVENANCE_MISMATCH,
        call.where("site"),
        low,
        f"the vector was read at {_site(vector.site)}, and this gate reads {_site(site)}",
        "read where the vector was read, or say `across = true` if it is meant",
    )
    return None


def _site(site: Json) -> str:
    return f"`{site['select']}`" if isinstance(site, dict) else str(site)


def _tokens_of(node: Node) -> str:
    """Which of the prompt's tokens a vector is held against: its last, if the vector was read at last tokens."""
    read = {str(_select(n.options["tokens"])) for n in walk([node]) if n.operation == "extract"}
    return "last" if read == {"last"} else "mean"


def _select(tokens: Json) -> Json:
    return tokens["select"] if isinstance(tokens, dict) else tokens


def _tokens_fit(call: Call, low: Lowering) -> bool:
    if call["each"] == "prompt" or not call.is_written("tokens"):
        return True
    message = "`tokens` says which state of the prompt is read, and `each = token` reads every token's own"
    _refused(codes.ARGUMENT_TYPE, call.where("tokens"), low, message, "leave one of the two out")
    return False


def _is_probe(call: Call, low: Lowering) -> bool:
    """Whether a vector is a probe as it was trained: a sum or a mix of probes has no intercept."""
    node: Node = call["vector"].node
    while node.operation == "vector.restrict":
        node = node.inputs[0]
    if node.operation.startswith("vector.") and node.operation not in _FROM_OUTSIDE:
        what = "arithmetic on vectors, which has no intercept"
    elif node.operation == "extract" and _method(node) != "probe":
        what = f"a vector of the method `{_method(node)}`"
    else:
        return True
    help = "extract it with `method = probe`, or compare a `projection` or `cosine`"
    _refused(codes.ARGUMENT_TYPE, call.where("vector"), low, f"`probe` takes a trained probe, and this is {what}", help)
    return False


# Vectors that come from files may hold a probe; that is seen when they are read.
_FROM_OUTSIDE = frozenset({"vector.load", "vector.read", "vector.import"})


def _method(node: Node) -> str:
    method = node.options["method"]
    return str(method["name"]) if isinstance(method, dict) else str(method)


def _refused(code: codes.Code, span: Span, low: Lowering, message: str, help: str) -> Any:
    low.report(error(code, span, message, help=help))
    return POISON


# ---- comparisons and their combination -----------------------------------------------------------------------------

_TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


def _comparison(symbol: str, turned: bool) -> Callable[[tuple[Any, ...], Span, Lowering], Any]:
    def lower(operands: tuple[Any, ...], span: Span, low: Lowering) -> GateValue:
        reading, number = reversed(operands) if turned else operands
        operator = _TURNED[symbol] if turned else symbol
        _constant(reading, operator, float(number), span, low)
        return GateValue(operator, span, reading, float(number))

    return lower


def _constant(reading: ReadingValue, operator: str, number: float, span: Span, low: Lowering) -> None:
    """Warns of a threshold that no state can reach."""
    if reading.quantity not in _RANGES:
        return
    least, most = _RANGES[reading.quantity]
    if least < number < most:
        return
    above = operator in (">", ">=")
    what = "is always open" if (number <= least) == above else "is never open"
    low.report(
        Diagnostic(
            codes.CONSTANT_GATE,
            f"a {reading.quantity} lies between {least:g} and {most:g}: this gate {what}",
            Label(span),
            help=("compare it with a number in between",),
        )
    )


def _which(symbol: str, turned: bool) -> Callable[[tuple[Any, ...], Span, Lowering], Any]:
    """`concept(dict, layer = 19) == 3`."""

    def lower(operands: tuple[Any, ...], span: Span, low: Lowering) -> Any:
        reading, number = reversed(operands) if turned else operands
        k = reading.vector.k
        if float(number).is_integer() and 0 <= number < k:
            return GateValue(symbol, span, reading, float(number))
        message = f"there is no concept {number:g}: the dictionary has {k}, 0 to {k - 1}"
        return _refused(codes.NO_SUCH_CONCEPT, span, low, message, "compare with the number of a concept, from 0")

    return lower


def _logic(symbol: str) -> Callable[[tuple[Any, ...], Span, Lowering], GateValue]:
    return lambda gates, span, _: GateValue(symbol, span, gates=gates)


OPERATORS = (
    *(Operator(s, (READING, NUMBER), GATE, _comparison(s, turned=False)) for s in _TURNED),
    *(Operator(s, (NUMBER, READING), GATE, _comparison(s, turned=True)) for s in _TURNED),
    *(Operator(s, (NEAREST, NUMBER), GATE, _which(s, turned=False)) for s in ("==", "!=")),
    *(Operator(s, (NUMBER, NEAREST), GATE, _which(s, turned=True)) for s in ("==", "!=")),
    *(Operator(s, (GATE, GATE), GATE, _logic(s)) for s in ("and", "or")),
    Operator("not", (GATE,), GATE, _logic("not")),
)


def document(gate: GateValue, layers: Mapping[ReadingValue, int], place: Callable[[Node], int]) -> dict[str, Json]:
    """The JSON form of a gate; `place` says where a vector stands among the inputs, `layers` where readings are."""
    if gate.reading is None:
        return {"is": gate.operator, "gates": [document(g, layers, place) for g in gate.gates]}
    reading = gate.reading
    return {
        "is": "compare",
        "operator": gate.operator,
        "number": gate.number,
        "reading": {
            "quantity": reading.quantity,
            "vector": place(reading.vector.node),
            "layer": layers[reading],
            "site": reading.site,
            "form": reading.form,
            "tokens": reading.tokens if reading.each == "prompt" else "all",
            "each": reading.each,
        },
    }


def _function(
    name: str,
    help: str,
    subject: str,
    lower: Any,
    options: tuple[Parameter, ...] = (),
    source: str = "",
    of: Type = VECTOR,
    result: Type = READING,
) -> Function:
    return Function(
        name,
        help,
        "gates",
        (Parameter("vector", Value((of,)), subject),),
        (
            Parameter("layer", Layers(), "which block's states are read: one, not after the action"),
            *options,
            Parameter("tokens", Choice(_TOKENS), "of the prompt", "as_read"),
            Parameter("each", Choice(_EACH), "how often it is decided", "prompt"),
            Parameter("site", _SITES, "where in the block", {"select": "as_read"}),
            Parameter("across", Flag(), "allows a vector of another model or site", False),
        ),
        result,
        lower,
        source=source,
    )


FUNCTIONS = (
    _function(
        "cosine",
        "the cosine of states with a vector, for a gate",
        "the direction compared with",
        _quantity("cosine"),
        (Parameter("form", Choice(_FORM), "the formula", "plain"),),
        "form = cast: Lee et al., 2025, CAST",
    ),
    _function(
        "probe",
        "the probability that a trained probe gives a state, for a gate",
        "a vector extracted with `method = probe`",
        _quantity("probability", _is_probe),
    ),
    _function(
        "projection",
        "the component of states along a vector at length 1, for a gate",
        "the direction projected on",
        _quantity("projection"),
    ),
    _function(
        "concept",
        "the number of the concept nearest to a state, for a gate: `concept(dict, layer = 19) == 3`",
        "the dictionary",
        _concept,
        source="Khayatan et al., 2025",
        of=CONCEPTS,
        result=NEAREST,
    ),
)
