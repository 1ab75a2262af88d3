"""What the generation settings of a checkpoint do to the logits of a step, by the library's own processors.

Penalties for repetition, tokens that are suppressed or forced, shortest lengths: part of the model as its authors
publish it, and so part of its decoding. How tokens are drawn (temperature, top_k, top_p) is not taken from there: the
program says it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from steerlang.models.errors import BadSettings, ModelError
from steerlang.models.tokens import TokenisedItem

Processor = Callable[[Tensor, Tensor], Tensor]  # ids so far [1, T], logits [1, V] → logits [1, V]


@dataclass(frozen=True, eq=False)
class RowProcessors:
    """The processors of each row of a batch. Each sees its row alone, without padding, as if there were no batch."""

    prompts: tuple[Tensor, ...]
    processors: tuple[Processor, ...]

    def apply(self, logits: Tensor, rows: Tensor, made: Tensor) -> Tensor:
        """Logits ``[B, V]`` of ``rows [B]`` (numbers in the whole batch), whose new tokens are ``made [all, step]``."""
        with _settings_at_fault():
            found = [
                self.processors[row](torch.cat([self.prompts[row], made[row]])[None], logits[i : i + 1])
                for i, row in enumerate(rows.tolist())
            ]
        return torch.cat(found)


def processors_of(
    model: Any, prompts: Sequence[TokenisedItem], steps: int, start: int | None = None
) -> RowProcessors | None:
    """What the model's settings ask for at ``steps`` new tokens; None where they ask for nothing.

    ``start`` is the token that a decoder beside an encoder begins with: then the prompts are the encoder's.
    Raises ModelError for guidance, which runs the model a second time with another prompt, and BadSettings.
    """
    settings = getattr(model, "generation_config", None)
    if settings is None or not hasattr(model, "_get_logits_processor"):
        return None
    if getattr(settings, "guidance_scale", None) not in (None, 1, 1.0):
        raise ModelError(
            "the generation settings of the model ask for guidance, which needs a second prompt",
            "take guidance_scale out of its generation_config.json",
        )
    starts = [item.ids if start is None else (start,) for item in prompts]
    with _settings_at_fault():
        if not _of_length(model, settings, 1, 1 + steps):
            return None
        processors = tuple(_of_length(model, settings, len(ids), len(ids) + steps) for ids in starts)
    return RowProcessors(
        tuple(torch.tensor(ids, dtype=torch.long, device=model.device) for ids in starts), processors
    )


@contextmanager
def _settings_at_fault() -> Iterator[None]:
    """Turns what the library says of settings into BadSettings: it looks at some of them only when they are used."""
    try:
        yield
    except (ValueError, TypeError, IndexError, AttributeError) as problem:
        raise BadSettings(problem) from problem


def _of_length(model: Any, settings: Any, prompt: int, longest: int) -> Any:
    """The library's list for a prompt of so many tokens, without what only sampling would use."""
    own = copy.deepcopy(settings)
    own.do_sample, own.num_beams, own.max_length = False, 1, longest
    model._prepare_special_tokens(own, device=model.device)
    return model._get_logits_processor(
        generation_config=own, input_ids_seq_length=prompt, device=model.device
    )
