"""Whether a model can read some rows: what is known of its tokenizer before it is loaded."""

from __future__ import annotations

from steerlang.diagnostics import codes, error
from steerlang.graph.facts import no_tokenizer
from steerlang.language.lowering import Lowering
from steerlang.language.values import DataValue, ModelValue
from steerlang.source import Span

from .reports import report


def can_read(model: ModelValue, data: DataValue, where: Span, low: Lowering) -> bool:
    """Whether the model has a tokenizer, and a chat template where the rows are messages; else it is reported."""
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
