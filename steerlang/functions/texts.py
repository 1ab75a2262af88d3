"""Whether a model can read some rows: what is known of its tokenizer before it is loaded."""

from __future__ import annotations

from steerlang.diagnostics import codes, error
from steerlang.graph.facts import no_tokenizer
from steerlang.language.lowering import Lowering
from steerlang.language.types import IMAGES
from steerlang.language.values import DataValue, ModelValue
from steerlang.source import Span

from .reports import report

_BLIND = "a language model that reads texts"


def reads_plainly(model: ModelValue, where: Span, low: Lowering) -> bool:
    """Whether a model is not one that is told something before each prompt: only generating knows what to do then."""
    if model.instruction is None:
        return True
    message = "a prompted model only generates, and here states are read"
    low.report(error(codes.ARGUMENT_TYPE, where, message, help="take the model itself"))
    return False


def can_see(model: ModelValue, data: DataValue, where: Span, low: Lowering) -> bool:
    """Whether the model sees images, and the images have prompts; else it is reported."""
    if model.task != "image_text_to_text":
        message = f"`{model.name}` is {_BLIND}, and these rows are images"
        help = "give a model loaded with `task = image_text_to_text`, or rows of texts"
        low.report(error(codes.WRONG_TASK, where, message, help=help))
        return False
    if any("prompt" not in row for row in data.examples):
        message = "these images have no prompt"
        help = 'say what is asked of them where they are read: `prompt = "Describe the picture."`, or `question = "…"`'
        low.report(error(codes.UNFIT_DATA, where, message, help=help))
        return False
    return True


def can_read(model: ModelValue, data: DataValue, where: Span, low: Lowering, prompted: bool = False) -> bool:
    """Whether the model has a tokenizer, and a chat template where the rows are messages; else it is reported.

    `prompted`: whether it may be one that is told something before each prompt.
    """
    if not prompted and not reads_plainly(model, where, low):
        return False
    tokenizer = model.facts.tokenizer
    if data.form == IMAGES and not can_see(model, data, where, low):
        return False
    if not tokenizer.present:
        report(no_tokenizer(model.name, model.facts.path), where, low)
        return False
    if data.chat and not tokenizer.has_chat_template:
        low.report(
            error(
                codes.UNREADABLE_MODEL,
                where,
                f"the tokenizer of `{model.name}` has no chat template",
                help='leave out `chat` and `system`, or write the form of a prompt as `template = "…{text}…"`',
            )
        )
        return False
    return True
