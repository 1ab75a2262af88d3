"""What an edit of weights is: frozen terms that can be hashed and written as JSON, with no path in them.

Models and adapters stand as keys (texts that the caller chooses: digests, names of inputs); what they mean is told when
an edit is planned.

    Edit(base, change)          θ = θ_base + τ
    Slerp(base, first, second)  θ = slerp(t; θ_first, θ_second), tensor by tensor

A τ is a `Difference`, a `Lora`, a `FactorSum`, `Scaled`, a `Sum`, `Top`, `LowRank`, or `Composed`. `+`, `−` and `*`
build them.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Union

from steerlang.diagnostics import codes

from .blocks import Blocks
from .coefficients import ByBlock, Coefficient, Depth, Rules, Within
from .errors import WeightsError
from .patterns import Pattern

Method = Literal["linear", "ties", "dare", "dare_ties", "della", "breadcrumbs", "consensus"]
Scope = Literal["tensor", "all"]


class _Algebra:
    """Operators of task vectors."""

    __slots__ = ()

    def __add__(self, other: Vector) -> Sum:
        return Sum((*_parts(self), *_parts(other)))

    def __sub__(self, other: Vector) -> Sum:
        return Sum((*_parts(self), Scaled(other, -1.0)))

    def __neg__(self) -> Scaled:
        return Scaled(self, -1.0)  # type: ignore[arg-type]

    def __mul__(self, by: Coefficient) -> Scaled:
        return Scaled(self, by)  # type: ignore[arg-type]

    __rmul__ = __mul__


@dataclass(frozen=True, slots=True)
class Difference(_Algebra):
    """τ = θ_tuned − θ_base over floating-point tensors, matched by name.

    missing     `error`, or `skip`: tensors that one side lacks, or has in another shape, are listed and left alone
    vocabulary  another number of tokens: `error`, or `common`: the rows that both have; further rows of the edited
                model stay as they are. It holds that the common tokens have equal ids.
    """

    tuned: str
    base: str
    missing: Literal["error", "skip"] = "error"
    vocabulary: Literal["error", "common"] = "error"


@dataclass(frozen=True, slots=True)
class Lora(_Algebra):
    """τ = s · B A of a LoRA adapter in PEFT's format, s = α / r, or α / √r where it is rank-stabilised."""

    adapter: str


@dataclass(frozen=True, slots=True)
class Part:
    """One adapter of a `FactorSum`: λ s B and μ A.

    b, a  the numbers λ and μ
    by    multiplies both, by the name of the factor: patterns see `….lora_A.weight` and `….lora_B.weight`
    """

    adapter: str
    b: float = 1.0
    a: float = 1.0
    by: Coefficient = 1.0


@dataclass(frozen=True, slots=True)
class FactorSum(_Algebra):
    """τ = (Σ λ_i s_i B_i)(Σ μ_i A_i): factors scaled separately, so that cross terms appear. All parts of one rank."""

    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Scaled(_Algebra):
    """Λ τ, Λ a number or block-diagonal."""

    vector: Vector
    by: Coefficient

    def __post_init__(self) -> None:
        if isinstance(self.by, (int, float)) and not math.isfinite(self.by):
            raise WeightsError(f"a coefficient is {self.by}, which is no finite number", (), codes.OUT_OF_BOUNDS)


@dataclass(frozen=True, slots=True)
class Sum(_Algebra):
    """Σ τ_i, added in the order written."""

    vectors: tuple[Vector, ...]


@dataclass(frozen=True, slots=True)
class Top(_Algebra):
    """The share `keep` of τ's entries that is largest in magnitude, ties at the threshold kept; the rest is 0.

    scope  the share of each tensor, or of all together
    """

    vector: Vector
    keep: float
    scope: Scope = "tensor"

    def __post_init__(self) -> None:
        _share(self.keep, "keep")


@dataclass(frozen=True, slots=True)
class LowRank(_Algebra):
    """The best approximation of rank `rank` of each matrix of τ, by its singular values (Eckart & Young, 1936).

    Tensors that are no matrices are 0 in it and listed as left out.
    """

    vector: Vector
    rank: int

    def __post_init__(self) -> None:
        if self.rank < 1:
            raise WeightsError(f"the rank is {self.rank}, but must be at least 1", (), codes.OUT_OF_BOUNDS)


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the methods of `Composed`; each method's page says which it reads and `compose` refuses others.

    density    share of entries kept (ties, dare, dare_ties, della, breadcrumbs)
    gamma      share of the largest entries that is dropped (breadcrumbs)
    epsilon    half the spread of the probabilities (della)
    rescale    divide what is kept by its probability (dare, dare_ties, della)
    normalize  what the sum of agreeing entries is divided by: their number, their weights, or nothing
    agree      in how many masks an entry must be (consensus)
    strictness λ of the masks (consensus)
    scope      thresholds of each tensor, or of all tensors together (ties, breadcrumbs)
    seed       of the random masks (dare, dare_ties, della)
    """

    density: float | None = None
    gamma: float | None = None
    epsilon: float | None = None
    rescale: bool | None = None
    normalize: Literal["count", "weights", "none"] | None = None
    agree: int | None = None
    strictness: float | None = None
    scope: Scope | None = None
    seed: int | None = None

    def given(self) -> dict[str, Any]:
        """The options that were given."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if getattr(self, f.name) is not None}


@dataclass(frozen=True, slots=True)
class Composed(_Algebra):
    """Several task vectors made one by a method; `coefficients` has one for each."""

    vectors: tuple[Vector, ...]
    coefficients: tuple[Coefficient, ...]
    method: Method = "linear"
    options: Options = Options()

    def __post_init__(self) -> None:
        if len(self.vectors) != len(self.coefficients):
            message = f"{len(self.vectors)} task vectors have {len(self.coefficients)} coefficients"
            raise WeightsError(message, "give one for each", codes.OUT_OF_BOUNDS)
        if not self.vectors:
            raise WeightsError("nothing to compose: the list of task vectors is empty", (), codes.EMPTY_RANGE)


Vector = Union[Difference, Lora, FactorSum, Scaled, Sum, Top, LowRank, Composed]


@dataclass(frozen=True, slots=True)
class Edit:
    """θ = θ_base + τ. Tensors that τ does not reach are copied bit by bit.

    across   whether τ may come from another base
    exclude  tensors of the base that are not written at all
    """

    base: str
    change: Vector
    across: bool = False
    exclude: tuple[Pattern, ...] = ()


@dataclass(frozen=True, slots=True)
class Slerp:
    """Spherical interpolation of two models, tensor by tensor (Shoemake, 1985), Ω the angle between the flat tensors:

    θ = sin((1 − t) Ω) / sin Ω · θ_first + sin(t Ω) / sin Ω · θ_second;   linear where |cos Ω| > 0.9995
    """

    first: str
    second: str
    t: Coefficient
    exclude: tuple[Pattern, ...] = ()

    @property
    def base(self) -> str:
        """The model whose files and tensors the result has."""
        return self.first


Expression = Union[Edit, Slerp]
_TERMS = {
    c.__name__: c
    for c in (Difference, Lora, Part, FactorSum, Scaled, Sum, Top, LowRank, Options, Composed, Edit, Slerp, Pattern,
              Blocks, Depth, Rules, ByBlock, Within)
}  # fmt: skip


def to_json(term: Any) -> Any:
    """A term as JSON values: an object with its class's name under `is`, fields by name."""
    if dataclasses.is_dataclass(term) and not isinstance(term, type):
        fields = {f.name: to_json(getattr(term, f.name)) for f in dataclasses.fields(term)}
        return {"is": type(term).__name__, **fields}
    return [to_json(item) for item in term] if isinstance(term, tuple) else term


def from_json(value: Any) -> Any:
    """The term that `to_json` wrote."""
    if isinstance(value, Mapping):
        fields = {name: from_json(item) for name, item in value.items() if name != "is"}
        return _TERMS[value["is"]](**fields)
    return tuple(from_json(item) for item in value) if isinstance(value, (list, tuple)) else value


def canonical(term: Any) -> str:
    """The one text of a term: what random masks know a task vector by."""
    return json.dumps(to_json(term), sort_keys=True, separators=(",", ":"), allow_nan=False)


def leaves(term: Any) -> tuple[Difference | Lora | FactorSum, ...]:
    """The task vectors that a term is made of, each once, in order."""
    found: dict[Any, None] = {}
    _gather(term, found)
    return tuple(found)


def adapters_of(leaf: Lora | FactorSum) -> tuple[str, ...]:
    """The keys of the adapters that a task vector is made of."""
    return (leaf.adapter,) if isinstance(leaf, Lora) else tuple(part.adapter for part in leaf.parts)


def _gather(term: Any, found: dict[Any, None]) -> None:
    if isinstance(term, (Difference, Lora, FactorSum)):
        found.setdefault(term)
    elif isinstance(term, (Scaled, Top, LowRank)):
        _gather(term.vector, found)
    elif isinstance(term, (Sum, Composed)):
        for vector in term.vectors:
            _gather(vector, found)
    elif isinstance(term, Edit):
        _gather(term.change, found)


def _parts(term: Any) -> tuple[Vector, ...]:
    return term.vectors if isinstance(term, Sum) else (term,)


def _share(value: float, name: str) -> None:
    if not 0.0 < value <= 1.0:
        raise WeightsError(f"`{name}` is {value}, but a share lies above 0 and at most at 1", (), codes.OUT_OF_BOUNDS)
