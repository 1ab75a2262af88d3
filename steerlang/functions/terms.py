"""Task vectors as terms in JSON form, in one form however they are written, so that equal ones have equal keys."""

from __future__ import annotations

import json

from steerlang.graph.node import Json

Term = dict[str, Json]


def scaled(term: Term, by: Json) -> Term:
    """Λ τ. Numbers in a row are multiplied, and 1 says nothing; coefficients by block are kept apart."""
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
    return {"is": "Sum", "vectors": sorted(flat, key=_text)}


def _text(term: Json) -> str:
    return json.dumps(term, sort_keys=True)


def _is_number(value: Json) -> bool:
    return isinstance(value, (int, float))
