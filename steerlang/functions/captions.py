"""Captions held against references that people wrote."""

from __future__ import annotations

from typing import Any

from steerlang.graph.node import Json
from steerlang.language.lowering import Lowering
from steerlang.language.parameter_types import Choice, Flag, Number, Value
from steerlang.language.signature import Call, Function, Parameter
from steerlang.language.types import METRIC, SAMPLES
from steerlang.language.values import POISON, MetricValue, SamplesValue

from .answers import has_beside


def _against_references(name: str, option_names: tuple[str, ...]) -> Any:
    def lower(call: Call, low: Lowering) -> Any:
        if not has_beside(call, "samples", ("references",), low):
            return POISON
        samples: SamplesValue = call["samples"]
        options: dict[str, Json] = {n: call[n] for n in option_names}
        return MetricValue(low.node(f"metric.{name}", options, (samples.node,), "metric"), samples.prompts)

    return lower


_SAMPLES = Parameter("samples", Value((SAMPLES,)), "the generated text")
_ROUGE = {
    "rougeL": "the longest sequence of words in common",
    "rouge1": "words in common",
    "rouge2": "pairs of words in common",
}

FUNCTIONS = (
    Function(
        "cider",
        "how far captions say what people say of the same row, words weighted by how rare they are",
        "metrics",
        (_SAMPLES,),
        (
            Parameter(
                "variant",
                Choice(
                    {
                        "cider_d": "counts clipped, lengths compared, times 10: what COCO's evaluation reports",
                        "cider": "the mean cosine, 0 to 1",
                    }
                ),
                "which of the two",
                "cider_d",
            ),
        ),
        METRIC,
        _against_references("cider", ("variant",)),
        source="Vedantam et al., 2015",
    ),
    Function(
        "bleu",
        "n-grams of all replies that are in their references, 0 to 1, by sacreBLEU",
        "metrics",
        (_SAMPLES,),
        (
            Parameter("n", Number(1, 9, integer=True), "the longest n-gram", 4),
            Parameter("lowercase", Flag(), "whether case is ignored", False),
        ),
        METRIC,
        _against_references("bleu", ("n", "lowercase")),
        source="Papineni et al., 2002; Post, 2018",
    ),
    Function(
        "rouge",
        "mean over replies of the F-measure of what they have in common with their best reference",
        "metrics",
        (_SAMPLES,),
        (
            Parameter("variant", Choice(_ROUGE), "what is in common", "rougeL"),
            Parameter("stem", Flag(), "whether words are cut to their stems (English)", False),
        ),
        METRIC,
        _against_references("rouge", ("variant", "stem")),
        source="Lin, 2004",
    ),
)
