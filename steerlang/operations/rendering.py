"""Rows as the model sees them: plain text with the tokenizer's special tokens, or its own chat template."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from steerlang.diagnostics import codes
from steerlang.models.tokens import TokenisedItem, tokenise

from .base import fail


def tokenised(tokenizer: Any, rows: Sequence[dict[str, Any]], role: str, answer: bool) -> list[TokenisedItem]:
    """The rows as tokens. `answer`: the model is to answer next, so a chat template opens its turn."""
    texts = [str(r[role] if role in r else r.get("text", r.get("prompt"))) for r in rows]
    if not any(r.get("chat") for r in rows):
        return tokenise(tokenizer, texts)  # special tokens as the tokenizer adds them
    rendered = [_chat(tokenizer, text, r.get("system"), answer) for text, r in zip(texts, rows, strict=True)]
    return tokenise(tokenizer, rendered, add_special_tokens=False)  # the template writes them itself


def vocabulary_of(tokenizer: Any) -> str:
    """A digest of which token has which number: models with equal ones can read each other's tokens."""
    return hashlib.sha256(json.dumps(sorted(tokenizer.get_vocab().items())).encode()).hexdigest()


def within(model: Any, items: Sequence[TokenisedItem], more: int = 0) -> None:
    """Refuses texts that, with `more` tokens to come, are longer than the positions the model was made for."""
    most = getattr(model.config, "max_position_embeddings", None)
    if not isinstance(most, int):
        return
    for row, item in enumerate(items):
        if len(item) + more > most:
            raise fail(
                codes.OUT_OF_BOUNDS,
                f"row {row + 1} has {len(item)} tokens"
                + (f" and {more} are to come" if more else "")
                + f", and the model has {most} positions",
                "shorten the text" + (", or lower `max_new_tokens`" if more else ""),
            )


def _chat(tokenizer: Any, text: str, system: str | None, answer: bool) -> str:
    if not getattr(tokenizer, "chat_template", None):
        raise fail(
            codes.UNREADABLE_MODEL,
            "the model's tokenizer has no chat template",
            'leave out `chat` and `system`, or write the form of a prompt with `template = "…{text}…"`',
        )
    messages = [{"role": "system", "content": system}] if system is not None else []
    messages.append({"role": "user", "content": text})
    return str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=answer))
