"""The losses of the objectives, as sums over rows with the weight that they are sums over.

L = Σ over addends of sign · (Σ over the rows of a step) / (the weight of these rows). Sums let a step be cut into
passes of any size without changing what it computes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor
from torch.nn import functional

from steerlang.diagnostics import codes

from .data import PLAIN, AnyExamples, Data, Examples, TokenExamples, View, batch, batches_in_epoch
from .errors import LearningError
from .settings import Entropy, LanguageModel, Negate, Objective, SelfTraining, Settings, Supervised, word

# (rows, step) → the sum of the losses, and its weight.
RowLoss = Callable[[list[int], int], tuple[Tensor, float]]


class Addend:
    """One addend of the loss: a data set with a sign."""

    def __init__(self, examples: AnyExamples, sign: float, loss: RowLoss, settings: Settings) -> None:
        self.name, self.sign, self.loss = examples.name, sign, loss
        self._count, self._size, self._seed = (
            examples.count,
            settings.batch_size * settings.grad_accumulation,
            settings.seed,
        )

    @property
    def epoch(self) -> int:
        """Steps in an epoch."""
        return batches_in_epoch(self._count, self._size)

    def begin(self, step: int) -> None:
        """Called before the passes of a step, with the module composed."""

    def rows(self, step: int) -> list[int]:
        """The rows of a step."""
        return batch(self._count, self._size, self._seed, step, self.name)

    def state(self) -> dict[str, Tensor]:
        """What later steps depend on beside the coefficients."""
        return {}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Goes on from what `state` gave."""


def cross_entropy(examples: Examples, rows: list[int], view: View) -> tuple[Tensor, float]:
    """Σ −log softmax(logits)[label] over the rows, in float32."""
    logits = examples.logits(rows, view).float()
    return functional.cross_entropy(logits, labels_of(examples)[rows].to(logits.device), reduction="sum"), len(rows)


def entropy(examples: Examples, rows: list[int], view: View) -> tuple[Tensor, float]:
    """Σ over the rows of −Σ_c p_c log p_c, in float32."""
    logs = examples.logits(rows, view).float().log_softmax(-1)
    return -(logs.exp() * logs).sum(), len(rows)


def token_loss(examples: TokenExamples, rows: list[int], view: View = PLAIN) -> tuple[Tensor, float]:
    """Σ of the tokens' cross-entropies."""
    total, count = examples.losses(rows)
    return total.float(), float(count)


def labels_of(examples: Examples) -> Tensor:
    """The labels of a data set. Raises LearningError where it has none."""
    if examples.labels is None:
        message = f"`{examples.name}` has no labels, which this objective or selection needs"
        raise LearningError(message, "name the column of the labels", codes.NO_LABELS)
    return examples.labels


def row_loss(objective: Objective, examples: AnyExamples, view: Callable[[int], View]) -> RowLoss:
    """The loss of one data set under an objective that is a sum over rows. Raises LearningError for data of the wrong
    kind."""
    if isinstance(objective, LanguageModel):
        if not isinstance(examples, TokenExamples):
            raise _wrong_kind(objective, examples, "texts with the losses of their tokens")
        tokens = examples
        return lambda rows, step: token_loss(tokens, rows)
    if not isinstance(examples, Examples):
        raise _wrong_kind(objective, examples, "rows that are classified")
    classified = examples
    if isinstance(objective, Entropy):
        return lambda rows, step: entropy(classified, rows, view(step))
    if isinstance(objective, (Supervised, Negate)):
        labels_of(classified)
    return lambda rows, step: cross_entropy(classified, rows, view(step))


def _wrong_kind(objective: Objective, examples: AnyExamples, wanted: str) -> LearningError:
    message = f"`{word(objective)}` learns from {wanted}, which `{examples.name}` does not give"
    return LearningError(message, (), codes.OBJECTIVE_DATA)


def check_data(objective: Objective, data: Data) -> None:
    """Raises LearningError where an objective lacks data, gets some that it does not use, or gets empty data."""
    name = word(objective)
    if not data.learn:
        raise LearningError(f"`{name}` is given no data", "name at least one data set", codes.OBJECTIVE_DATA)
    if isinstance(objective, Negate) and data.control is None:
        help = "name the data that must stay as they are with `control`"
        raise LearningError("`negate` needs control data", help, codes.OBJECTIVE_DATA)
    if not isinstance(objective, Negate) and (data.control is not None or data.select_control is not None):
        raise LearningError(f"`{name}` does not use control data", "leave `control` out", codes.OBJECTIVE_DATA)
    if isinstance(objective, SelfTraining) and len(data.learn) != 1:
        raise LearningError("`self_training` adapts to one data set", (), codes.OBJECTIVE_DATA)
    every = [*data.learn, *data.select, data.control, data.select_control]
    for group in ([*data.learn, data.control], [*data.select, data.select_control]):
        names = [examples.name for examples in group if examples is not None]
        if twice := [name for name in names if names.count(name) > 1]:
            message = f"two data sets are called `{twice[0]}`: their rows and scores could not be told apart"
            raise LearningError(message, "name them apart", codes.OBJECTIVE_DATA)
    if empty := [examples.name for examples in every if examples is not None and examples.count == 0]:
        raise LearningError(f"`{empty[0]}` has no rows", (), codes.EMPTY_DATA)


@dataclass(frozen=True)
class _Viewed:
    """The view of a step: its number is what random changes are seeded with."""

    settings: Settings = field(repr=False)

    def __call__(self, step: int) -> View:
        return View(self.settings.augment, step)


def addends(settings: Settings, data: Data, steps: int, batch_size: int) -> list[Addend]:
    """The addends of a run's loss. Raises LearningError where data and objective do not fit."""
    from .self_training import SelfTrainingAddend

    objective = settings.objective
    check_data(objective, data)
    view = _Viewed(settings)
    if isinstance(objective, SelfTraining):
        (examples,) = data.learn
        row_loss(objective, examples, view)
        assert isinstance(examples, Examples)
        return [SelfTrainingAddend(examples, objective, settings, steps)]
    sign = -1.0 if isinstance(objective, Negate) else 1.0
    found = [Addend(e, sign, row_loss(objective, e, view), settings) for e in data.learn]
    if data.control is not None:
        found.append(Addend(data.control, 1.0, row_loss(objective, data.control, view), settings))
    return found
