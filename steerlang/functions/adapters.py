"""Adapters: LoRA as task vectors, and task vectors cut to a low rank."""

from __future__ import annotations

from typing import Any

from steerlang.graph.facts import Absent, ModelReference, Trouble
from steerlang.graph.node import Json
from steerlang.language.lowering import Lowering
from steerlang.language.parameter_types import Choice, Number, Text, Value
from steerlang.language.signature import Call, Function, Parameter
from steerlang.language.types import MODEL, TASKVECTOR
from steerlang.language.values import POISON, TaskVectorValue

from .reports import absent, report
from .terms import Term, term_of
from .weights import derived, difference


def _lora(call: Call, low: Lowering) -> Any:
    id, where = call["id"], call.where("id")
    reference = ModelReference(id, call["revision"], None, low.folder)
    found = low.facts.adapter(reference)
    if isinstance(found, Absent):
        return absent(found, reference, where, low)
    if isinstance(found, Trouble):
        report(found, where, low)
        return POISON
    identity = found.digest() if low.options.hashing else f"unhashed:{found.path}"
    locators = {"path": str(found.path), "name": id, "trained_on": found.trained_on or ""}
    options: dict[str, Json] = {"identity": identity}
    node = low.node("adapter.load", options, (), "adapter", virtual=True, locators=locators, source=id)
    part: Term = {"is": "Part", "adapter": node.key, "b": 1.0, "a": 1.0, "by": 1.0}
    product: Term = {"is": "Lora", "adapter": node.key}
    term: Term = product if call["as"] == "product" else {"is": "FactorSum", "parts": [part]}
    vector = low.node("taskvector", {"term": term}, (node,), "taskvector", virtual=True)
    return TaskVectorValue(vector, None, "")


def _extract(call: Call, low: Lowering) -> Any:
    vector = difference(call["tuned"], call["base"], call.span, low)
    return vector if vector is POISON else _cut(vector, call["rank"], call, low)


def _low_rank(call: Call, low: Lowering) -> Any:
    return _cut(call["vector"], call["rank"], call, low)


def _cut(vector: TaskVectorValue, rank: int, call: Call, low: Lowering) -> Any:
    return derived({"is": "LowRank", "vector": term_of(vector), "rank": int(rank)}, (vector,), call.span, low)


_AS = {
    "product": "s B A is the task vector: scaled and added as any other",
    "factors": "B and A are scaled and added each for itself, so that sums have cross terms",
}
_RANK = Parameter("rank", Number(1, integer=True), "the largest number of singular values kept in a matrix")

FUNCTIONS = (
    Function(
        "lora",
        "a LoRA adapter in PEFT's format as a task vector: it fits any base whose tensors it edits",
        "adapters",
        (Parameter("id", Text(holds="model"), "a folder beside the program, or a Hugging Face id"),),
        (
            Parameter("as", Choice(_AS), "what is scaled and added", "product"),
            Parameter("revision", Text(optional=True), "a branch, tag or commit", None),
        ),
        TASKVECTOR,
        _lora,
        source="Hu et al., 2022; Kalajdzievski, 2023; Zhang et al., 2024, for factors",
    ),
    Function(
        "extract_lora",
        "the adapter that comes nearest to a fine-tuned model; `low_rank(tuned - base, rank)` is the same",
        "adapters",
        (
            Parameter("tuned", Value((MODEL,)), "the fine-tuned model"),
            Parameter("base", Value((MODEL,)), "the model it was tuned from"),
        ),
        (_RANK,),
        TASKVECTOR,
        _extract,
        source="Eckart & Young, 1936; Halko, Martinsson & Tropp, 2011, for large matrices",
    ),
    Function(
        "low_rank",
        "each matrix of a task vector cut to its largest singular values; what is no matrix is left out",
        "adapters",
        (Parameter("vector", Value((TASKVECTOR,)), "the task vector"),),
        (_RANK,),
        TASKVECTOR,
        _low_rank,
        source="Eckart & Young, 1936",
    ),
)
