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
from .rendering import tokenised


def items_of(
    loaded: LoadedModel, rows: Sequence[dict[str, Any]], data: Node, role: str = "text", *, answer: bool,
    by_text: bool = True,
) -> list[TokenisedItem]:  # fmt: skip
    """Rows as tokens, with images or without; `data` is the node of the rows, `answer` as in `tokenised`, and `by_text`
    whether tokens will be looked for by the text they cover."""
    if has_images(rows):
        return shown(loaded, rows, data, by_text)
    return tokenised(loaded.tokenizer, rows, role, answer)


def has_images(rows: Sequence[dict[str, Any]]) -> bool:
    """Whether rows name images."""
    return bool(rows) and "image" in rows[0]


def shown(
    loaded: LoadedModel, rows: Sequence[dict[str, Any]], data: Node, by_text: bool = False
) -> list[TokenisedItem]:
    """Prompts with images as tokens; the model is to answer next. `data` is the node of the rows."""
    eyes = eyes_of(loaded)
    return eyes.items([_shown(eyes, row, data) for row in rows], by_text)


def beside(loaded: LoadedModel, prompts: Sequence[str], images: Sequence[str]) -> list[TokenisedItem]:
    """Prompts, each with the image at a path."""
    eyes = eyes_of(loaded)
    rendered = [_rendered(eyes.processor, prompt, None) for prompt in prompts]
    return eyes.items([Shown(text, path, "", special) for (text, special), path in zip(rendered, images, strict=True)])


def replied(loaded: LoadedModel, rows: Sequence[dict[str, Any]], data: Node) -> list[TokenisedItem]:
    """Generated rows of prompts with images, token for token: selectors see what was generated. The token that ended a
    text is no part of it."""
    prompts = shown(loaded, rows, data)
    ends = [row["completion_ids"][: -1 if row["finish"] == "end" else None] for row in rows]
    return [_followed(loaded, prompt, ids, i + 1) for i, (prompt, ids) in enumerate(zip(prompts, ends, strict=True))]


def with_references(loaded: LoadedModel, rows: Sequence[dict[str, Any]], data: Node) -> list[TokenisedItem]:
    """Prompts, each followed by the first of its references as if the model had written it."""
    prompts = items_of(loaded, rows, data, answer=True, by_text=False)
    texts = [str(row["references"][0]) for row in rows]
    return [
        _followed(loaded, prompt, _continuing(loaded.tokenizer, prompt.ids, text), i + 1)
        for i, (prompt, text) in enumerate(zip(prompts, texts, strict=True))
    ]


def _continuing(tokenizer: Any, prompt: Sequence[int], text: str) -> list[int]:
    """The tokens of a text that follows a prompt: a word apart from it, as a model would write it."""
    plain = list(tokenizer(text, add_special_tokens=False)["input_ids"])
    last = list(prompt[-1:])
    before = tokenizer.decode(last)
    apart = not before or before[-1].isspace() or last[0] in tokenizer.all_special_ids
    if apart or tokenizer.decode([*last, *plain])[len(before) :][:1].isspace():
        return plain
    return list(tokenizer(f" {text}", add_special_tokens=False)["input_ids"])


def eyes_of(loaded: LoadedModel) -> Eyes:
    """The eyes of a model that has some."""
    if loaded.eyes is None:
        raise fail(codes.WRONG_TASK, "the model sees no images", "load it with `task = image_text_to_text`")
    return loaded.eyes


def _followed(loaded: LoadedModel, prompt: TokenisedItem, ids: Sequence[int], row: int) -> TokenisedItem:
    """A prompt and the text after it. A model looks for an image wherever it reads the token that stands for one."""
    if eyes_of(loaded).image_id in ids:
        raise fail(
            codes.IMAGE_TOKENS,
            f"the text of row {row} holds the token that stands for an image, and there is no image for it",
            "leave the row out (`where`), or take fewer `max_new_tokens`: models that are trained seldom write it",
        )
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
    tokenizer = processor.tokenizer
    template = getattr(processor, "chat_template", None) or getattr(tokenizer, "chat_template", None)
    place = str(getattr(processor, "image_token", "<image>"))
    if not template:
        if system is not None:
            help = "leave out `system`"
            raise fail(codes.UNREADABLE_MODEL, "the model's processor has no chat template", help)
        return prompt if place in prompt else place + prompt, True
    parts = [{"type": "image"}, {"type": "text", "text": prompt}]
    text = _said(tokenizer, template, _messages(parts, system, [{"type": "text", "text": system}]))
    if place not in text:  # a template that knows texts alone
        text = _said(tokenizer, template, _messages(f"{place}\n{prompt}", system, system))
    begins = tokenizer.bos_token
    return text, not (begins and text.startswith(begins))


def _messages(content: Any, system: str | None, told: Any) -> list[dict[str, Any]]:
    first = [] if system is None else [{"role": "system", "content": told}]
    return [*first, {"role": "user", "content": content}]


def _said(tokenizer: Any, template: Any, messages: list[dict[str, Any]]) -> str:
    try:
        return str(
            tokenizer.apply_chat_template(
                messages, chat_template=template, tokenize=False, add_generation_prompt=True
            )
        )
    except TypeError:  # of a template that joins texts, given parts
        return ""
    except Exception as refused:  # templates are programs, and say themselves what they do not take
        said = next(iter(str(refused).splitlines()), type(refused).__name__)
        help = "write the prompt (and `system`) as the model's template takes it"
        raise fail(codes.UNREADABLE_MODEL, f"the chat template refuses the messages: {said}", help) from refused
