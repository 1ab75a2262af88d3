"""Whether a model does what a function asks of it: language models generate, classifiers classify."""

from __future__ import annotations

from steerlang.diagnostics import codes, error
from steerlang.graph.facts.task import CLASSIFIERS
from steerlang.language.lowering import Lowering
from steerlang.language.values import ModelValue
from steerlang.source import Span

#: Tasks of models that write text.
WRITERS = ("causal", "image_text_to_text")
_DOES = {
    "causal": "a language model",
    "image_text_to_text": "a language model that sees images",
    "image_classification": "an image classifier",
    "clip": "a model of images and texts (`clip`)",
    "sequence_classification": "a text classifier",
    "text_embedding": "a text encoder (`text_embedding`)",
}


def is_causal(model: ModelValue, where: Span, what: str, low: Lowering) -> bool:
    """Whether the model is a language model; else it is reported. `what` is what needs one: "generating text"."""
    if model.task in WRITERS:
        return True
    message = f"{what} needs a language model, and `{model.name}` is {_DOES[model.task]}"
    help = "give a causal language model; classifiers are measured with `accuracy`, `cross_entropy`, `confidence`"
    low.report(error(codes.WRONG_TASK, where, message, help=help))
    return False


def scores_texts(model: ModelValue, where: Span, what: str, low: Lowering) -> bool:
    """Whether the model gives tokens of a text probabilities: a language model whose decoder reads the text itself."""
    if not is_causal(model, where, what, low):
        return False
    if not model.facts.encodes:
        return True
    message = f"{what} needs a decoder that reads the text, and `{model.name}` has an encoder for that"
    help = "measure what it generates: `word_share`, `contains_rate`, `distinct`, `perplexity` by a causal model"
    low.report(error(codes.WRONG_TASK, where, message, help=help))
    return False


def is_of_task(model: ModelValue, task: str, where: Span, what: str, low: Lowering) -> bool:
    """Whether the model was loaded for a task; else it is reported."""
    if model.task == task:
        return True
    message = f"{what} needs {_DOES[task]}, and `{model.name}` is {_DOES[model.task]}"
    low.report(error(codes.WRONG_TASK, where, message, help=f"load one with `hf(…, task = {task})`"))
    return False


def is_classifier(model: ModelValue, where: Span, what: str, low: Lowering) -> bool:
    """Whether the model is a classifier; else it is reported."""
    if model.task in CLASSIFIERS:
        return True
    message = f"{what} needs a classifier, and `{model.name}` is {_DOES[model.task]}"
    help = "load one with `hf(…, task = image_classification)`, `clip` or `sequence_classification`"
    low.report(error(codes.WRONG_TASK, where, message, help=help))
    return False
