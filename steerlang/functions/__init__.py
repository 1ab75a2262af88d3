"""The vocabulary: one file per family, each with its signatures and how they lower. `registry()` is all of it."""

from __future__ import annotations

from functools import cache

from steerlang.language.kinds import KINDS
from steerlang.language.registry import Registry

from . import (
    adapters,
    algebra,
    answers,
    applying,
    blocks,
    broadcasting,
    captions,
    capturing,
    choosing,
    classifying,
    coefficients,
    composition,
    concepts,
    controls,
    correlating,
    exports,
    extraction,
    gaps,
    gates,
    generation,
    grounding,
    images,
    judged,
    learning,
    metrics,
    parameters,
    parts,
    position_wise,
    recovery,
    selectors,
    shifting,
    sources,
    steering,
    vector_exports,
    vector_files,
    weights,
)

FAMILIES = (
    parameters,
    sources,
    images,
    parts,
    selectors,
    capturing,
    extraction,
    vector_files,
    algebra,
    broadcasting,
    concepts,
    shifting,
    grounding,
    recovery,
    gates,
    steering,
    position_wise,
    applying,
    generation,
    metrics,
    correlating,
    answers,
    captions,
    judged,
    classifying,
    choosing,
    gaps,
    controls,
    exports,
    vector_exports,
    weights,
    adapters,
    composition,
    blocks,
    learning,
    coefficients,
)


@cache
def registry() -> Registry:
    """The whole vocabulary, built once."""
    functions = [f for family in FAMILIES for f in family.FUNCTIONS]
    operators = [o for family in FAMILIES for o in getattr(family, "OPERATORS", ())]
    return Registry(KINDS, functions, operators)
