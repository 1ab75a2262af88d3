"""Task vectors as terms in JSON form, in one form however they are written, so that equal ones have equal keys."""

from __future__ import annotations

import json

from steerlang.graph.node import Json
from steerlang.language.values import TaskVectorValue

Term = dict[str, Json]


def term_of(vector: TaskVectorValue) -> Term:
    """What a task vector is, as a term."""
    term = vector.node.options["term"]
    assert isinstance(term, dict)
    return term


def scaled(term: Term, by: Json) -> Term:
    """Λ τ. Numbers in a row are multiplied, and 1 says nothing; coefficients by block are kept apart."""
    if holds_factors(term):
        return _scaled_factors(term, by)
    if term["is"] == "Scaled" and _is_number(by) and _is_number(term["by"]):
        inner = term["vector"]
        assert isinstance(inner, dict)
        return scaled(inner, by * term["by"])  # type: ignore[operator]
    return dict(term) if by == 1.0 else {"is": "Scaled", "vector": term, "by": by}


def summed(terms: list[Term]) -> Term:
    """Σ τ_i: sums of sums are one sum, and its terms stand in one order."""
    flat: list[Json] = []
    for term in terms:
        inner = term["vectors"] if term["is"] == "Sum" else [term]
        assert isinstance(inner, list)
        flat.extend(inner)
    loose: list[Json] = [v for v in flat if not _is_factors(v)]
    parts = [part for v in flat if _is_factors(v) for part in v["parts"]]  # type: ignore[call-overload,index,union-attr]
    if parts:
        loose.append({"is": "FactorSum", "parts": sorted(parts, key=_text)})
    if len(loose) == 1 and isinstance(loose[0], dict):
        return loose[0]
    return {"is": "Sum", "vectors": sorted(loose, key=_text)}


def holds_factors(term: Term) -> bool:
    """Whether a term is, or adds, adapters whose factors are scaled each for itself."""
    vectors = term["vectors"] if term["is"] == "Sum" else [term]
    assert isinstance(vectors, list)
    return any(_is_factors(v) for v in vectors)


def _scaled_factors(term: Term, by: Json) -> Term:
    if term["is"] == "Sum":
        assert isinstance(term["vectors"], list)
        return summed([scaled(v, by) for v in term["vectors"]])  # type: ignore[arg-type]
    return {"is": "FactorSum", "parts": [_scaled_part(part, by) for part in term["parts"]]}  # type: ignore[union-attr,arg-type]


def _scaled_part(part: Term, by: Json) -> Term:
    if isinstance(by, (int, float)):
        return {**part, "b": part["b"] * by, "a": part["a"] * by}  # type: ignore[operator]
    return {**part, "by": by}


def _is_factors(term: Json) -> bool:
    return isinstance(term, dict) and term["is"] == "FactorSum"


def _text(term: Json) -> str:
    return json.dumps(term, sort_keys=True)


def _is_number(value: Json) -> bool:
    return isinstance(value, (int, float))
