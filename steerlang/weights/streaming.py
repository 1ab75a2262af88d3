"""The tensors of an edited model as streams of stored bytes, with what the receipt says of each gathered on the way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steerlang.diagnostics import codes

from .checkpoint import CHUNK, Checkpoint
from .dtypes import Float32, from_float32, is_float, negative_zeros, to_float32
from .errors import WeightsError
from .evaluation import Evaluation, Values
from .expression import Difference, Edit, adapters_of, leaves
from .planning import EditPlan, Output
from .receipt import Sums

# Arrays of a chunk that live at once, beyond those of each task vector: with both the peak stays under a bound.
_BUDGET = 4 * 1024 * 1024


def chunk_size(plan: EditPlan) -> int:
    """Elements computed at a time: fewer for many task vectors, so that memory does not grow with their number."""
    count = len(leaves(plan.expression))
    return max(4096, min(CHUNK, _BUDGET // max(count, 1) // 4096 * 4096))


class Streams:
    """Streams the tensors of one plan. `chunk` is how many elements are computed at a time."""

    def __init__(self, plan: EditPlan, chunk: int | None = None) -> None:
        _keep_freed_memory()
        self.plan = plan
        self.evaluation = Evaluation(plan, chunk or chunk_size(plan))
        self.vectors = leaves(plan.expression)

    def stream(self, output: Output, sums: Sums) -> Iterator[NDArray[np.uint8]]:
        """The bytes of one tensor in order, in pieces. Fills `sums`. Raises WeightsError at NaN or infinite numbers."""
        with np.errstate(invalid="ignore", over="ignore"):
            values = self.evaluation.change(output.name) if output.action == "computed" else None
        if values is None:
            yield from self._unchanged(output)
        else:
            for cut in self.evaluation.cuts_of(output.name):
                sums.cut_lost, sums.cut_total = sums.cut_lost + cut.lost, sums.cut_total + cut.total
            yield from self._computed(output, values, sums)

    def _unchanged(self, output: Output) -> Iterator[NDArray[np.uint8]]:
        base, chunk = self.plan.base, self.evaluation.chunk
        dtype, stored = base.info(output.name).dtype, base.stored(output.name)
        for start in range(0, len(stored), chunk):
            piece = stored[start : start + chunk]
            if is_float(dtype) and not _finite_bits(piece, dtype):
                raise _not_finite(output.name, base)
            if output.dtype != dtype:
                piece = from_float32(to_float32(piece, dtype), output.dtype)
                if not _finite_bits(piece, output.dtype):
                    raise _too_large(output)
            yield np.ascontiguousarray(piece).view(np.uint8)

    def _computed(self, output: Output, values: Values, sums: Sums) -> Iterator[NDArray[np.uint8]]:
        name, chunk, seen = output.name, self.evaluation.chunk, self.evaluation.seen
        count = self.evaluation.count(name)
        same = output.dtype == self.plan.base.info(name).dtype
        for start in range(0, count, chunk):
            stop = min(start + chunk, count)
            seen.open(start, stop)
            # What is not finite is reported, with its place, rather than warned of.
            with np.errstate(invalid="ignore", over="ignore"):
                change = values(start, stop)
            base = self.evaluation.base(name, start, stop)
            result = base + change
            if same and (zeros := negative_zeros(base)) is not None:
                # −0.0 + 0.0 is +0.0: where nothing is added the base's bits stay.
                np.copyto(result, base, where=zeros & (change == 0))
            # NaN and overflow show in the receipt's difference between what was stored and what was meant.
            stored = from_float32(result, output.dtype, finite=True)
            sums.add(seen.close(), base, change, result, to_float32(stored, output.dtype))
            if not sums.finite:
                raise self._culprit(output, start, stop, result)
            yield stored.view(np.uint8)

    def _culprit(self, output: Output, start: int, stop: int, result: Float32) -> WeightsError:
        """Who brought a number that is not finite."""
        for checkpoint in (self.plan.base, *self.plan.checkpoints.values()):
            if output.name in checkpoint and not np.isfinite(checkpoint.read(output.name, start, stop)).all():
                return _not_finite(output.name, checkpoint)
        for vector in self.vectors:
            for key in () if isinstance(vector, Difference) else adapters_of(vector):
                adapter = self.plan.adapters[key]
                module = self.plan.matches[vector].modules[key].get(output.name)
                if module is not None and not all(np.isfinite(f).all() for f in adapter.factors(module)):
                    message = f"the adapter `{adapter.name}` holds NaN or infinite numbers for `{output.name}`"
                    return WeightsError(message, "train or save it again", codes.NON_FINITE)
        if np.isfinite(result).all():
            return _too_large(output)
        message = f"`{output.name}` of the result holds NaN or infinite numbers, though the inputs do not"
        return WeightsError(message, "the coefficients are too large", codes.NON_FINITE)


def _keep_freed_memory() -> None:
    """Lets the C library keep what arrays of a chunk free, instead of giving it back and faulting it in again.

    glibc raises the bounds at which it does so when a larger block is freed (`mallopt(3)`, `M_MMAP_THRESHOLD`); this
    one is never touched, so it takes no memory. Elsewhere it does nothing. Worth a third of the time of plain sums.
    """
    np.empty(24 * 1024 * 1024, np.uint8)


def vector_names(plan: EditPlan) -> tuple[str, ...]:
    """What the receipt calls the task vectors: `tuned - base`, or the adapter's name."""
    names: list[str] = []
    for leaf in leaves(plan.expression) if isinstance(plan.expression, Edit) else ():
        if isinstance(leaf, Difference):
            names.append(f"{plan.checkpoints[leaf.tuned].name} - {plan.checkpoints[leaf.base].name}")
        else:
            names.append(" + ".join(plan.adapters[key].name for key in adapters_of(leaf)))
    return tuple(names)


def _finite_bits(stored: NDArray[Any], dtype: str) -> bool:
    if dtype in ("BF16", "F16"):
        exponent = np.uint16(0x7F80 if dtype == "BF16" else 0x7C00)
        return not bool(((stored.view(np.uint16) & exponent) == exponent).any())
    return bool(np.isfinite(stored).all())


def _not_finite(name: str, checkpoint: Checkpoint) -> WeightsError:
    place = str(checkpoint.folder / checkpoint.info(name).file)
    message = f"`{name}` of `{checkpoint.name}` holds NaN or infinite numbers"
    return WeightsError(message, "take a checkpoint from before the training broke", codes.NON_FINITE, place=place)


def _too_large(output: Output) -> WeightsError:
    message = f"`{output.name}` has numbers too large for {output.dtype}"
    return WeightsError(message, "ask for the dtype bfloat16 or float32", codes.NON_FINITE)
