"""Passes over prompts that are the same for several rows of a batch, run once.

All of a prompt but its last token (which produces the first new one) is its prefix. Rows with one prompt share the
prefix when nothing in it is steered, or when they are steered alike: a sweep over scales of `generated` tokens, several
samples of one prompt.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import MISSING, dataclass, fields

import torch
from torch import Tensor

from steerlang.models.actions import Recipe, SteeringAction
from steerlang.models.scopes import AssistantTokens, FromToken, GeneratedTokens, LastPromptToken, TokenAt
from steerlang.models.tokens import Picture, TokenisedItem

# Rows are worth sharing when at least so many tokens of passes are saved: one pass more has its price.
LEAST = 32
_PLAIN = frozenset({"operator", "site", "directions", "scales", "tokens"})


@dataclass(frozen=True, eq=False)
class Shared:
    """``rows [U]`` have the different prefixes; row i of the batch goes on from prefix ``source[i]`` (``[B]``).

    ``prefixes`` steers those rows alone while it is entered.
    """

    rows: Tensor
    source: Tensor
    prefixes: Callable[[], AbstractContextManager[object]]


def share(
    items: Sequence[TokenisedItem], recipes: Sequence[Recipe], rows: Sequence[int] | None
) -> tuple[list[int], list[int]] | None:
    """Which rows have the different prefixes, and which of these each row takes; None where sharing saves nothing."""
    if min(len(item) for item in items) < 2 or not all(_is_plain(a) for recipe in recipes for a in recipe):
        return None
    first: dict[tuple[tuple[int, ...], Picture | None, int | None], int] = {}
    source = []
    for i, item in enumerate(items):
        recipe = 0 if rows is None else rows[i]
        untouched = all(_spares_prefix(action, len(item)) for action in recipes[recipe])
        key = (item.ids, item.picture, None if untouched else recipe)
        source.append(first.setdefault(key, i))
    longest = max(len(item) for item in items)
    if (longest - 1) * (len(items) - len(first)) < LEAST:
        return None
    number = {row: k for k, row in enumerate(first.values())}
    return list(first.values()), [number[row] for row in source]


def _is_plain(action: SteeringAction) -> bool:
    """Whether what it does to a token depends on that token alone: gates and schedules look further."""
    return all(
        f.name in _PLAIN or (f.default is not MISSING and getattr(action, f.name) == f.default)
        for f in fields(action)
    )


def _spares_prefix(action: SteeringAction, length: int) -> bool:
    scope = action.tokens
    if isinstance(scope, FromToken):
        return scope.k >= length - 1
    if isinstance(scope, TokenAt):
        return scope.k >= length - 1
    # A prompt that is to be answered holds no reply of the assistant's yet.
    return isinstance(scope, GeneratedTokens | LastPromptToken | AssistantTokens)


def as_index(rows: Sequence[int], device: torch.device) -> Tensor:
    """Row numbers as a tensor."""
    return torch.tensor(list(rows), dtype=torch.long, device=device)
