"""Replies judged by other models: CLIP, a text encoder, a text classifier."""

from __future__ import annotations

from typing import Any

from steerlang.diagnostics import codes, error
from steerlang.diagnostics.suggest import did_you_mean
from steerlang.graph.facts.task import missing_part
from steerlang.language.lowering import Lowering
from steerlang.language.parameter_types import Text, Value
from steerlang.language.signature import Call, Function, Parameter
from steerlang.language.types import METRIC, MODEL, NONE, SAMPLES
from steerlang.language.values import POISON, MetricValue, ModelValue, SamplesValue

from .answers import has_beside, same_rows
from .tasks import is_of_task


def _clip_score(call: Call, low: Lowering) -> Any:
    samples: SamplesValue = call["samples"]
    by: ModelValue = call["by"]
    if not has_beside(call, "samples", ("image",), low) or not _can_judge(call, "clip", low):
        return POISON
    assert samples.prompts is not None
    inputs = (samples.node, by.node, samples.prompts)
    node = low.node("metric.clip_score", {"prefix": call["prefix"]}, inputs, "metric", group=_group(by))
    return MetricValue(node, samples.prompts)


def _text_similarity(call: Call, low: Lowering) -> Any:
    samples, other = call["samples"], call["to"]
    by: ModelValue = call["by"]
    if other is None and not has_beside(call, "samples", ("references",), low):
        return POISON
    wrong = same_rows(call, samples, other, "to") if other is not None else ""
    if wrong:
        message = f"these samples cannot be compared reply by reply: {wrong}"
        low.report(
            error(codes.NOT_THE_SAME_ROWS, call.where("to"), message, help="generate both from the same prompts")
        )
        return POISON
    if not _can_judge(call, "text_embedding", low):
        return POISON
    inputs = (samples.node, by.node) if other is None else (samples.node, by.node, other.node)
    return MetricValue(low.node("metric.text_similarity", {}, inputs, "metric", group=_group(by)), samples.prompts)


def _classifier_rate(call: Call, low: Lowering) -> Any:
    samples: SamplesValue = call["samples"]
    by: ModelValue = call["by"]
    if not _can_judge(call, "sequence_classification", low) or not _has_label(call, by, low):
        return POISON
    texts = low.node("samples.replies", {}, (samples.node,), "rows")
    logits = low.node("classify", {}, (by.node, texts), "logits", group=f"classify:{by.base.key}")
    node = low.node("metric.classifier_rate", {"label": call["label"]}, (samples.node, logits, texts), "metric")
    return MetricValue(node, samples.prompts)


def _can_judge(call: Call, task: str, low: Lowering) -> bool:
    """Whether the model that judges is of a task, and has what it takes to read its rows; else it is reported."""
    by: ModelValue = call["by"]
    if not is_of_task(by, task, call.where("by"), f"`{call.function.name}`", low):
        return False
    lacks = missing_part(task, by.facts.tokenizer, by.facts.has_processor)
    if lacks is None:
        return True
    low.report(error(codes.UNFIT_TASK, call.where("by"), f"`{by.name}` {lacks[0]}", help=lacks[1]))
    return False


def _has_label(call: Call, by: ModelValue, low: Lowering) -> bool:
    label, labels = call["label"], by.facts.labels
    if not labels or label in labels:
        return True
    help = did_you_mean(label, labels) or ("it has " + ", ".join(f"`{x}`" for x in labels),)
    low.report(error(codes.UNKNOWN_CLASS, call.where("label"), f"`{by.name}` has no class `{label}`", help=help))
    return False


def _group(by: ModelValue) -> str:
    return f"judge:{by.base.key}"


_SAMPLES = Parameter("samples", Value((SAMPLES,)), "the generated text")

FUNCTIONS = (
    Function(
        "clip_score",
        "how far replies fit the images they were asked about: 2.5 max(cos, 0) by a CLIP model",
        "metrics",
        (_SAMPLES,),
        (
            Parameter("by", Value((MODEL,)), "the CLIP model that judges: `hf(…, task = clip)`"),
            Parameter("prefix", Text(), "what stands before each reply", "A photo depicts "),
        ),
        METRIC,
        _clip_score,
        source="Hessel et al., 2021",
    ),
    Function(
        "text_similarity",
        "how near replies are in meaning to their nearest reference, or to other replies: cosine of embeddings",
        "metrics",
        (_SAMPLES,),
        (
            Parameter("by", Value((MODEL,)), "the text encoder: `hf(…, task = text_embedding)`"),
            Parameter("to", Value((SAMPLES, NONE)), "replies of another model; left out: the references", None),
        ),
        METRIC,
        _text_similarity,
        source="Reimers and Gurevych, 2019",
    ),
    Function(
        "classifier_rate",
        "the share of replies that a text classifier gives a label",
        "metrics",
        (_SAMPLES,),
        (
            Parameter("by", Value((MODEL,)), "the classifier: `hf(…, task = sequence_classification)`"),
            Parameter("label", Text(), "the label, as the model's configuration names it"),
        ),
        METRIC,
        _classifier_rate,
    ),
)
