"""Unsupervised FixMatch (Zhang et al., 2024): adaptation to data without labels.

    trusted rows   of each class the min(N / C, 100) rows predicted as it that are most confident, chosen anew when an
                   epoch begins (the first time by the zero-shot scores); a quarter of each batch; −log ŷ′[class]
    other rows     −1[max σ(ŷ) > ω] σ(ŷ)ᵀ log ŷ′,   σ(ŷ) = √ŷ / 1ᵀ√ŷ,   ω linear from .9 to 1 over the steps

ŷ is the prediction for a weak view, without gradient; ŷ′ that for a strong view. The sum is divided by the number of
rows that count: trusted ones and those above the threshold.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .data import PLAIN, Examples, Strength, View, batches_in_epoch, permutation, pieces
from .losses import Addend
from .settings import SelfTraining, Settings


def sharpened(predicted: Tensor) -> Tensor:
    """σ(ŷ) = √ŷ / 1ᵀ√ŷ, [n, C]: flatter than ŷ, so that only clear predictions pass the threshold."""
    roots = predicted.sqrt()
    return roots / roots.sum(-1, keepdim=True)


def trusted_rows(predicted: Tensor, most: int) -> tuple[Tensor, Tensor]:
    """The rows to trust and their classes, from predictions [N, C]: of each class the min(N // C, most), at least one,
    rows predicted as it with the highest probability; ties go to the lower row."""
    count, classes = predicted.shape
    confidence, label = predicted.max(-1)
    each = max(min(count // classes, most), 1)
    found = []
    for number in range(classes):
        own = (label == number).nonzero().flatten()
        order = confidence[own].argsort(descending=True, stable=True)
        found.append(own[order[:each]])
    rows = torch.cat(found).sort().values
    return rows, label[rows]


class SelfTrainingAddend(Addend):
    """The loss of self-training; its state is the trusted set of the present epoch."""

    def __init__(self, examples: Examples, objective: SelfTraining, settings: Settings, steps: int) -> None:
        super().__init__(examples, 1.0, self._loss, settings)
        self._examples, self._objective, self._steps = examples, objective, steps
        self._piece, self._trusted_share = settings.batch_size, round(self._size * objective.share)
        self._rows = self._labels = torch.zeros(0, dtype=torch.int64)
        self._of_row: dict[int, int] = {}
        self._epoch_begun = -1

    @property
    def epoch(self) -> int:
        return batches_in_epoch(self._count, max(self._size - self._trusted_share, 1))

    def begin(self, step: int) -> None:
        number = step // self.epoch
        if number != self._epoch_begun:
            self._trust(*trusted_rows(self._predicted(), self._objective.trusted), number)

    def _trust(self, rows: Tensor, labels: Tensor, epoch: int) -> None:
        self._rows, self._labels, self._epoch_begun = rows, labels, epoch
        self._of_row = dict(zip(rows.tolist(), labels.tolist(), strict=True))

    def _predicted(self) -> Tensor:
        with torch.no_grad():
            found = [
                self._examples.logits(rows, PLAIN).float().softmax(-1).cpu()
                for rows in pieces(range(self._count), self._piece)
            ]
        return torch.cat(found)

    def rows(self, step: int) -> list[int]:
        """Trusted rows and others, each from a permutation of its own, gone through again and again in the epoch."""
        epoch, number = divmod(step, self.epoch)
        others = torch.tensor([row for row in range(self._count) if row not in self._of_row], dtype=torch.int64)
        wanted = min(self._size, self._count)
        trusted = min(self._trusted_share, wanted) if len(others) else wanted
        chosen = self._cyclic(self._rows, trusted, number, epoch, "trusted")
        return sorted(chosen + self._cyclic(others, wanted - trusted, number, epoch, "others"))

    def _cyclic(self, rows: Tensor, size: int, number: int, epoch: int, what: str) -> list[int]:
        if not len(rows):
            return []
        order = rows[permutation(len(rows), self._seed, epoch, f"{self.name}/{what}")]
        found: list[int] = order[torch.arange(number * size, (number + 1) * size) % len(rows)].tolist()
        return found

    def _loss(self, rows: list[int], step: int) -> tuple[Tensor, float]:
        with torch.no_grad():
            weak = self._examples.logits(rows, View(Strength.WEAK, step)).float().softmax(-1)
        target = sharpened(weak)
        counts = (target.max(-1).values > self._threshold(step)).float()
        for place, row in enumerate(rows):
            if row in self._of_row:
                target[place], counts[place] = 0.0, 1.0
                target[place, self._of_row[row]] = 1.0
        logs = self._examples.logits(rows, View(Strength.STRONG, step)).float().log_softmax(-1)
        return -((target * logs).sum(-1) * counts).sum(), float(counts.sum())

    def _threshold(self, step: int) -> float:
        done = step / max(self._steps - 1, 1)
        return self._objective.first + (self._objective.last - self._objective.first) * done

    def state(self) -> dict[str, Tensor]:
        return {"rows": self._rows, "labels": self._labels, "epoch": torch.tensor(self._epoch_begun)}

    def restore(self, state: dict[str, Tensor]) -> None:
        self._trust(state["rows"], state["labels"], int(state["epoch"]))
