"""Task vectors as adapters: every matrix in factors, exact where adapters are added, else cut to a rank.

    τ = B A          by module, B [rows, r], A [r, columns]
    exact            weighted sums of adapters, of rank Σ r_i
    cut to rank r    by the largest singular values; what is lost is reported
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from steerlang.diagnostics import codes

from .adapters import Adapter, outline
from .checkpoint import Checkpoint
from .dtypes import Float32
from .errors import WeightsError, listed
from .evaluation import Evaluation
from .expression import Edit, Vector
from .factors import cut_to, exact_factors
from .planning import EditPlan, plan_edit
from .streaming import chunk_size
from .svd import Cut, Rows

# How libraries name the embedding of tokens or positions; PEFT stores the factors of embeddings another way around.
_EMBEDDING = re.compile(r"(?:.*[._])?(?:embed_tokens|embed_in|embed|embeddings?|wte|wpe)")


@dataclass(frozen=True)
class Factored:
    """A task vector in factors: (B, A) by module.

    errors      ‖τ − B A‖ / ‖τ‖ by module; 0.0 where B A is τ itself
    error       the same over all modules together
    norms       ‖τ‖ by module
    left_out    tensors of the task vector that the factors do not hold, with ‖τ‖ of each: those that are no matrices,
                and an embedding that is tied to the head
    embeddings  the modules that are embeddings
    transposed  whether the model stores the weights of the other modules transposed (`fan_in_fan_out`)
    """

    factors: Mapping[str, tuple[Float32, Float32]] = field(repr=False)
    error: float = 0.0
    errors: Mapping[str, float] = field(default_factory=dict, repr=False)
    norms: Mapping[str, float] = field(default_factory=dict, repr=False)
    left_out: Mapping[str, float] = field(default_factory=dict)
    embeddings: frozenset[str] = frozenset()
    transposed: bool = False

    @property
    def ranks(self) -> dict[str, int]:
        """The rank of each module."""
        return {module: a.shape[0] for module, (_, a) in self.factors.items()}


def plan_vector(
    change: Vector, base: str | None, checkpoints: Mapping[str, Checkpoint], adapters: Mapping[str, Adapter]
) -> EditPlan:
    """A plan whose change is a task vector. `base` is the key of the model it was taken from; None for adapters alone,
    which then are planned over the tensors that they edit. Raises WeightsError."""
    if base is not None:
        return plan_edit(Edit(base, change, across=True), checkpoints, adapters)
    return plan_edit(Edit("outline", change), {"outline": outline(adapters)}, adapters)


def check_exact(plan: EditPlan) -> None:
    """Raises WeightsError where a task vector has no exact factors: then a rank must be given."""
    assert isinstance(plan.expression, Edit)
    change = plan.expression.change
    dense = [name for name in _reached(plan) if not _is_factored(change, plan, name)]
    if dense:
        message = f"the task vector has no exact factors at {listed(dense)}"
        help = "say to which rank it is cut: `rank = 16`; only weighted sums of adapters are exact"
        raise WeightsError(message, help, codes.RANK_NEEDED)


def factored(plan: EditPlan, rank: int | None = None) -> Factored:
    """The task vector of a plan in factors, cut to `rank` where one is given. Raises WeightsError."""
    if rank is None:
        check_exact(plan)
    assert isinstance(plan.expression, Edit)
    change = plan.expression.change
    evaluation = Evaluation(plan, chunk_size(plan))
    cuts: dict[str, Cut] = {}
    left_out: dict[str, float] = {}
    for tensor in _reached(plan):
        module = tensor.removesuffix(".weight")
        # PEFT would give a tied embedding's factors to the input alone, and not to the head.
        if module == tensor or len(plan.base.info(tensor).shape) != 2 or tensor == plan.base.tied_embedding:
            left_out[tensor] = _norm(evaluation, change, tensor)
            continue
        cut = _cut(evaluation, change, tensor, rank)
        if not (math.isfinite(cut.total) and np.isfinite(cut.b).all() and np.isfinite(cut.a).all()):
            message = f"`{tensor}` of the task vector holds NaN or infinite numbers"
            raise WeightsError(message, "train or save its inputs again", codes.NON_FINITE)
        if cut.total > 0.0:
            cuts[module] = cut
    return _reported(plan, cuts, {name: norm for name, norm in left_out.items() if norm > 0.0})


def _cut(evaluation: Evaluation, change: Vector, tensor: str, rank: int | None) -> Cut:
    if rank is not None:
        return cut_to(evaluation, change, tensor, rank)
    pair = exact_factors(evaluation, change, tensor)
    assert pair is not None
    b, a = pair
    # ‖B A‖² = Σ (BᵀB) ∘ (AAᵀ), without the product itself.
    squares = (b.T.astype(np.float64) @ b) * (a.astype(np.float64) @ a.T)
    return Cut(b, a, 0.0, max(float(squares.sum()), float(np.finfo(np.float64).tiny)))


def _reached(plan: EditPlan) -> list[str]:
    return [output.name for output in plan.outputs if output.action == "computed"]


def _is_factored(change: Vector, plan: EditPlan, tensor: str) -> bool:
    """Whether factors are known, from the term and the shapes alone."""
    from .expression import Composed, FactorSum, Lora, LowRank, Scaled, Sum

    if isinstance(change, (Lora, FactorSum, LowRank)):
        return True
    if isinstance(change, Scaled):
        parts = [(change.vector, plan.factors[id(change.by)].of(tensor))]
    elif isinstance(change, Sum):
        parts = [(part, 1.0) for part in change.vectors]
    elif isinstance(change, Composed) and change.method == "linear":
        factors = [plan.factors[id(c)].of(tensor) for c in change.coefficients]
        parts = list(zip(change.vectors, factors, strict=True))
    else:
        return False
    reached = [(part, factor) for part, factor in parts if factor != 0.0 and plan.reaches(part, tensor)]
    return all(not callable(factor) and _is_factored(part, plan, tensor) for part, factor in reached)


def _norm(evaluation: Evaluation, change: Vector, tensor: str) -> float:
    values = evaluation.vector(change, tensor)
    count = evaluation.count(tensor)
    return 0.0 if values is None else math.sqrt(Rows(count, 1, values).square())


def _reported(plan: EditPlan, cuts: Mapping[str, Cut], left_out: Mapping[str, float]) -> Factored:
    lost, total = math.fsum(cut.lost for cut in cuts.values()), math.fsum(cut.total for cut in cuts.values())
    errors = {module: math.sqrt(max(cut.lost, 0.0) / cut.total) for module, cut in cuts.items()}
    pairs = [(module, pair) for adapter in plan.adapters.values() for module, pair in adapter.pairs.items()]
    embeddings = {module for module, pair in pairs if pair.embedding}
    if plan.checkpoints.keys() != {"outline"}:
        embeddings |= {module for module in cuts if _EMBEDDING.fullmatch(module)}
    ways = {pair.transposed for _, pair in pairs if not pair.embedding}
    return Factored(
        {module: (cut.b, cut.a) for module, cut in cuts.items()},
        math.sqrt(max(lost, 0.0) / total) if total > 0 else 0.0,
        errors,
        {module: math.sqrt(cut.total) for module, cut in cuts.items()},
        left_out,
        frozenset(embeddings & cuts.keys()),
        ways == {True} if ways else stores_transposed(plan.base),
    )


def stores_transposed(checkpoint: Checkpoint) -> bool:
    """Whether weights are stored [in, out], as GPT-2's are: their biases are then as long as they are wide.

    Square weights say nothing; of the others with a bias all must agree.
    """
    ways = set()
    for info in checkpoint.tensors.values():
        bias = checkpoint.tensors.get(f"{info.name.removesuffix('.weight')}.bias")
        if bias is not None and len(info.shape) == 2 and len(bias.shape) == 1 and info.shape[0] != info.shape[1]:
            ways.add(bias.shape[0] == info.shape[1])
    return ways == {True}
