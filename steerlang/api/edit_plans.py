"""What a plan says of edited models and of exports of weights: every tensor accounted for, and what that takes."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING

from steerlang.language.values import AdapterValue, CheckpointValue, ModelValue

if TYPE_CHECKING:
    from steerlang.weights.coverage import Coverage
    from steerlang.weights.planning import EditPlan

_FEW = 3
_WORDS = {
    "copied": "copied bit by bit", "cast": "stored in another dtype", "computed": "computed", "excluded": "excluded",
    "left_out": "left out of the inputs",
}  # fmt: skip


def coverage_of(value: object) -> Coverage | None:
    """The coverage of an edited model, or of an export of weights; None for anything else, or without numpy."""
    if find_spec("numpy") is None:
        return None
    from steerlang.weights.coverage import coverage

    plan = _plan(value)
    return None if plan is None else coverage(plan)


def _plan(value: object) -> EditPlan | None:
    from steerlang.operations.editing import plan_of, vector_plan_of

    if isinstance(value, CheckpointValue) and value.node.operation == "model.edit":
        return plan_of(value.node, None, value.dtype, value.exclude)
    if isinstance(value, AdapterValue):
        return vector_plan_of(value.node, value.base)
    if isinstance(value, ModelValue) and value.node.operation == "model.edit":
        return plan_of(value.node)
    return None


def short_lines(found: Coverage) -> Iterator[str]:
    """The counts, names where they are few, and bytes."""
    counts = ", ".join(f"{n} {_WORDS[group]}" for group, n in found.counts.items() if n)
    yield f"tensors: {counts}"
    for group in ("excluded", "left_out"):
        names = found.names(group)
        if 0 < len(names) <= _FEW:
            yield f"{_WORDS[group]}: " + "; ".join(names)
    yield (
        f"reads {found.bytes_read / 1e6:.1f} MB, writes {found.bytes_written / 1e6:.1f} MB, with about "
        f"{found.peak_memory / 2**20:.0f} MiB of memory"
    )
    yield from found.notes


def long_lines(found: Coverage) -> Iterator[str]:
    """All names, where they are not among the short lines."""
    for group, count in found.counts.items():
        if count > _FEW or (count and group not in ("excluded", "left_out")):
            yield f"{_WORDS[group]}:"
            yield from (f"  {name}" for name in found.names(group))

