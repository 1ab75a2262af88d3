"""Where texts that scopes name stand in the prompts of a batch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from steerlang.models.positions import find_text
from steerlang.models.scopes import AtText, TokenScope
from steerlang.models.tokens import TokenisedItem


def marks_of(
    scopes: Sequence[TokenScope], prompts: Sequence[TokenisedItem], device: torch.device
) -> dict[TokenScope, Tensor]:
    """For each scope by text, the position of its text in each prompt ``[B]``; −2 where it is not there."""
    marks: dict[TokenScope, Tensor] = {}
    for scope in scopes:
        if isinstance(scope, AtText):
            at = [find_text(item, scope.text) for item in prompts]
            marks[scope] = torch.tensor([-2 if a is None else a for a in at], device=device)
    return marks
