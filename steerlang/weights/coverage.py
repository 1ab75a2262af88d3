"""What a plan covers: every tensor of the result and of the inputs, by what becomes of it, and what that takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .checkpoint import Checkpoint
from .expression import Composed, Difference, LowRank, Scaled, Slerp, Sum, Top, adapters_of, leaves
from .planning import EditPlan, Output
from .streaming import chunk_size
from .svd import WHOLE

# Arrays of a chunk that live at once: base, change, result, stored numbers and what is kept of them for the receipt;
# and for each task vector its values, a copy for the receipt and what its method needs.
_ARRAYS, _ARRAYS_PER_VECTOR = 10, 5
_BOOKKEEPING = 4096  # bytes a tensor


@dataclass(frozen=True)
class Coverage:
    """All tensors by what becomes of them.

    copied, cast, computed  tensors of the result: bit-identical, in another dtype, changed
    excluded                tensors of the base that are not written
    left_out                (input, tensor, why): tensors of inputs that take no part
    bytes_read              of all tensors that are read, each counted once
    bytes_written           of the tensors of the result
    peak_memory             bytes of anonymous memory beyond the interpreter with numpy, estimated
    """

    copied: tuple[str, ...]
    cast: tuple[str, ...]
    computed: tuple[str, ...]
    excluded: tuple[str, ...]
    left_out: tuple[tuple[str, str, str], ...]
    notes: tuple[str, ...]
    bytes_read: int
    bytes_written: int
    peak_memory: int

    @property
    def counts(self) -> dict[str, int]:
        """How many there are of each."""
        return {name: len(names) for name, names in self._groups()}

    def document(self) -> dict[str, Any]:
        """As JSON values, the same on every machine."""
        return {
            "counts": self.counts,
            **{name: [list(n) if isinstance(n, tuple) else n for n in names] for name, names in self._groups()},
            "notes": list(self.notes),
            "bytes_read": self.bytes_read,
            "bytes_written": self.bytes_written,
            "peak_memory": self.peak_memory,
        }

    def names(self, group: str) -> tuple[str, ...]:
        """The tensors of one group, with what is to be said of each."""
        if group == "left_out":
            return tuple(f"{tensor} of {source}: {reason}" for source, tensor, reason in self.left_out)
        return tuple(dict(self._groups())[group])

    def _groups(self) -> tuple[tuple[str, tuple[Any, ...]], ...]:
        return (
            ("copied", self.copied), ("cast", self.cast), ("computed", self.computed), ("excluded", self.excluded),
            ("left_out", self.left_out),
        )  # fmt: skip


def coverage(plan: EditPlan) -> Coverage:
    """What a plan covers."""
    by_action: dict[str, list[str]] = {"copied": [], "cast": [], "computed": []}
    for output in plan.outputs:
        by_action[output.action].append(output.name)
    read = {(id(c), tensor): _bytes(c, tensor) for c, tensor in _read(plan)}
    return Coverage(
        copied=tuple(by_action["copied"]),
        cast=tuple(by_action["cast"]),
        computed=tuple(by_action["computed"]),
        excluded=plan.excluded,
        left_out=tuple((out.source, out.tensor, out.reason) for out in plan.left_out),
        notes=plan.notes,
        bytes_read=sum(read.values()),
        bytes_written=plan.bytes_written,
        peak_memory=_peak(plan),
    )


def _read(plan: EditPlan) -> Iterator[tuple[Checkpoint, str]]:
    """Every tensor that is read, of which checkpoint."""
    for output in plan.outputs:
        yield plan.base, output.name
        if output.action == "computed":
            yield from _inputs(plan, output)


def _inputs(plan: EditPlan, output: Output) -> Iterator[tuple[Checkpoint, str]]:
    if isinstance(plan.expression, Slerp):
        yield plan.checkpoints[plan.expression.second], output.name
        return
    for leaf in leaves(plan.expression):
        if not plan.reaches(leaf, output.name):
            continue
        if isinstance(leaf, Difference):
            yield plan.checkpoints[leaf.tuned], output.name
            yield plan.checkpoints[leaf.base], output.name
            continue
        for key in adapters_of(leaf):
            adapter = plan.adapters[key]
            pair = adapter.pairs[plan.matches[leaf].modules[key][output.name]]
            yield adapter.file, pair.a
            yield adapter.file, pair.b


def _bytes(checkpoint: Checkpoint, tensor: str) -> int:
    info = checkpoint.info(tensor)
    return info.stop - info.start


def _peak(plan: EditPlan) -> int:
    count = max(len(leaves(plan.expression)), 1)
    arrays = _ARRAYS + _ARRAYS_PER_VECTOR * count
    adapters = max((3 * _factor_bytes(plan, o.name) for o in plan.outputs if o.action == "computed"), default=0)
    cut = max((_cut_bytes(plan, rank) for rank in _ranks(plan.expression)), default=0)
    return arrays * 4 * chunk_size(plan) + adapters + cut + _BOOKKEEPING * len(plan.outputs)


def _factor_bytes(plan: EditPlan, tensor: str) -> int:
    """float32 bytes of all factors that adapters have for a tensor."""
    found = 0
    for leaf in leaves(plan.expression):
        if isinstance(leaf, Difference) or not plan.reaches(leaf, tensor):
            continue
        for key in adapters_of(leaf):
            pair = plan.adapters[key].pairs[plan.matches[leaf].modules[key][tensor]]
            found += 4 * pair.rank * sum(pair.shape)
    return found


def _cut_bytes(plan: EditPlan, rank: int) -> int:
    """float64 bytes of decomposing the largest matrix as a whole, or of the bases of one that is read in rows."""
    most = 0
    for info in plan.base.tensors.values():
        if len(info.shape) == 2:
            whole = 4 * 8 * info.count if info.count <= WHOLE else 4 * 8 * sum(info.shape) * (rank + 16)
            most = max(most, whole)
    return most


def _ranks(term: Any) -> Iterator[int]:
    if isinstance(term, LowRank):
        yield term.rank
    if isinstance(term, (Scaled, Top, LowRank)):
        yield from _ranks(term.vector)
    elif isinstance(term, (Sum, Composed)):
        for part in term.vectors:
            yield from _ranks(part)
    elif hasattr(term, "change"):
        yield from _ranks(term.change)
