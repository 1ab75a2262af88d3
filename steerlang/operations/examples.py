"""Rows of a program as what learning reads: classified by a head, or scored token by token."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from steerlang.diagnostics import codes
from steerlang.engine.operation import Task
from steerlang.engine.payload import Payload
from steerlang.graph.facts.task import CLASSIFIERS
from steerlang.learning import PLAIN, AnyExamples, LearningError, View
from steerlang.models.class_heads import Head
from steerlang.models.classifiers import Classifier
from steerlang.models.loading import LoadedModel
from steerlang.models.scoring import ScoredText
from steerlang.models.token_losses import token_losses

from .base import fail
from .classifying import head_of, labels_among, rows_of
from .pooling import base_of
from .rendering import tokenised
from .resources import Resources, task_of
from .views import viewed

_AT_ONCE = 64


class Rows(Protocol):
    """Makes examples of the data sets that a node names (`given`: where rows and head stand among its inputs)."""

    @property
    def module(self) -> nn.Module:
        """The model that coefficients are found on."""
        ...

    def examples(self, given: Mapping[str, Any], name: str, labelled: bool) -> AnyExamples: ...

    def mean_features(self, sets: Iterable[AnyExamples]) -> Tensor:
        """The mean of what the model's head reads, over all rows [D]."""
        ...


def rows_for(task: Task, resources: Resources) -> Rows:
    """The rows of a `learn` or `search` node, with the model they are for."""
    base = base_of(task.node)
    if task_of(base) not in CLASSIFIERS:
        return ScoredData(task, resources.model(base, task.value))
    return ClassifiedData(task, resources.classifier(base, task.value))


# ---- classifiers ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class ClassifiedRows:
    """Rows that a classifier reads, with a head of their own (`steerlang.learning.Examples`).

    labels  int64 [N], places among the head's classes; None where there are none, or where they may not be used
    """

    name: str
    classifier: Classifier
    head: Head
    rows: Sequence[Mapping[str, Any]] = field(repr=False)
    labels: Tensor | None = field(repr=False)

    @property
    def count(self) -> int:
        return len(self.rows)

    def logits(self, rows: Sequence[int], view: View) -> Tensor:
        """Logits [n, C] float32 of the model as it is now."""
        batch = self.classifier.encode([self.rows[i] for i in rows])
        return self.classifier.logits(viewed(batch, list(rows), view), self.head)


@dataclass(frozen=True, eq=False)
class ClassifiedData:
    """Data sets for a classifier."""

    task: Task
    classifier: Classifier

    @property
    def module(self) -> nn.Module:
        found: nn.Module = self.classifier.model
        return found

    def examples(self, given: Mapping[str, Any], name: str, labelled: bool) -> ClassifiedRows:
        data = self.task.node.inputs[given["rows"]]
        payload = self.task.value(data)
        head = self._head(given)
        labels = torch.from_numpy(labels_among(head.names, payload, given["classes"])) if labelled else None
        rows = rows_of(payload.rows, data, self.classifier)
        if not rows:
            raise fail(codes.EMPTY_DATA, f"{name} has no rows", "give at least one")
        return ClassifiedRows(name, self.classifier, head, rows, labels)

    def _head(self, given: Mapping[str, Any]) -> Head:
        if given["head"] is not None:
            return head_of(self.task.value(self.task.node.inputs[given["head"]]))
        own = self.classifier.own_head
        assert own is not None  # heads of texts are nodes of their own
        return own

    def mean_features(self, sets: Iterable[AnyExamples]) -> Tensor:
        """By a head that hands its features on."""
        total, count = torch.zeros(()), 0
        for one in sets:
            assert isinstance(one, ClassifiedRows)
            weight = one.head.weight if one.head.weight is not None else self.classifier.exchangeable_head().weight
            assert weight is not None
            width = weight.shape[1]
            through = ClassifiedRows(
                one.name, self.classifier, Head(tuple(map(str, range(width))), torch.eye(width)), one.rows, None
            )
            for start in range(0, one.count, _AT_ONCE):
                with torch.inference_mode():
                    part = through.logits(range(start, min(start + _AT_ONCE, one.count)), PLAIN)
                total = total + part.double().sum(0).cpu()
            count += one.count
        return total / count


# ---- language models -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class ScoredRows:
    """Texts that a causal language model is scored on (`steerlang.learning.TokenExamples`)."""

    name: str
    loaded: LoadedModel
    texts: Sequence[ScoredText] = field(repr=False)

    @property
    def count(self) -> int:
        return len(self.texts)

    def losses(self, rows: Sequence[int]) -> tuple[Tensor, int]:
        return token_losses(self.loaded, [self.texts[i] for i in rows])


@dataclass(frozen=True, eq=False)
class ScoredData:
    """Data sets for a language model."""

    task: Task
    loaded: LoadedModel

    @property
    def module(self) -> nn.Module:
        found: nn.Module = self.loaded.model
        return found

    def examples(self, given: Mapping[str, Any], name: str, labelled: bool) -> ScoredRows:
        """Texts all of whose tokens but the first are scored; of pairs the targets, after their sources."""
        payload = self.task.value(self.task.node.inputs[given["rows"]])
        pairs = bool(payload.rows) and "source" in payload.rows[0]
        texts = self._answers(payload) if pairs else self._whole(payload)
        kept = [text for text in texts if text.completion]
        if not kept:
            raise fail(codes.TOO_FEW_ROWS, f"{name} has no token to learn from", "give longer texts")
        self.loaded.check_lengths(len(text.ids) for text in kept)
        return ScoredRows(name, self.loaded, kept)

    def _whole(self, payload: Payload) -> list[ScoredText]:
        items = tokenised(self.loaded.tokenizer, payload.rows, "text", answer=False)
        return [ScoredText.whole(item) for item in items]

    def _answers(self, payload: Payload) -> list[ScoredText]:
        """Targets as the model would write them after their sources, with the token that ends a text."""
        prompts = tokenised(self.loaded.tokenizer, payload.rows, "source", answer=True)
        targets = [self.loaded.tokenizer(str(row["target"]), add_special_tokens=False) for row in payload.rows]
        ends = tuple(sorted(self.loaded.end_ids)[:1])
        return [ScoredText(p, (*t["input_ids"], *ends)) for p, t in zip(prompts, targets, strict=True)]

    def mean_features(self, sets: Iterable[AnyExamples]) -> Tensor:
        message = "`features` needs a classifier, and this is a language model"
        raise LearningError(message, "take `pool = gradient(…)`", codes.ARGUMENT_TYPE)
