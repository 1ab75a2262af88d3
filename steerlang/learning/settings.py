"""How coefficients are learned: the objective, its bounds, the optimiser, what is kept. The published settings are
the defaults (Zhang et al., 2024: AdamW, weight decay 0.1 on the coefficients, gradients clipped at norm 1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Union

from steerlang.diagnostics import codes

from .data import Strength
from .errors import LearningError

Schedule = Literal["cosine", "constant"]
Selection = Literal["last", "best"]
Criterion = Literal["accuracy", "loss"]


@dataclass(frozen=True, slots=True)
class Supervised:
    """Cross-entropy, mean over a batch; several data sets: the sum."""


@dataclass(frozen=True, slots=True)
class Negate:
    """−CE(target) + CE(control), subject to accuracy(control) ≥ `keep` × the base's."""

    keep: float = 0.95


@dataclass(frozen=True, slots=True)
class Entropy:
    """−Σ p log p of the predictions, mean over a batch; no labels."""


@dataclass(frozen=True, slots=True)
class SelfTraining:
    """Unsupervised FixMatch: a trusted set by confidence, and soft pseudo-labels above a rising threshold; no labels.

    trusted   at most so many rows a class are trusted (and at most N / C)
    share     of each batch that is trusted rows
    first, last  the threshold ω, linear over the steps
    """

    trusted: int = 100
    share: float = 0.25
    first: float = 0.9
    last: float = 1.0


@dataclass(frozen=True, slots=True)
class LanguageModel:
    """Cross-entropy of the next token, mean over the tokens that count."""


Objective = Union[Supervised, Negate, Entropy, SelfTraining, LanguageModel]


@dataclass(frozen=True, slots=True)
class Penalty:
    """γ · mean over blocks of ‖λ_·j‖_p, added to the loss."""

    p: Literal[1, 2] = 1
    gamma: float = 0.5


@dataclass(frozen=True, slots=True)
class Settings:
    """One run of learning.

    steps, epochs      one of the two; an epoch is once through the longest data set
    batch_size         rows of each data set in one pass; `grad_accumulation` passes make a step
    lr, schedule       the step size, after `warmup` steps of linear growth: constant, or lr (1 + cos(π e / E)) / 2
    clip               the largest norm of the gradient of all coefficients; None: as it is
    select, criterion  which coefficients are kept: those of the last step, or the best; by accuracy, or by the
                       objective's own loss. None: accuracy where the objective uses labels
    evaluate_every     steps between selections; None: once an epoch
    memory             bytes of task vectors that may be kept in memory; the others are read from disk each time
    linearize          compose in the tangent space: f(θ_0) + J(θ_0) Σ Λ_i τ_i
    augment            the view of the rows that a loss with or without labels is of (self-training has its own)
    adapters           LoRA task vectors in product form without weight gradients, or dense
    """

    objective: Objective = Supervised()
    steps: int | None = None
    epochs: int | None = None
    batch_size: int = 128
    grad_accumulation: int = 1
    lr: float = 0.1
    schedule: Schedule = "cosine"
    warmup: int = 0
    weight_decay: float = 0.1
    clip: float | None = 1.0
    penalty: Penalty | None = None
    select: Selection = "last"
    criterion: Criterion | None = None
    evaluate_every: int | None = None
    seed: int = 0
    memory: int = 0
    linearize: bool = False
    augment: Strength = Strength.PLAIN
    adapters: Literal["product", "dense"] = "product"

    def __post_init__(self) -> None:
        if (self.steps is None) == (self.epochs is None):
            raise LearningError("give either `steps` or `epochs`", (), codes.OUT_OF_BOUNDS)
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if value is not None and not least <= value < float("inf"):
                raise LearningError(f"`{name}` is {value}, but must be at least {least}", (), codes.OUT_OF_BOUNDS)
        if self.criterion == "accuracy" and not uses_labels(self.objective):
            message = f"`{word(self.objective)}` learns without labels and may not select by them"
            raise LearningError(message, "select by `loss`, or keep the last", codes.SELECTS_BY_LABELS)


_LEAST = {
    "steps": 1, "epochs": 1, "batch_size": 1, "grad_accumulation": 1, "lr": 0.0, "warmup": 0, "weight_decay": 0.0,
    "clip": 0.0, "evaluate_every": 1, "memory": 0,
}  # fmt: skip
_WORDS = {
    Supervised: "supervised", Negate: "negate", Entropy: "entropy", SelfTraining: "self_training",
    LanguageModel: "language_model",
}  # fmt: skip


def word(objective: Objective) -> str:
    """An objective as programs write it."""
    return _WORDS[type(objective)]


def uses_labels(objective: Objective) -> bool:
    """Whether an objective reads labels of classes, and so may select by accuracy."""
    return isinstance(objective, (Supervised, Negate))
