"""Where what scopes name stands in the prompts of a batch: texts, and the assistant's reply."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from steerlang.models.actions import Recipe
from steerlang.models.positions import find_text
from steerlang.models.scopes import AssistantTokens, AtText, ImageTokens, TokenScope
from steerlang.models.tokens import TokenisedItem


def without_text(recipe: Recipe, prompts: Sequence[TokenisedItem]) -> dict[str, int]:
    """For each text at which a recipe steers, how many prompts lack it; those that all have are left out."""
    texts = dict.fromkeys(a.tokens.text for a in recipe if isinstance(a.tokens, AtText))
    missing = {text: sum(find_text(item, text) is None for item in prompts) for text in texts}
    named = {text if isinstance(text, str) else ", ".join(text): count for text, count in missing.items()}
    return {text: count for text, count in named.items() if count}


def marks_of(
    scopes: Sequence[TokenScope], prompts: Sequence[TokenisedItem], device: torch.device
) -> dict[TokenScope, Tensor]:
    """For each scope that depends on the prompts, the position it names in each ``[B]``, −2 where it is not there; for
    the tokens of images, whether each position is one ``[B, P]``."""
    marks: dict[TokenScope, Tensor] = {}
    for scope in scopes:
        if isinstance(scope, AtText):
            at = [find_text(item, scope.text) for item in prompts]
            marks[scope] = torch.tensor([-2 if a is None else a for a in at], device=device)
        elif isinstance(scope, AssistantTokens):
            marks[scope] = torch.tensor([_before_reply(item) for item in prompts], device=device)
        elif isinstance(scope, ImageTokens):
            table = torch.zeros(len(prompts), max(len(item) for item in prompts), dtype=torch.bool)
            for row, item in enumerate(prompts):
                table[row, list(item.image)] = True
            marks[scope] = table.to(device)
    return marks


def _before_reply(item: TokenisedItem) -> int:
    """The position that produces the assistant's first token: before its reply, or the last of a prompt."""
    return (item.assistant[0] if item.assistant else item.prompt or len(item)) - 1
