"""Whether a model can read some rows: what is known of its tokenizer before it is loaded."""

from __future__ import annotations

from steerlang.diagnostics import codes, error
from steerlang.graph.facts import no_tokenizer
from steerlang.language.lowering import Lowering
from steerlang.language.values import DataValue, ModelValue
from steerlang.source import Span

from .reports import report
from .seeing import fits


def reads_plainly(model: ModelValue, where: Span, low: Lowering) -> bool:
    """Whether a model is not one that is told something before each prompt: only generating knows what to do then."""
    if model.instruction is None:
        return True
    message = "a prompted model only generates, and here states are read"
    low.report(error(codes.ARGUMENT_TYPE, where, message, help="take the model itself"))
    return False


def can_read(model: ModelValue, data: DataValue, where: Span, low: Lowering, prompted: bool = False) -> bool:
    """Whether the model has a tokenizer, and a chat template where the rows are messages; else it is reported.

    `prompted`: whether it may be one that is told something before each prompt.
    """
    if not prompted and not reads_plainly(model, where, low):
        return False
    if not fits(model, data, where, low):
        return False
    tokenizer = model.facts.tokenizer
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
