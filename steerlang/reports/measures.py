"""What metrics are measured in, by the operation behind them."""

from __future__ import annotations

from collections.abc import Mapping

from steerlang.graph.node import Node

_UNITS: Mapping[str, str] = {
    "metric.word_share": "share of replies",
    "metric.contains_rate": "share of replies",
    "metric.distinct": "share of n-grams",
    "metric.perplexity": "perplexity",
    "metric.kl_from": "nats",
    "metric.logit_difference": "logits",
    "metric.open_share": "share of texts",
    "metric.accuracy": "share of examples",
    "metric.normalized_accuracy": "ratio of accuracies",
    "metric.confidence": "probability",
    "metric.ground_words": "share of own words",
    "metric.ground_samples": "share of own samples",
    "metric.dictionary_overlap": "share of words or samples",
    "metric.correlation": "correlation",
    "metric.vqa_accuracy": "agreement",
    "metric.answer_counts": "replies",
    "metric.answer_type_counts": "replies",
    "metric.keyword_counts": "replies",
    "metric.changed_rate": "share of replies",
    "metric.cider": "CIDEr",
    "metric.bleu": "BLEU",
    "metric.rouge": "F-measure",
    "metric.clip_score": "CLIPScore",
    "metric.text_similarity": "cosine",
    "metric.classifier_rate": "share of replies",
    "metric.count_gap": "replies",
    "metric.cross_entropy": "nats",
}
# Metrics of metrics in the unit of those.
_KEEPING = frozenset({"metric.extreme", "metric.entry", "metric.difference"})


# What is measured of steering itself: it is nothing, or undefined, for the unsteered model.
_OF_STEERING = frozenset({"metric.kl_from", "metric.open_share"})


def is_of_steering(metric: Node) -> bool:
    """Whether a metric holds the steered model against the unsteered one already."""
    return metric.operation in _OF_STEERING


def unit_of(metric: Node) -> str:
    """The unit of a metric; of arithmetic that of its operands where all have the same, and it keeps it. Else empty."""
    if metric.operation in _KEEPING or _keeps_unit(metric):
        units = {unit_of(i) for i in metric.inputs}
        return units.pop() if len(units) == 1 else ""
    return _UNITS.get(metric.operation, "")


def _keeps_unit(metric: Node) -> bool:
    return metric.operation == "metric.arithmetic" and metric.options["operator"] in ("+", "-", "negate")
