"""One batch on its way: tokens are chosen step by step until every row has ended.

Nothing in a step waits for the device but one question, and only where there are end tokens: how many rows still run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from steerlang.models.processors import RowProcessors
from steerlang.models.sampling import Sampling, sample
from steerlang.models.stepping import Steps


@dataclass(frozen=True, eq=False)
class Choice:
    """How the next token is chosen: greedily, or by ``sampling`` with ``noise [B, steps]``; after ``processors``."""

    sampling: Sampling | None
    noise: Tensor | None
    processors: RowProcessors | None

    def choose(self, logits: Tensor, rows: Tensor | None, step: int, made: Tensor) -> tuple[Tensor, Tensor]:
        """Ids ``[B]`` for logits ``[B, V]`` of ``rows`` (None: all), and the largest logit of each row.

        NaN and infinity win a maximum, so that this one number tells whether a row can be used.
        """
        if self.sampling is None and self.processors is None:
            chosen = logits.argmax(-1, keepdim=True)
            return chosen[:, 0], logits.gather(-1, chosen)[:, 0]
        largest, logits = logits.amax(-1), logits.float()
        if self.processors is not None:
            everyone = torch.arange(logits.shape[0], device=logits.device)
            logits = self.processors.apply(logits, everyone if rows is None else rows, made[:, :step])
        if self.sampling is None or self.noise is None:
            return logits.argmax(-1), largest
        column = self.noise[:, step]
        return sample(logits, self.sampling, column if rows is None else column[rows]), largest


@dataclass(frozen=True, eq=False)
class Made:
    """New tokens ``[B, steps]`` and the largest logit of each step; what follows a row's end means nothing."""

    tokens: Tensor
    largest: Tensor


def decode(
    passes: Steps, rows: int, steps: int, choice: Choice, ends: Tensor, keep: Callable[[Tensor], None]
) -> Made:
    """Runs a batch of ``rows``. ``ends`` are the ids of end tokens; ``keep`` tells others which rows go on.

    Rows that have ended leave the batch once they are half of it.
    """
    logits = passes.first()
    device = logits.device
    tokens = torch.full((rows, steps), -1, dtype=torch.long, device=device)
    largest = torch.zeros(rows, steps, dtype=logits.dtype, device=device)
    running: Tensor | None = None
    alive: Tensor | None = None
    for step in range(steps):
        chosen, most = choice.choose(logits, running, step, tokens)
        column = slice(None) if running is None else running
        tokens[column, step], largest[column, step] = chosen, most
        if step + 1 == steps:
            break
        if ends.numel():
            goes_on = (chosen[:, None] != ends).all(-1)
            alive = goes_on if alive is None else alive & goes_on
            left = int(alive.sum())
            if not left:
                break
            if 2 * left <= alive.numel():
                on = alive.nonzero()[:, 0]
                if passes.keep(on):
                    keep(on)
                    running = on if running is None else running[on]
                    chosen, alive = chosen[on], None
        logits = passes.next(chosen)
    return Made(tokens, largest)


def replies(made: Made, ends: frozenset[int]) -> tuple[list[tuple[int, ...]], int | None]:
    """The new tokens of each row up to and with its end token, and the first row whose logits were not finite."""
    usable = torch.isfinite(made.largest).tolist()
    found, bad = [], None
    for row, ids in enumerate(made.tokens.tolist()):
        length = next((k + 1 for k, token in enumerate(ids) if token in ends or token < 0), len(ids))
        reply = tuple(ids[: length - 1] if ids[length - 1] < 0 else ids[:length])
        if bad is None and not all(usable[row][: len(reply)]):
            bad = row
        found.append(reply)
    return found, bad
