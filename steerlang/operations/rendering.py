"""Rows as the model sees them: plain text with the tokenizer's special tokens, or its own chat template.

A row of a chat is a user's message; where it has a `prompt` beside its text, the prompt is the user's message and the
text the assistant's reply.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from steerlang.diagnostics import codes
from steerlang.models.errors import NeedsOffsets
from steerlang.models.tokens import TokenisedItem, tokenise

from .base import fail

# How templates mark what the assistant says.
_MARKED = re.compile(r"\{%-?\s*generation\s*-?%\}")
Message = dict[str, str]


def tokenised(tokenizer: Any, rows: Sequence[dict[str, Any]], role: str, answer: bool) -> list[TokenisedItem]:
    """The rows as tokens. `answer`: the model is to answer next, so a chat template opens its turn; a reply that a row
    has is then left out."""
    texts = [str(r[role] if role in r else r.get("text", r.get("prompt"))) for r in rows]
    if not any(r.get("chat") for r in rows):
        return tokenise(tokenizer, texts)  # special tokens as the tokenizer adds them
    _needs_template(tokenizer)
    chats = [_messages(text, row, answer) for text, row in zip(texts, rows, strict=True)]
    rendered = [_rendered(tokenizer, messages, answer) for messages in chats]
    items = tokenise(tokenizer, rendered, add_special_tokens=False)  # the template writes them itself
    return [replace(i, assistant=_reply_tokens(tokenizer, m, i)) for i, m in zip(items, chats, strict=True)]


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


def _needs_template(tokenizer: Any) -> None:
    if not getattr(tokenizer, "chat_template", None):
        raise fail(
            codes.UNREADABLE_MODEL,
            "the model's tokenizer has no chat template",
            'leave out `chat` and `system`, or write the form of a prompt with `template = "…{text}…"`',
        )


def _messages(text: str, row: dict[str, Any], answer: bool) -> list[Message]:
    said = row.get("prompt")
    replies = said is not None and ("text" in row or "source" in row)
    messages = [{"role": "system", "content": str(row["system"])}] if row.get("system") is not None else []
    messages.append({"role": "user", "content": str(said) if replies else text})
    return [*messages, {"role": "assistant", "content": text}] if replies and not answer else messages


def _rendered(tokenizer: Any, messages: Sequence[Message], answer: bool) -> str:
    form = _spoken(tokenizer, messages)
    return str(tokenizer.apply_chat_template(form, tokenize=False, add_generation_prompt=answer))


def _spoken(tokenizer: Any, messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Messages in the form the template takes: as texts, or, where it does not write the last of these, in parts.

    Templates of models that see look for parts, and pass over texts without a word.
    """
    said = messages[-1]["content"].strip()
    parts: list[dict[str, Any]] = [
        {"role": m["role"], "content": [{"type": "text", "text": m["content"]}]} for m in messages
    ]
    for form in (list(messages), parts):
        try:
            if said in tokenizer.apply_chat_template(form, tokenize=False):
                return form
        except (TypeError, AttributeError):  # of a template that takes the other form
            continue
    return list(messages)


def _reply_tokens(tokenizer: Any, messages: list[Message], item: TokenisedItem) -> tuple[int, ...]:
    """The tokens of the last message, where it is the assistant's.

    Those the template marks as generated, where it marks any (most that do mark the end of the turn too); else those of
    the reply's own characters.
    """
    if messages[-1]["role"] != "assistant":
        return ()
    if _MARKED.search(tokenizer.get_chat_template()):
        form = _spoken(tokenizer, messages)
        made = tokenizer.apply_chat_template(form, return_dict=True, return_assistant_tokens_mask=True)
        return tuple(at for at, marked in enumerate(made["assistant_masks"]) if marked)
    if item.offsets is None:
        raise NeedsOffsets
    opened, reply = _rendered(tokenizer, messages[:-1], True), messages[-1]["content"].strip()
    # Some templates write what opens the turn otherwise once there is a reply: it begins where the two texts part.
    parted = next((i for i, (a, b) in enumerate(zip(opened, item.text, strict=False)) if a != b), len(opened))
    start = item.text.find(reply, min(parted, len(item.text)))
    if start < 0:
        raise fail(
            codes.TOKEN_NOT_FOUND,
            "the chat template does not write the reply as it stands, so its tokens cannot be told",
            "read another token (`last`, `mean`), or use a template that marks them with `{% generation %}`",
        )
    end = start + len(reply)
    return tuple(i for i, (a, b) in enumerate(item.offsets) if a < end and b > start)
