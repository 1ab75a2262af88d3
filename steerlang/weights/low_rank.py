"""Adapters made from task vectors: exact sums of adapters, truncation by SVD, and extraction from a fine-tuned model.

    sum         Σ λ_i s_i B_i A_i = [λ_1 s_1 B_1 … λ_n s_n B_n] [A_1; …; A_n]: exact, of rank Σ r_i
    truncation  B A = Q_b (R_b R_aᵀ) Q_aᵀ, the SVD of the small middle kept to rank r (Eckart–Young); error reported
    extraction  the best rank-r approximation of each matrix of θ_tuned − θ_base

Written with s = 1 (`lora_alpha` = r), so that B A is τ itself.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from steerlang.diagnostics import codes

from .adapters import CONFIG, WEIGHTS, Adapter
from .checkpoint import CHUNK, Checkpoint
from .dtypes import Float32, from_float32
from .errors import WeightsError, disk_errors
from .expression import Difference
from .layout import shards
from .matching import match_leaf
from .planning import Output
from .staging import Staging, busy_errors, check_target

# Up to so many numbers a matrix is decomposed as a whole; a larger one is only ever read in rows.
_WHOLE = 1 << 21
_OVERSAMPLING, _ITERATIONS = 16, 3


@dataclass(frozen=True)
class Factored:
    """A task vector in factors: (B [rows, r], A [r, columns]) by module, τ = B A.

    error     ‖τ − B A‖ / ‖τ‖ over all modules; 0.0 for exact sums
    left_out  tensors of the task vector that are no matrices, with ‖τ‖ of each, which the factors do not hold
    """

    factors: Mapping[str, tuple[Float32, Float32]] = field(repr=False)
    error: float = 0.0
    errors: Mapping[str, float] = field(default_factory=dict, repr=False)
    left_out: Mapping[str, float] = field(default_factory=dict)


def sum_adapters(parts: Sequence[tuple[Adapter, float]], rank: int | None = None) -> Factored:
    """Σ λ_i τ_i of adapters, exact where `rank` is None, else truncated to it with the error reported."""
    if not parts:
        raise WeightsError("there is no adapter to add", (), codes.EMPTY_RANGE)
    exact: dict[str, tuple[Float32, Float32]] = {}
    for module in dict.fromkeys(module for adapter, _ in parts for module in adapter.pairs):
        found = [(adapter.factors(module), weight) for adapter, weight in parts if module in adapter.pairs]
        if len({(b.shape[0], a.shape[1]) for (b, a), _ in found}) > 1:
            raise WeightsError(f"the adapters have other shapes at `{module}`", (), codes.WIDTH_MISMATCH)
        left = np.concatenate([b * np.float32(weight) for (b, _), weight in found], axis=1)
        exact[module] = left, np.concatenate([a for (_, a), _ in found], axis=0)
    return Factored(exact) if rank is None else truncated(exact, rank)


def truncated(factors: Mapping[str, tuple[Float32, Float32]], rank: int) -> Factored:
    """Each product cut to its `rank` largest singular values."""
    _check_rank(rank)
    kept: dict[str, tuple[Float32, Float32]] = {}
    squares: dict[str, tuple[float, float]] = {}
    for module, (b, a) in factors.items():
        left, upper = np.linalg.qr(b.astype(np.float64))
        right, lower = np.linalg.qr(a.astype(np.float64).T)
        u, s, v = np.linalg.svd(upper @ lower.T)
        kept[module] = _balanced(left @ u[:, : len(s)], s, v[: len(s)] @ right.T, rank)
        squares[module] = float(np.square(s[rank:]).sum()), float(np.square(s).sum())
    return _reported(kept, squares, {})


def extract_lora(
    tuned: Checkpoint, base: Checkpoint, rank: int, include: Callable[[str], bool] | None = None
) -> Factored:
    """The best adapter of the given rank for tuned − base: a pair of factors for each matrix, by module.

    Matrices of more than two million numbers are approximated by subspace iteration (Halko, Martinsson & Tropp, 2011)
    over rows; the error is measured on the matrix itself in either case. Raises WeightsError.
    """
    _check_rank(rank)
    match = match_leaf(Difference("tuned", "base"), base, {"tuned": tuned, "base": base}, {}, [])
    factors: dict[str, tuple[Float32, Float32]] = {}
    squares: dict[str, tuple[float, float]] = {}
    left_out: dict[str, float] = {}
    for tensor in match.lengths:
        rows = _Rows(tuned, base, tensor)
        total = rows.square()
        if not math.isfinite(total):
            raise WeightsError(f"`{tensor}` holds NaN or infinite numbers", (), codes.NON_FINITE)
        if total == 0.0:
            continue
        if len(rows.shape) != 2 or not tensor.endswith(".weight") or (include is not None and not include(tensor)):
            left_out[tensor] = math.sqrt(total)
            continue
        factors[tensor.removesuffix(".weight")], lost = _best(rows, rank)
        squares[tensor.removesuffix(".weight")] = max(lost, 0.0), total
    return _reported(factors, squares, left_out)


def write_adapter(
    factored: Factored, to: str | Path, *, base_name: str = "", overwrite: bool = False, dtype: str = "F32"
) -> None:
    """Writes factors as an adapter that PEFT loads. All ranks and B A = τ are kept: `lora_alpha` is the rank."""
    if not factored.factors:
        raise WeightsError("there is nothing to write: the task vector has no matrices", (), codes.EMPTY_RANGE)
    target = Path(to)
    check_target(target, overwrite)
    tensors: dict[str, Float32] = {}
    for module, (b, a) in factored.factors.items():
        tensors[f"base_model.model.{module}.lora_A.weight"] = a
        tensors[f"base_model.model.{module}.lora_B.weight"] = b
    outputs = [Output(name, dtype, values.shape, "computed") for name, values in tensors.items()]
    (shard,) = shards(outputs, 1 << 62)
    with busy_errors(), disk_errors(target), Staging(target, "adapter").opened() as staging:
        pieces = (from_float32(tensors[output.name].reshape(-1), dtype).tobytes() for output in shard.outputs)
        staging.write(WEIGHTS, b"".join((shard.header, *pieces)))
        staging.write(CONFIG, (json.dumps(_config(factored, base_name), indent=2) + "\n").encode())
        staging.publish()


def _config(factored: Factored, base_name: str) -> dict[str, Any]:
    ranks = {module: a.shape[0] for module, (_, a) in factored.factors.items()}
    common = max(set(ranks.values()), key=list(ranks.values()).count)
    others = {module: rank for module, rank in ranks.items() if rank != common}
    return {
        "peft_type": "LORA", "base_model_name_or_path": base_name, "r": common, "lora_alpha": common,
        "rank_pattern": others, "alpha_pattern": others, "target_modules": sorted(ranks), "bias": "none",
        "lora_dropout": 0.0, "use_rslora": False, "use_dora": False, "modules_to_save": None, "inference_mode": True,
        "fan_in_fan_out": False,
    }  # fmt: skip


@dataclass(frozen=True)
class _Rows:
    """tuned − base of one matrix, read in runs of rows."""

    tuned: Checkpoint
    base: Checkpoint
    tensor: str

    @property
    def shape(self) -> tuple[int, ...]:
        return self.base.info(self.tensor).shape

    def runs(self) -> Any:
        """(first row, τ of some rows [n, columns])."""
        columns = math.prod(self.shape[1:]) or 1
        step = max(1, CHUNK // columns) * columns
        for start in range(0, self.base.info(self.tensor).count, step):
            values = self.tuned.read(self.tensor, start, start + step)
            values -= self.base.read(self.tensor, start, start + step)
            yield start // columns, values.reshape(-1, columns)

    def square(self) -> float:
        return math.fsum(float(np.square(run, dtype=np.float64).sum()) for _, run in self.runs())

    def times(self, right: Float32) -> Float32:
        """τ · right."""
        return np.concatenate([run @ right for _, run in self.runs()])

    def transposed_times(self, left: Float32) -> Float32:
        """τᵀ · left."""
        total = np.zeros((self.shape[1], left.shape[1]), np.float32)
        for row, run in self.runs():
            total += run.T @ left[row : row + len(run)]
        return total


def _best(rows: _Rows, rank: int) -> tuple[tuple[Float32, Float32], float]:
    """The factors, and the squared norm of what they lose."""
    height, width = rows.shape
    if height * width <= _WHOLE:
        u, s, v = np.linalg.svd(np.concatenate([run for _, run in rows.runs()]).astype(np.float64), full_matrices=False)
        return _balanced(u, s, v, rank), float(np.square(s[rank:]).sum())
    size = min(rank + _OVERSAMPLING, height, width)
    basis = np.random.default_rng(0).standard_normal((width, size), np.float32)
    for _ in range(_ITERATIONS):
        left = np.linalg.qr(rows.times(basis))[0]
        basis = np.linalg.qr(rows.transposed_times(left))[0]
    left = np.linalg.qr(rows.times(basis))[0]
    u, s, v = np.linalg.svd(rows.transposed_times(left).T.astype(np.float64), full_matrices=False)
    b, a = _balanced(left @ u, s, v, rank)
    lost = math.fsum(float(np.square(run - b[row : row + len(run)] @ a).sum()) for row, run in rows.runs())
    return (b, a), lost


def _balanced(u: Any, s: Any, v: Any, rank: int) -> tuple[Float32, Float32]:
    """B = U √S and A = √S V, so that both are of one size."""
    root = np.sqrt(s[:rank])
    return (u[:, :rank] * root).astype(np.float32), (root[:, None] * v[:rank]).astype(np.float32)


def _reported(
    factors: Mapping[str, tuple[Float32, Float32]],
    squares: Mapping[str, tuple[float, float]],
    left_out: Mapping[str, float],
) -> Factored:
    lost, total = (math.fsum(pair[k] for pair in squares.values()) for k in (0, 1))
    errors = {module: math.sqrt(a / b) if b > 0 else 0.0 for module, (a, b) in squares.items()}
    return Factored(factors, math.sqrt(lost / total) if total > 0 else 0.0, errors, left_out)


def _check_rank(rank: int) -> None:
    if rank < 1:
        raise WeightsError(f"the rank is {rank}, but must be at least 1", (), codes.OUT_OF_BOUNDS)
