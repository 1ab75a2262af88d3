"""Every operation by its name: the one place where the graph's operations meet what carries them out."""

from __future__ import annotations

from collections.abc import Mapping

from steerlang.engine.operation import Operation

from . import (
    algebra,
    answers,
    arithmetic,
    captions,
    capturing,
    classifying,
    concepts,
    extracting,
    folding,
    gaps,
    generating,
    grounding,
    in_context,
    judged,
    learning,
    recovery,
    scoring,
    text,
    vector_files,
)

OPERATIONS: Mapping[str, Operation] = {
    **text.OPERATIONS,
    **algebra.OPERATIONS,
    **arithmetic.OPERATIONS,
    **capturing.OPERATIONS,
    **extracting.OPERATIONS,
    **folding.OPERATIONS,
    **vector_files.OPERATIONS,
    **generating.OPERATIONS,
    **grounding.OPERATIONS,
    **in_context.OPERATIONS,
    **recovery.OPERATIONS,
    **scoring.OPERATIONS,
    **learning.OPERATIONS,
    **classifying.OPERATIONS,
    **concepts.OPERATIONS,
    **answers.OPERATIONS,
    **captions.OPERATIONS,
    **judged.OPERATIONS,
    **gaps.OPERATIONS,
}
