"""What dictionaries and shifts should make their author wonder about."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from steerlang.diagnostics import Diagnostic, Label, codes
from steerlang.language.values import ConceptsValue, ShiftValue
from steerlang.operations.dictionary import ConceptDictionary, ConceptShift

from .made import made_by

if TYPE_CHECKING:
    from .results import Run

_MADE = frozenset({"concepts.decompose", "shift"})


def doubtful_concepts(run: Run) -> Iterator[Diagnostic]:
    """Warnings of dictionaries whose fit was stopped early, and of shifts of concepts that no sample belongs to."""
    for label, value, payload, where in made_by(run, (ConceptsValue, ShiftValue), _MADE):
        if isinstance(value, ShiftValue):
            yield from _empty(label, ConceptShift.of(payload), where)
        else:
            yield from _unfinished(label, ConceptDictionary.of(payload), where)


def _empty(label: str, shift: ConceptShift, where: Label) -> Iterator[Diagnostic]:
    empty = [str(k) for k, count in enumerate(shift.counts) if not count]
    if empty:
        which = f"concept {empty[0]}" if len(empty) == 1 else f"concepts {', '.join(empty)}"
        yield Diagnostic(
            codes.EMPTY_CONCEPT,
            f"in `{label}` no sample found in both models belongs to {which}, whose shift is zero",
            where,
            help=("take fewer concepts, or capture more samples",),
        )


def _unfinished(label: str, dictionary: ConceptDictionary, where: Label) -> Iterator[Diagnostic]:
    if not dictionary.provenance["converged"]:
        steps = dictionary.provenance["steps"]
        yield Diagnostic(
            codes.NOT_CONVERGED,
            f"the decomposition of `{label}` had not converged after {steps} iterations",
            where,
            help=("allow more of them: `steps = …`",),
        )
