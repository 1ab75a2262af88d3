"""Which tokens are steered, and the masks that say so, made once per forward pass and shared by all layers.

Positions are those of the whole sequence without padding. A scope answers for one pass with a mask ``[B, T]``, or with
``EVERY`` (no mask work) or ``NONE`` (nothing to do in this pass).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from torch import Tensor

from steerlang.models.errors import BadBatch


class Whole(Enum):
    """A pass in which a scope takes every token, or none."""

    EVERY = "every"
    NONE = "none"


EVERY, NONE = Whole.EVERY, Whole.NONE
Answer = Tensor | Whole


class Mask(NamedTuple):
    """The tokens of a pass on which an action acts, and how strongly, ``[B, T, 1]`` or broadcast to it.

    ``where`` is bool; ``weight`` is 0 where it is false and the schedule's factor (1 without one) elsewhere, in the
    states' dtype; ``factor`` is the schedule's factor in float32, None without a schedule.
    """

    where: Tensor
    weight: Tensor
    factor: Tensor | None = None


@dataclass(frozen=True)
class PassView:
    """One forward pass: ``positions [B, T]`` without padding (of real tokens), ``prompt_lengths [B, 1]`` in tokens.

    ``after_prompt`` is True in a cached pass that holds generated tokens only: no mask is needed to know its phase.
    ``marks`` gives, for a `MarkedScope`, its position in each row ``[B, 1]`` (below −1: not there), and for the tokens
    of an image whether each position is one ``[B, P]``.
    """

    positions: Tensor
    prompt_lengths: Tensor
    after_prompt: bool
    marks: Mapping[TokenScope, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class TokenScope:
    """Base of the scopes. Use a subclass."""

    def answer(self, view: PassView) -> Answer:
        raise NotImplementedError


@dataclass(frozen=True)
class AllTokens(TokenScope):
    """Every token, prompt and generated."""

    def answer(self, view: PassView) -> Answer:
        return EVERY


@dataclass(frozen=True)
class PromptTokens(TokenScope):
    """The tokens of the prompt, its last one included."""

    def answer(self, view: PassView) -> Answer:
        return NONE if view.after_prompt else view.positions < view.prompt_lengths


@dataclass(frozen=True)
class GeneratedTokens(TokenScope):
    """From the position that produces the first new token (the last of the prompt) on."""

    def answer(self, view: PassView) -> Answer:
        return EVERY if view.after_prompt else view.positions >= view.prompt_lengths - 1


@dataclass(frozen=True)
class FromToken(TokenScope):
    """From position k of the whole sequence on, from 0."""

    k: int

    def answer(self, view: PassView) -> Answer:
        return view.positions >= self.k if self.k > 0 else EVERY


@dataclass(frozen=True)
class LastPromptToken(TokenScope):
    """The last token of the prompt only."""

    def answer(self, view: PassView) -> Answer:
        return NONE if view.after_prompt else view.positions == view.prompt_lengths - 1


@dataclass(frozen=True)
class TokenAt(TokenScope):
    """Position k of the whole sequence, from 0."""

    k: int

    def answer(self, view: PassView) -> Answer:
        return view.positions == self.k


@dataclass(frozen=True)
class TokenSpan(TokenScope):
    """From one position of the whole sequence to another, both included."""

    start: int
    end: int

    def answer(self, view: PassView) -> Answer:
        return (view.positions >= self.start) & (view.positions <= self.end)


@dataclass(frozen=True)
class MarkedScope(TokenScope):
    """A scope that depends on what a prompt says: the batch begins with a mark for each row. Use a subclass."""

    def mark(self, view: PassView) -> Tensor:
        at = view.marks.get(self)
        if at is None:
            raise BadBatch(
                f"steering by {self} without knowing where it is in the prompts",
                "begin the batch with marks, or give texts",
            )
        return at


@dataclass(frozen=True)
class AtText(MarkedScope):
    """The first token of the first occurrence of ``text``, or of one of some words, in the prompt."""

    text: str | tuple[str, ...]

    def answer(self, view: PassView) -> Answer:
        return NONE if view.after_prompt else view.positions == self.mark(view)


@dataclass(frozen=True)
class AssistantTokens(MarkedScope):
    """From the position that produces the assistant's first token on: of its reply in a conversation that is read, else
    of what is generated. Marks are that position."""

    def answer(self, view: PassView) -> Answer:
        return EVERY if view.after_prompt else view.positions >= self.mark(view)


@dataclass(frozen=True)
class ImageTokens(MarkedScope):
    """The tokens that stand for the image of the prompt. Marks say of each position whether it is one ``[B, P]``, P the
    longest prompt."""

    def answer(self, view: PassView) -> Answer:
        if view.after_prompt:
            return NONE
        table = self.mark(view)
        inside = (view.positions >= 0) & (view.positions < table.shape[1])
        return table.gather(1, view.positions.clamp(0, table.shape[1] - 1)) & inside
