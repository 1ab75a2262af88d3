"""Task vectors in factors, τ = B A on one tensor: those that are so exactly, and those that are cut to a rank.

    adapters            s B A
    sums of factors     (Σ λ_i s_i B_i)(Σ μ_i A_i)
    weighted sums       Σ λ_i B_i A_i = [λ_1 B_1 … λ_n B_n] [A_1; …; A_n]: exact, of rank Σ r_i
    `LowRank`           the factors of its largest singular values
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from .adapters import factor_names
from .coefficients import Factor
from .expression import Composed, FactorSum, Lora, LowRank, Part, Scaled, Sum, Vector
from .svd import Cut, Pair, Rows, best, truncated

if TYPE_CHECKING:
    from .dtypes import Float32
    from .evaluation import Evaluation, Values
    from .planning import EditPlan

# Rows that are multiplied at once, counted from the first: so that a product does not depend on where a chunk begins.
_ROWS = 32


def exact_factors(evaluation: Evaluation, vector: Vector, tensor: str) -> Pair | None:
    """B [rows, r] and A [r, columns] of a task vector that reaches a tensor; None where it has no known factors."""
    plan = evaluation.plan
    if isinstance(vector, (Lora, FactorSum)):
        return leaf_factors(plan, vector, tensor)
    if isinstance(vector, LowRank):
        found = evaluation.cut(vector, tensor)
        return found.b, found.a
    if isinstance(vector, Scaled):
        return _weighted(evaluation, [(vector.vector, plan.factors[id(vector.by)].of(tensor))], tensor)
    if isinstance(vector, Sum):
        return _weighted(evaluation, [(part, 1.0) for part in vector.vectors], tensor)
    if isinstance(vector, Composed) and vector.method == "linear":
        factors = [plan.factors[id(c)].of(tensor) for c in vector.coefficients]
        return _weighted(evaluation, zip(vector.vectors, factors, strict=True), tensor)
    return None


def _weighted(evaluation: Evaluation, parts: Iterable[tuple[Vector, Factor]], tensor: str) -> Pair | None:
    left, right = [], []
    for vector, factor in parts:
        if callable(factor):
            return None
        if factor == 0.0 or not evaluation.plan.reaches(vector, tensor):
            continue
        found = exact_factors(evaluation, vector, tensor)
        if found is None:
            return None
        left.append(found[0] if factor == 1.0 else found[0] * np.float32(factor))
        right.append(found[1])
    return (np.concatenate(left, axis=1), np.concatenate(right, axis=0)) if left else None


def cut_to(evaluation: Evaluation, vector: Vector, tensor: str, rank: int) -> Cut:
    """The best factors of a rank for a task vector on a matrix that it reaches."""
    pair = exact_factors(evaluation, vector, tensor)
    if pair is not None:
        return truncated(*pair, rank)
    values = evaluation.vector(vector, tensor)
    height, width = evaluation.plan.base.info(tensor).shape
    assert values is not None
    return best(Rows(height, width, values), rank)


def leaf_factors(plan: EditPlan, vector: Lora | FactorSum, tensor: str) -> Pair:
    """The factors of adapters on one tensor, with the scalings of adapters and parts multiplied in."""
    parts = (Part(vector.adapter),) if isinstance(vector, Lora) else vector.parts
    modules = plan.matches[vector].modules
    total: Pair | None = None
    for part in parts:
        module = modules[part.adapter][tensor]
        adapter = plan.adapters[part.adapter]
        b, a = adapter.factors(module)
        by_b, by_a = _scales(plan, part, module)
        if adapter.pairs[module].transposed:
            by_b, by_a = by_a, by_b
        pair = b * np.float32(by_b), a * np.float32(by_a)
        total = pair if total is None else (total[0] + pair[0], total[1] + pair[1])
    assert total is not None
    return total


def _scales(plan: EditPlan, part: Part, module: str) -> tuple[float, float]:
    """λ and μ of one part on one module."""
    by = plan.factors.get(id(part))
    if by is None:
        return part.b, part.a
    name_a, name_b = factor_names(f"{module}.weight")
    scales = by.of(name_b), by.of(name_a)
    assert not callable(scales[0])
    assert not callable(scales[1])
    return part.b * scales[0], part.a * scales[1]


def product(b: Float32, a: Float32) -> Values:
    """The elements of B A, the same bits however they are asked for."""
    columns = a.shape[1]
    step = _ROWS * columns

    def values(start: int, stop: int) -> Float32:
        first = start // step
        blocks = [
            (b[row : row + _ROWS] @ a).reshape(-1) for row in range(first * _ROWS, -(-stop // columns), _ROWS)
        ]
        found: Float32 = np.concatenate(blocks)[start - first * step : stop - first * step]
        return found

    return values
