"""Replies judged by other models: how far they fit their images or other texts, and what a classifier calls them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from steerlang.engine.operation import Context, Task
from steerlang.engine.payload import Payload

from .base import Single, inputs
from .classifying import table_of
from .metric import mean_of
from .model_errors import as_diagnostics
from .resources import Resources

_WEIGHT = 2.5


def _clip_score(task: Task, context: Context) -> Payload:
    """2.5 max(cos(image, prefix + reply), 0); 0 for a reply without words."""
    from steerlang.models.embedding import image_embeddings, text_embeddings

    resources: Resources = context.resources  # type: ignore[assignment]
    samples, model, data = task.node.inputs
    rows, table = task.value(samples).rows, table_of(data)
    prefix = str(task.node.options["prefix"])
    replies = [str(row["completion"]).strip() for row in rows]
    seen = [
        {"image": str(table.parent / row["image"]), "place": f"line {row['line']} of `{table.name}`"} for row in rows
    ]
    with as_diagnostics():
        clip = resources.classifier(model, task.value)
        texts = text_embeddings(clip, [prefix + reply for reply in replies])
        cosines = (image_embeddings(clip, seen) * texts).sum(-1).tolist()
    return mean_of([_WEIGHT * max(c, 0.0) if r else 0.0 for c, r in zip(cosines, replies, strict=True)]).payload()


def _text_similarity(task: Task, context: Context) -> Payload:
    """Cosine of mean-pooled states: to the nearest reference of each row, or to another model's reply to it."""
    resources: Resources = context.resources  # type: ignore[assignment]
    samples, model, *other = task.node.inputs
    rows = task.value(samples).rows
    others = _texts_beside(rows) if not other else [[str(r["completion"])] for r in task.value(other[0]).rows]
    texts = [str(row["completion"]).strip() for row in rows]
    every = list(dict.fromkeys([*texts, *(text.strip() for group in others for text in group)]))
    with as_diagnostics():
        found = resources.text_encoder(model, task.value).embed(every)
    place = {text: i for i, text in enumerate(every)}
    scores = [
        max(float(found[place[text]] @ found[place[o.strip()]]) for o in group) if text else 0.0
        for text, group in zip(texts, others, strict=True)
    ]
    return mean_of(scores).payload()


def _texts_beside(rows: Sequence[dict[str, Any]]) -> list[list[str]]:
    return [[text for text in row["references"] if text.strip()] for row in rows]


def _replies(task: Task, _: Context) -> Payload:
    """Replies that are not blank as rows of texts; `id` is their place among the samples."""
    found = enumerate(str(row["completion"]).strip() for row in inputs(task)[0].rows)
    return Payload("rows", rows=tuple({"id": i, "line": 0, "text": text} for i, text in found if text))


def _classifier_rate(task: Task, _: Context) -> Payload:
    """The share of replies that a classifier gives a label; those without words have none."""
    samples, logits, texts = inputs(task)
    names: Any = logits.meta["names"]
    chosen = logits.tensors["logits"].argmax(axis=1)
    own = {int(row["id"]) for row, c in zip(texts.rows, chosen, strict=True) if names[c] == task.node.options["label"]}
    return mean_of([float(i in own) for i in range(len(samples.rows))]).payload()


OPERATIONS = {
    "samples.replies": Single(_replies),
    "metric.clip_score": Single(_clip_score),
    "metric.text_similarity": Single(_text_similarity),
    "metric.classifier_rate": Single(_classifier_rate),
}
