"""Metrics that a model measures: perplexity, divergence from the base, logit differences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from steerlang.diagnostics import codes
from steerlang.engine.operation import Context, Task
from steerlang.engine.payload import Payload
from steerlang.graph.node import Node
from steerlang.models.actions import Recipe
from steerlang.models.loading import LoadedModel
from steerlang.models.scoring import ScoredText, gates_opened, log_likelihoods, mean_kl, next_token_logits
from steerlang.models.tokens import TokenisedItem, tokenise

from .base import Single, fail
from .metric import Metric, mean_of
from .model_errors import as_diagnostics
from .recipes import recipe_of
from .rendering import vocabulary_of
from .resources import Resources
from .showing import has_images, items_of, shown

_DRAWS = 1000


def _model(task: Task, node: Node, context: Context) -> tuple[LoadedModel, Node, Recipe, Resources]:
    resources: Any = context.resources
    base, recipe = recipe_of(node, task.value)
    return resources.model(base, task.value), base, recipe, resources


def _perplexity(task: Task, context: Context) -> Payload:
    """exp(- sum log p / sum tokens) over all scored tokens; the interval resamples texts."""
    with as_diagnostics():
        loaded, _, recipe, resources = _model(task, task.node.inputs[1], context)
        payload = task.value(task.node.inputs[0])
        texts = (
            _replies(payload, loaded, task.node.inputs[0])
            if payload.kind == "samples"
            else _texts(payload, loaded, task.node.inputs[0])
        )
        if not any(t.completion for t in texts):
            raise fail(codes.RUN_FAILED, "there is no token to score", "give longer texts")
        found = log_likelihoods(loaded, texts, recipes=(recipe,), batch_tokens=resources.reading_tokens(loaded))
    losses = [-float(x) for x in found.total]
    counts = [int(n) for n in found.tokens]
    value = math.exp(sum(losses) / sum(counts))
    scores = tuple(math.exp(x / n) if n else math.nan for x, n in zip(losses, counts, strict=True))
    return Metric(value, _ratio_interval(losses, counts), len(losses), scores).payload()


def _ratio_interval(losses: Sequence[float], counts: Sequence[int]) -> tuple[float, float] | None:
    """95 % percentile interval of exp(sum loss / sum tokens) over texts drawn with replacement (seed 0)."""
    import numpy

    draw = numpy.random.default_rng(0).integers(0, len(losses), (_DRAWS, len(losses)))
    tokens = numpy.asarray(counts, dtype=float)[draw].sum(1)
    means = numpy.asarray(losses)[draw].sum(1)[tokens > 0] / tokens[tokens > 0]
    low, high = numpy.exp(numpy.quantile(means, (0.025, 0.975)))
    return float(low), float(high)


def _replies(samples: Payload, loaded: LoadedModel, node: Node) -> list[ScoredText]:
    """Replies after their prompts: the very tokens where the judge has the same vocabulary, else the texts anew.

    A judge that sees images sees those of the prompts; one that does not reads what was asked of them.
    """
    seen = has_images(samples.rows)
    alike = samples.meta.get("vocabulary") == vocabulary_of(loaded.tokenizer)
    if alike and (loaded.eyes is not None or not seen):
        if seen:
            prompts = shown(loaded, samples.rows, node)
            replies = [row["completion_ids"] for row in samples.rows]
            return [ScoredText(p, tuple(c)) for p, c in zip(prompts, replies, strict=True)]
        return [
            ScoredText(TokenisedItem(tuple(r["prompt_ids"]), r["prompt"]), tuple(r["completion_ids"]))
            for r in samples.rows
        ]
    prompts = tokenise(loaded.tokenizer, [r["prompt"] for r in samples.rows])
    replies = [loaded.tokenizer(r["completion"], add_special_tokens=False)["input_ids"] for r in samples.rows]
    return [ScoredText(p, tuple(c)) for p, c in zip(prompts, replies, strict=True)]


def _texts(rows: Payload, loaded: LoadedModel, node: Node) -> list[ScoredText]:
    return [ScoredText.whole(item) for item in items_of(loaded, rows.rows, node, answer=False)]


def _kl_from(task: Task, context: Context) -> Payload:
    """Mean over texts of KL(base || model) of the next-token distribution, in nats."""
    with as_diagnostics():
        loaded, _, recipe, resources = _model(task, task.node.inputs[0], context)
        rows = task.value(task.node.inputs[2])
        items = items_of(loaded, rows.rows, task.node.inputs[2], answer=False)
        # What is scored is where the distribution is looked at: after every token but the last, or after the last.
        last = task.node.options["positions"] == "last"
        texts = [ScoredText(item, item.ids[-1:]) if last else ScoredText.whole(item, read=True) for item in items]
        found = mean_kl(loaded, texts, recipes=(recipe,), batch_tokens=resources.reading_tokens(loaded))
    return mean_of([float(x) for x in found if not math.isnan(float(x))]).payload()


def _logit_difference(task: Task, context: Context) -> Payload:
    """Mean over prompts of logit(target) - logit(source), each the first token of its text."""
    with as_diagnostics():
        loaded, _, recipe, resources = _model(task, task.node.inputs[0], context)
        target, source = (_first_token(loaded, str(task.node.options[n])) for n in ("target", "source"))
        if target == source:
            raise fail(
                codes.RUN_FAILED,
                "both continuations begin with the same token",
                "choose texts that differ in their first token",
            )
        prompts = items_of(loaded, task.value(task.node.inputs[1]).rows, task.node.inputs[1], answer=True)
        logits = next_token_logits(loaded, prompts, recipes=(recipe,), batch_tokens=resources.reading_tokens(loaded))
    return mean_of([float(row[target] - row[source]) for row in logits]).payload()


def _open_share(task: Task, context: Context) -> Payload:
    """The share of texts on which some gate of the model is open, on one token at least."""
    with as_diagnostics():
        loaded, _, recipe, resources = _model(task, task.node.inputs[0], context)
        items = items_of(loaded, task.value(task.node.inputs[1]).rows, task.node.inputs[1], answer=False)
        texts = [ScoredText(item, ()) for item in items]
        found = gates_opened(loaded, texts, recipe, batch_tokens=resources.reading_tokens(loaded))
    return mean_of([] if found is None else [float(x) for x in found]).payload()


def _first_token(loaded: LoadedModel, text: str) -> int:
    ids = loaded.tokenizer(text, add_special_tokens=False)["input_ids"]
    if not ids:
        raise fail(codes.RUN_FAILED, f"`{text}` has no tokens", "give a text that is not empty")
    return int(ids[0])


OPERATIONS = {
    "metric.perplexity": Single(_perplexity),
    "metric.kl_from": Single(_kl_from),
    "metric.logit_difference": Single(_logit_difference),
    "metric.open_share": Single(_open_share),
}
