"""What coefficients are worth: accuracy or loss on whole data sets, and which of two trials is better."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from steerlang.diagnostics import codes

from .data import PLAIN, AnyExamples, Data, Examples, pieces
from .errors import LearningError
from .losses import labels_of, row_loss
from .results import Trial
from .settings import Criterion, Entropy, Negate, Objective, SelfTraining, uses_labels


def accuracy(examples: Examples, size: int) -> float:
    """The share of rows whose largest score is their label's; of equal scores the first counts. Scores that are not
    finite predict nothing."""
    labels, right = labels_of(examples), 0
    with torch.no_grad():
        for rows in pieces(range(examples.count), size):
            logits = examples.logits(rows, PLAIN).cpu()
            hits = (logits.argmax(-1) == labels[rows].cpu()) & torch.isfinite(logits).all(-1)
            right += int(hits.sum())
    return right / examples.count


def mean_loss(objective: Objective, examples: AnyExamples, size: int) -> float:
    """The objective's loss on a data set without its sign; for self-training the entropy, which needs no labels."""
    kind = Entropy() if isinstance(objective, SelfTraining) else objective
    loss, total, weight = row_loss(kind, examples, lambda step: PLAIN), 0.0, 0.0
    with torch.no_grad():
        for rows in pieces(range(examples.count), size):
            one, own = loss(rows, 0)
            total, weight = total + float(one), weight + own
    return total / max(weight, 1.0)


@dataclass(frozen=True)
class Jury:
    """Tries coefficients on the data they are selected on. The module is composed when it is asked.

    score    accuracies averaged over the data sets and negated, or losses added: lower is better. For `negate` the
             accuracy on the target, feasible while the control's is at least the bound
    """

    objective: Objective
    sets: tuple[AnyExamples, ...]
    control: Examples | None
    criterion: Criterion
    size: int

    @staticmethod
    def of(objective: Objective, data: Data, criterion: Criterion | None, size: int) -> Jury:
        """The jury of a run. Raises LearningError where labels are needed and there are none."""
        by_labels = uses_labels(objective)
        chosen: Criterion = criterion or ("accuracy" if by_labels else "loss")
        if chosen == "accuracy" and not by_labels:
            raise LearningError("an objective without labels may not select by labels", (), codes.SELECTS_BY_LABELS)
        sets = data.select or data.learn
        if chosen == "accuracy" or isinstance(objective, Negate):
            for examples in sets:
                if isinstance(examples, Examples):
                    labels_of(examples)
        return Jury(objective, sets, data.select_control or data.control, chosen, size)

    def trial(self, step: int, base: Trial | None, scale: float | None = None) -> Trial:
        """The scores of the module as it is now. `base`: those of λ = 0; None when this is λ = 0."""
        if isinstance(self.objective, Negate):
            return self._negation(self.objective, step, base, scale)
        if self.criterion == "accuracy":
            scores = {e.name: accuracy(e, self.size) for e in self.sets if isinstance(e, Examples)}
            return Trial(step, scores, -sum(scores.values()) / len(scores), scale=scale)
        scores = {e.name: mean_loss(self.objective, e, self.size) for e in self.sets}
        return Trial(step, scores, sum(scores.values()), scale=scale)

    def _negation(self, objective: Negate, step: int, base: Trial | None, scale: float | None) -> Trial:
        assert self.control is not None
        target = {e.name: accuracy(e, self.size) for e in self.sets if isinstance(e, Examples)}
        control = accuracy(self.control, self.size)
        scores = {**target, self.control.name: control}
        feasible = base is None or control >= objective.keep * base.scores[self.control.name]
        return Trial(step, scores, sum(target.values()) / len(target), feasible, scale)


def best(trials: Sequence[Trial], base: Trial) -> Trial:
    """The first feasible trial with the lowest score, if it is below that of λ = 0; else λ = 0."""
    chosen = base
    for trial in trials:
        if trial.feasible and trial.score < chosen.score:
            chosen = trial
    return chosen
