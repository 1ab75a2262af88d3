"""Whether data has labels, where something needs them."""

from __future__ import annotations

from steerlang.diagnostics import codes, error
from steerlang.language.lowering import Lowering
from steerlang.language.values import DataValue
from steerlang.source import Span


def has_labels(data: DataValue, where: Span, what: str, low: Lowering) -> bool:
    """Whether the rows have labels; else it is reported."""
    if data.labelled and data.classes is not None:
        return True
    low.report(
        error(
            codes.NO_LABELS,
            where,
            f"{what} needs labels, and this data has none",
            help='name their column where the data is read: `label = "class"`; `unlabelled(…)` takes them away',
        )
    )
    return False
