"""Weight space: task vectors, their algebra and composition, and edited models.

A task vector is described by a term in JSON form (`steerlang/weights/expression.py` says what each means), in which
models stand as the keys of their nodes; nothing is read here but what the headers tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from steerlang.diagnostics import Diagnostic, Label, codes, error
from steerlang.graph.node import Json, Node
from steerlang.language.lowering import Lowering
from steerlang.language.parameter_types import Choice, Flag, Number, Value
from steerlang.language.signature import Call, Function, Operator, Parameter
from steerlang.language.types import COEFFICIENTS, MODEL, NUMBER, TASKVECTOR
from steerlang.language.values import POISON, CoefficientsSetValue, CoefficientsValue, ModelValue, TaskVectorValue
from steerlang.source import Span

from .editing import edited
from .matching import matched
from .terms import Term, holds_factors, scaled, summed, term_of

# ---- task vectors --------------------------------------------------------------------------------------------------


def difference(
    tuned: ModelValue, base: ModelValue, span: Span, low: Lowering, missing: str = "error", vocabulary: str = "error"
) -> Any:
    """tau = tuned - base, matched by name. What the headers show not to match is said now."""
    for model in (tuned, base):
        if model.node.operation != "model.load":
            message = "a task vector is a difference of checkpoints, and this model is edited or steered"
            low.report(error(codes.OPERATOR_MISMATCH, span, message, help="subtract models made with `hf(…)`"))
            return POISON
    if missing == "error" and not matched(tuned, base, span, low, common=vocabulary == "common"):
        return POISON
    term: Term = {
        "is": "Difference",
        "tuned": tuned.node.key,
        "base": base.node.key,
        "missing": missing,
        "vocabulary": vocabulary,
    }
    return _vector(term, (tuned.node, base.node), base, low)


def _vector(term: Term, models: tuple[Node, ...], base: ModelValue, low: Lowering) -> TaskVectorValue:
    inputs = tuple(sorted(set(models), key=lambda n: n.key))
    node = low.node("taskvector", {"term": term}, inputs, "taskvector", virtual=True)
    return TaskVectorValue(node, base.base.key, base.name)


def derived(
    term: Term, vectors: tuple[TaskVectorValue, ...], span: Span, low: Lowering, found: tuple[Node, ...] = ()
) -> Any:
    """A task vector made of others, all taken from one base; adapters fit any. `found` are nodes that coefficients in
    it come from."""
    rooted = [v for v in vectors if v.base is not None] or list(vectors)
    first = rooted[0]
    for other in rooted[1:]:
        if other.base != first.base:
            message = (
                f"these task vectors were taken from different models, `{first.base_name}` and `{other.base_name}`"
            )
            low.report(error(codes.PROVENANCE_MISMATCH, span, message, help="combine task vectors of one base"))
            return POISON
    inputs = tuple(sorted({*found, *(n for v in vectors for n in v.node.inputs)}, key=lambda n: n.key))
    node = low.node("taskvector", {"term": term}, inputs, "taskvector", virtual=True)
    return TaskVectorValue(node, first.base, first.base_name)


def _sum(operands: tuple[Any, ...], span: Span, low: Lowering) -> Any:
    return derived(summed([term_of(v) for v in operands]), operands, span, low)


def summed_vectors(vectors: list[TaskVectorValue], span: Span, low: Lowering) -> Any:
    """tau_1 + tau_2 + …, all taken from one base."""
    return vectors[0] if len(vectors) == 1 else _sum(tuple(vectors), span, low)


def _minus(operands: tuple[Any, ...], span: Span, low: Lowering) -> Any:
    first, second = operands
    negated = _times(second, -1.0, span, low)
    return negated if negated is POISON else derived(summed([term_of(first), term_of(negated)]), operands, span, low)


def _times(vector: TaskVectorValue, by: Any, span: Span, low: Lowering) -> Any:
    if isinstance(by, CoefficientsSetValue):
        if not belong(by, [vector], span, low):
            return POISON
        return derived(scaled(term_of(vector), dict(by.terms[0])), (vector,), span, low, sources(by))
    coefficient: Json = dict(by.term) if isinstance(by, CoefficientsValue) else float(by)
    if holds_factors(term_of(vector)) and not _fits_factors(term_of(vector), coefficient, span, low):
        return POISON
    return derived(scaled(term_of(vector), coefficient), (vector,), span, low)


def _fits_factors(term: Term, by: Json, span: Span, low: Lowering) -> bool:
    """Whether adapters taken as factors can be scaled so: both B and A are multiplied."""
    if isinstance(by, float):
        if by >= 0:
            return True
        message = f"{by:g} times both factors of an adapter is {-by:g} times both: the signs cancel"
        help = (
            'turn one of them: `blockwise(set(glob("**.lora_B.weight"), -1), rest = 1) * …`',
            "or take the adapter `as = product`",
        )
        low.report(error(codes.SCALE_OF_FACTORS, span, message, help=help))
        return False
    return _one_adapter(term, span, low)


def _one_adapter(term: Term, span: Span, low: Lowering) -> bool:
    vectors: Any = term["vectors"] if term["is"] == "Sum" else [term]
    parts = [part for v in vectors if v["is"] == "FactorSum" for part in v["parts"]]
    if len(parts) == 1 and parts[0]["by"] == 1.0:
        return True
    message = "coefficients by block multiply the factors of one adapter, once"
    help = "scale each adapter by itself, then add: `c * lora(…) + d * lora(…)`"
    low.report(error(codes.SCALE_OF_FACTORS, span, message, help=help))
    return False


def belong(
    found: CoefficientsSetValue, vectors: Sequence[TaskVectorValue], span: Span, low: Lowering,
    written: Sequence[str] = (),
) -> bool:  # fmt: skip
    """Whether coefficients are those of these task vectors, in this order; else it is reported. `written` is what the
    program calls the task vectors: coefficients in a file know no more of theirs than the names."""
    names = ", ".join(f"`{name}`" for name in found.names)
    if len(found.terms) != len(vectors):
        message = f"these coefficients are of {len(found.terms)} task vectors ({names}), and {len(vectors)} are given"
    elif found.vectors and list(found.vectors) != [term_of(v) for v in vectors]:
        message = f"these coefficients were found for other task vectors: {names}"
    elif not found.vectors and written and list(map(_plain, found.names)) != list(map(_plain, written)):
        given = ", ".join(f"`{name}`" for name in written)
        other = "are in another order" if sorted(found.names) == sorted(written) else "were found for others"
        message = f"these coefficients {other}: {names}, and {given} {'is' if len(written) == 1 else 'are'} composed"
    else:
        return True
    help = f"compose what they were found for, in the same order: `compose([{', '.join(found.names)}], …)`"
    low.report(error(codes.PROVENANCE_MISMATCH, span, message, help=help))
    return False


def _plain(name: str) -> str:
    """The name of a task vector without the program it is imported from, and without what tells twins apart."""
    alone = name.partition(" (")[0]
    return alone.rpartition(".")[2] if alone.replace(".", "").replace("_", "").isalnum() else name


def sources(found: CoefficientsSetValue) -> tuple[Node, ...]:
    """The node that finds coefficients, where they are not known beforehand."""
    return () if found.node is None else (found.node,)


def _over(operands: tuple[Any, ...], span: Span, low: Lowering) -> Any:
    vector, number = operands
    if number == 0:
        low.report(error(codes.OUT_OF_BOUNDS, span, "division by zero", help="divide by another number"))
        return POISON
    return _times(vector, 1 / number, span, low)


def _subtract(call: Call, low: Lowering) -> Any:
    return difference(call["tuned"], call["base"], call.span, low, call["missing"], call["vocabulary"])


def _top(call: Call, low: Lowering) -> Any:
    vector = call["vector"]
    term: Term = {"is": "Top", "vector": term_of(vector), "keep": call["keep"], "scope": call["scope"]}
    return derived(term, (vector,), call.span, low)


def composed_vector(
    vectors: list[TaskVectorValue],
    coefficients: list[Json],
    method: str,
    options: dict[str, Json],
    span: Span,
    low: Lowering,
    found: tuple[Node, ...] = (),
) -> Any:
    """Several task vectors made one by a method; `found` are nodes that coefficients come from."""
    for number, vector in enumerate(vectors):
        if holds_factors(term_of(vector)):
            message = f"task vector {number + 1} is an adapter taken as factors, which `compose` cannot scale"
            help = "add it with `+`, or take it `as = product`"
            low.report(error(codes.SCALE_OF_FACTORS, span, message, help=help))
            return POISON
    _warn_of_repeats(vectors, span, low)
    terms: list[Json] = [term_of(v) for v in vectors]
    term: Term = {
        "is": "Composed",
        "vectors": terms,
        "coefficients": coefficients,
        "method": method,
        "options": {"is": "Options", **options},
    }
    return derived(term, tuple(vectors), span, low, found)


def _warn_of_repeats(vectors: list[TaskVectorValue], span: Span, low: Lowering) -> None:
    seen: dict[str, int] = {}
    for number, vector in enumerate(vectors, start=1):
        if (before := seen.setdefault(vector.node.key, number)) != number:
            message = f"task vectors {before} and {number} are one and the same"
            help = ("leave one out, or look at which models they were taken from",)
            low.report(Diagnostic(codes.REPEATED_VECTOR, message, Label(span), help=help))
            return


# ---- edited models -------------------------------------------------------------------------------------------------


def _edit(call: Call, low: Lowering) -> Any:
    return edited(call["model"], call["vector"], call["across"], call.span, low)


def _add_to(operands: tuple[Any, ...], span: Span, low: Lowering) -> Any:
    return edited(operands[0], operands[1], False, span, low)


def _take_from(operands: tuple[Any, ...], span: Span, low: Lowering) -> Any:
    negated = _times(operands[1], -1.0, span, low)
    return POISON if negated is POISON else edited(operands[0], negated, False, span, low)


OPERATORS = (
    Operator("-", (MODEL, MODEL), TASKVECTOR, lambda o, s, low: difference(o[0], o[1], s, low)),
    Operator("+", (MODEL, TASKVECTOR), MODEL, _add_to),
    Operator("-", (MODEL, TASKVECTOR), MODEL, _take_from),
    Operator("+", (TASKVECTOR, TASKVECTOR), TASKVECTOR, _sum),
    Operator("-", (TASKVECTOR, TASKVECTOR), TASKVECTOR, _minus),
    Operator("-", (TASKVECTOR,), TASKVECTOR, lambda o, s, low: _times(o[0], -1.0, s, low)),
    Operator("*", (NUMBER, TASKVECTOR), TASKVECTOR, lambda o, s, low: _times(o[1], o[0], s, low)),
    Operator("*", (TASKVECTOR, NUMBER), TASKVECTOR, lambda o, s, low: _times(o[0], o[1], s, low)),
    Operator("*", (COEFFICIENTS, TASKVECTOR), TASKVECTOR, lambda o, s, low: _times(o[1], o[0], s, low)),
    Operator("/", (TASKVECTOR, NUMBER), TASKVECTOR, _over),
)

_SCOPE = {"tensor": "the share of each tensor", "all": "the share of all tensors together"}
_VOCABULARY = {
    "error": "is an error",
    "common": "the tokens that both have are compared; the others stay as the edited model has them",
}
_MISSING = {"error": "is an error", "skip": "is listed and left alone"}

FUNCTIONS = (
    Function(
        "subtract",
        "a task vector: the difference of two checkpoints; `tuned - base` is the same",
        "weights",
        (
            Parameter("tuned", Value((MODEL,)), "the fine-tuned model"),
            Parameter("base", Value((MODEL,)), "the model it was tuned from"),
        ),
        (
            Parameter("missing", Choice(_MISSING), "a tensor that one side lacks or has in another shape", "error"),
            Parameter("vocabulary", Choice(_VOCABULARY), "another number of tokens", "error"),
        ),
        TASKVECTOR,
        _subtract,
        source="Ilharco et al., 2023",
    ),
    Function(
        "top",
        "the entries of a task vector that are largest in magnitude, the rest 0",
        "weights",
        (Parameter("vector", Value((TASKVECTOR,)), "the task vector"),),
        (
            Parameter("keep", Number(0, 1, exclusive=True), "the share of entries kept"),
            Parameter("scope", Choice(_SCOPE), "what the share is of", "tensor"),
        ),
        TASKVECTOR,
        _top,
        source="Yadav et al., 2023, trimming",
    ),
    Function(
        "edit",
        "a model with a task vector added to its weights; `base + vector` is the same",
        "weights",
        (
            Parameter("model", Value((MODEL,)), "the model"),
            Parameter("vector", Value((TASKVECTOR,)), "what is added"),
        ),
        (Parameter("across", Flag(), "allows a task vector taken from another model", False),),
        MODEL,
        _edit,
        source="Ilharco et al., 2023",
    ),
)
