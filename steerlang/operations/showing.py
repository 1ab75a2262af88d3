"""Rows with images as the model sees them: its processor's chat template, with a place for the image before the text.

A processor without a chat template gets the place of the image and the text after it; a prompt that holds the place
itself is taken as it stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from steerlang.diagnostics import codes
from steerlang.graph.node import Node
from steerlang.models.loading import LoadedModel
from steerlang.models.replies import spelled
from steerlang.models.seeing import Eyes, Shown
from steerlang.models.tokens import TokenisedItem

from .base import fail
from .classifying import table_of


def has_images(rows: Sequence[dict[str, Any]]) -> bool:
    """Whether rows name images."""
    return bool(rows) and "image" in rows[0]


def shown(loaded: LoadedModel, rows: Sequence[dict[str, Any]], data: Node) -> list[TokenisedItem]:
    """Prompts with images as tokens; the model is to answer next. `data` is the node of the rows."""
    eyes = eyes_of(loaded)
    return eyes.items([_shown(eyes, row, data) for row in rows])


def replied(loaded: LoadedModel, rows: Sequence[dict[str, Any]], data: Node) -> list[TokenisedItem]:
    """Generated rows of prompts with images, token for token: selectors see what was generated. The token that ended a
    text is no part of it."""
    prompts = shown(loaded, rows, data)
    ends = [row["completion_ids"][: -1 if row["finish"] == "end" else None] for row in rows]
    return [_followed(loaded, prompt, ids) for prompt, ids in zip(prompts, ends, strict=True)]


def eyes_of(loaded: LoadedModel) -> Eyes:
    """The eyes of a model that has some."""
    if loaded.eyes is None:
        raise fail(codes.WRONG_TASK, "the model sees no images", "load it with `task = image_text_to_text`")
    return loaded.eyes


def _followed(loaded: LoadedModel, prompt: TokenisedItem, ids: Sequence[int]) -> TokenisedItem:
    told = spelled(loaded.tokenizer, ids)
    return replace(
        prompt, ids=(*prompt.ids, *ids), text=told.text, offsets=told.offsets, specials=told.specials,
        prompt=len(prompt.ids),
    )  # fmt: skip


def _shown(eyes: Eyes, row: dict[str, Any], data: Node) -> Shown:
    table = table_of(data)
    place = f"line {row['line']} of `{table.name}`"
    text, special = _rendered(eyes.processor, str(row["prompt"]), row.get("system"))
    return Shown(text, str(table.parent / row["image"]), place, special)


def _rendered(processor: Any, prompt: str, system: str | None) -> tuple[str, bool]:
    """The prompt with the place of its image, and whether the tokenizer is to add its first tokens."""
    if not getattr(processor, "chat_template", None):
        if system is not None:
            raise fail(
                codes.UNREADABLE_MODEL, "the model's processor has no chat template", "leave out `system`"
            )
        place = str(getattr(processor, "image_token", "<image>"))
        return prompt if place in prompt else place + prompt, True
    said = [{"type": "image"}, {"type": "text", "text": prompt}]
    first = [] if system is None else [{"role": "system", "content": [{"type": "text", "text": system}]}]
    text = str(
        processor.apply_chat_template(
            [*first, {"role": "user", "content": said}], tokenize=False, add_generation_prompt=True
        )
    )
    begins = processor.tokenizer.bos_token
    return text, not (begins and text.startswith(begins))
