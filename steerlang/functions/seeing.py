"""Whether a model and the rows before it fit where images are concerned: what is known before anything loads."""

from __future__ import annotations

from typing import Any

from steerlang.diagnostics import codes, error
from steerlang.language.lowering import Lowering
from steerlang.language.types import IMAGES
from steerlang.language.values import DataValue, ModelValue
from steerlang.source import Span

TASK = "image_text_to_text"


def can_see(model: ModelValue, data: DataValue, where: Span, low: Lowering) -> bool:
    """Whether the model sees images, and the images have prompts; else it is reported."""
    if model.task != TASK:
        message = f"`{model.name}` is a language model that reads texts, and these rows are images"
        help = f"give a model loaded with `task = {TASK}`, or rows of texts"
        low.report(error(codes.WRONG_TASK, where, message, help=help))
        return False
    if any("prompt" not in row for row in data.examples):
        message = "these images have no prompt"
        help = 'say what is asked of them where they are read: `prompt = "Describe the picture."`, or `question = "…"`'
        low.report(error(codes.UNFIT_DATA, where, message, help=help))
        return False
    return True


def fits(model: ModelValue, data: DataValue, where: Span, low: Lowering) -> bool:
    """Whether the rows are of the sort that the model reads, as it is steered; else it is reported."""
    return (can_see if data.form == IMAGES else needs_no_image)(model, data, where, low)


def needs_no_image(model: ModelValue, _: DataValue, where: Span, low: Lowering) -> bool:
    """Whether nothing that is done to the model's states asks for an image; else it is reported."""
    if not any(_select(applied.action.tokens) == "image" for applied in model.actions):
        return True
    message = f"`{model.name}` is steered at the tokens of an image, and these rows are texts"
    help = 'give images with prompts, `images(…, prompt = "…")`, or steer other tokens'
    low.report(error(codes.UNFIT_DATA, where, message, help=help))
    return False


def _select(tokens: Any) -> str:
    return str(tokens["select"]) if isinstance(tokens, dict) else ""
