"""From a plan to numbers: what a task vector is on one tensor, as a function of a range of its elements.

Everything is float32, flat, and computed for a range at a time. What a method must know of the whole tensor first (a
threshold) it finds by passing over it once or twice more.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from .checkpoint import Checkpoint
from .coefficients import Factor
from .compose import Piece, compose
from .dtypes import Float32
from .expression import Composed, Difference, FactorSum, Lora, LowRank, Scaled, Slerp, Sum, Top, Vector, canonical
from .factors import cut_to, leaf_factors, product
from .planning import EditPlan
from .slerp import slerp
from .svd import Cut
from .trimming import at_least, threshold

# The values of elements `start` to `stop`. The array is the caller's own, to change as it likes.
Values = Callable[[int, int], Float32]
# Factors of so many tensors are kept: a method may pass over a tensor more than once.
_CUTS = 4


class Reader:
    """Reads chunks of checkpoints, and keeps the last few of those that are read again: the bases."""

    def __init__(self, kept: int = 2) -> None:
        self._kept = kept
        self._held: OrderedDict[tuple[int, str, int, int], Float32] = OrderedDict()

    def shared(self, checkpoint: Checkpoint, tensor: str, start: int, stop: int) -> Float32:
        """A chunk that must not be changed."""
        key = (id(checkpoint), tensor, start, stop)
        found = self._held.get(key)
        if found is None:
            found = self._held[key] = checkpoint.read(tensor, start, stop)
            if len(self._held) > self._kept:
                self._held.popitem(last=False)
        self._held.move_to_end(key)
        return found


class Seen:
    """Keeps what the single task vectors were on the range that is being computed, for the receipt.

    Methods change values in place, so each is copied as it passes; outside a range that was opened nothing is kept.
    """

    def __init__(self) -> None:
        self.values: dict[Vector, Float32] = {}
        self._range: tuple[int, int] | None = None

    def open(self, start: int, stop: int) -> None:
        """From now on keep what passes of the elements `start` to `stop`."""
        self.values.clear()
        self._range = (start, stop)

    @property
    def is_open(self) -> bool:
        """Whether what passes is kept."""
        return self._range is not None

    def close(self) -> dict[Vector, Float32]:
        """What was kept."""
        self._range = None
        return self.values

    def watched(self, vector: Vector, values: Values) -> Values:
        """The same values, kept as they pass."""

        def passing(start: int, stop: int) -> Float32:
            found = values(start, stop)
            if self._range is not None:
                first, last = self._range
                if vector not in self.values and start <= first and last <= stop:
                    self.values[vector] = found[first - start : last - start].copy()
            return found

        return passing


@dataclass(frozen=True)
class Evaluation:
    """Evaluates the parts of one plan. `chunk` is how many elements a passing over a tensor takes at a time."""

    plan: EditPlan
    chunk: int
    reader: Reader = field(default_factory=Reader)
    seen: Seen = field(default_factory=lambda: Seen())
    _thresholds: dict[tuple[int, float], float] = field(default_factory=dict)
    _cuts: OrderedDict[tuple[int, str], Cut] = field(default_factory=OrderedDict)

    def base(self, tensor: str, start: int, stop: int) -> Float32:
        """Elements of the model that is edited; not to be changed."""
        return self.reader.shared(self.plan.base, tensor, start, stop)

    def change(self, tensor: str) -> Values | None:
        """What is added to one tensor; None where nothing is."""
        expression = self.plan.expression
        if isinstance(expression, Slerp):
            return self._slerp(expression, tensor)
        return self.vector(expression.change, tensor)

    def vector(self, vector: Vector, tensor: str) -> Values | None:
        """A task vector on one tensor; None where it is 0 throughout."""
        if not self.plan.reaches(vector, tensor):
            return None
        if isinstance(vector, Difference):
            return self.seen.watched(vector, self._difference(vector, tensor))
        if isinstance(vector, (Lora, FactorSum)):
            return self.seen.watched(vector, product(*leaf_factors(self.plan, vector, tensor)))
        if isinstance(vector, LowRank):
            return self._low_rank(vector, tensor)
        if isinstance(vector, Scaled):
            return self._scaled(vector, tensor)
        if isinstance(vector, Sum):
            return _added([v for v in (self.vector(part, tensor) for part in vector.vectors) if v is not None])
        if isinstance(vector, Top):
            return self._top(vector, tensor)
        return self._composed(vector, tensor)

    def count(self, tensor: str) -> int:
        """Elements of one tensor."""
        return self.plan.base.info(tensor).count

    def _difference(self, vector: Difference, tensor: str) -> Values:
        tuned, base = self.plan.checkpoints[vector.tuned], self.plan.checkpoints[vector.base]
        length, shared = self.plan.matches[vector].lengths[tensor], self.reader.shared

        def values(start: int, stop: int) -> Float32:
            end = min(stop, length)
            if end == stop:
                found = tuned.read(tensor, start, stop)
                found -= shared(base, tensor, start, stop)
                return found
            part = np.zeros(stop - start, np.float32)
            if end > start:
                part[: end - start] = tuned.read(tensor, start, end) - base.read(tensor, start, end)
            return part

        return values

    def cut(self, vector: LowRank, tensor: str) -> Cut:
        """The factors that a vector of low rank has on a matrix; the last few are kept."""
        key = (id(vector), tensor)
        found = self._cuts.get(key)
        if found is None:
            found = self._cuts[key] = cut_to(self, vector.vector, tensor, vector.rank)
            if len(self._cuts) > _CUTS:
                self._cuts.popitem(last=False)
        return found

    def cuts_of(self, tensor: str) -> list[Cut]:
        """What was cut of the tensor that was asked for last."""
        return [found for (_, name), found in self._cuts.items() if name == tensor]

    def _low_rank(self, vector: LowRank, tensor: str) -> Values:
        found, inner = self.cut(vector, tensor), self.vector(vector.vector, tensor)
        product_of = product(found.b, found.a)

        def values(start: int, stop: int) -> Float32:
            if self.seen.is_open and inner is not None:
                inner(start, stop)  # what is cut is measured too
            return product_of(start, stop)

        return values

    def _scaled(self, vector: Scaled, tensor: str) -> Values | None:
        inner = self.vector(vector.vector, tensor)
        return None if inner is None else scaled(inner, self.plan.factors[id(vector.by)].of(tensor))

    def _top(self, vector: Top, tensor: str) -> Values | None:
        inner = self.vector(vector.vector, tensor)
        if inner is None:
            return None
        if vector.scope == "all":
            smallest = self._threshold_of_all(vector.vector, vector.keep)
        else:
            smallest = threshold(lambda: self._passing(inner, tensor), self.count(tensor), vector.keep, inner)
        return lambda start, stop: at_least(inner(start, stop), smallest)

    def _passing(self, values: Values, tensor: str) -> Iterator[Float32]:
        for start in range(0, self.count(tensor), self.chunk):
            yield values(start, min(start + self.chunk, self.count(tensor)))

    def _passing_all(self, vector: Vector) -> Iterator[Float32]:
        for tensor in self.plan.editable:
            if (values := self.vector(vector, tensor)) is not None:
                yield from self._passing(values, tensor)

    def _threshold_of_all(self, vector: Vector, keep: float) -> float:
        key = (id(vector), keep)
        if key not in self._thresholds:
            count = sum(self.count(t) for t in self.plan.editable if self.plan.reaches(vector, t))
            self._thresholds[key] = threshold(lambda: self._passing_all(vector), count, keep)
        return self._thresholds[key]

    def _composed(self, vector: Composed, tensor: str) -> Values | None:
        pieces = []
        for number, part in enumerate(vector.vectors):
            factor = self.plan.factors[id(vector.coefficients[number])].of(tensor)
            values = self.vector(part, tensor) if self.plan.reaches_scaled(vector, number, tensor) else None
            if values is None:
                continue
            whole = self._whole_model(part)
            pieces.append(Piece(values, factor, canonical(part), whole))
        shape = self.plan.base.info(tensor).shape
        return compose(vector, pieces, tensor, shape, self.chunk)

    def _whole_model(self, part: Vector) -> Callable[[float], float]:
        return lambda keep: self._threshold_of_all(part, keep)

    def _slerp(self, expression: Slerp, tensor: str) -> Values | None:
        first, second = self.plan.checkpoints[expression.first], self.plan.checkpoints[expression.second]
        factor = self.plan.factors[id(expression.t)].of(tensor)
        if tensor not in self.plan.matches[expression].lengths or factor == 0.0:
            return None
        if second.info(tensor).shape != first.info(tensor).shape:
            return None
        return slerp(
            lambda start, stop: self.reader.shared(first, tensor, start, stop),
            lambda start, stop: second.read(tensor, start, stop), factor, self.count(tensor), self.chunk,
        )  # fmt: skip


def scaled(values: Values, factor: Factor) -> Values:
    """Values times a number, or times a number each."""
    if not callable(factor):
        if factor == 1.0:
            return values
        number = np.float32(factor)

        def by_number(start: int, stop: int) -> Float32:
            found = values(start, stop)
            found *= number
            return found

        return by_number

    def by_element(start: int, stop: int) -> Float32:
        found = values(start, stop)
        found *= factor(start, stop)
        return found

    return by_element


def _added(parts: list[Values]) -> Values | None:
    if len(parts) < 2:
        return parts[0] if parts else None

    def values(start: int, stop: int) -> Float32:
        total = parts[0](start, stop)
        for part in parts[1:]:
            total += part(start, stop)
        return total

    return values
