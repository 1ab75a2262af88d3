"""Generating text, steered or not: one batched loop with a cache, in which every row is as if it were alone.

Decoding from the model's own probabilities, with what the checkpoint's generation settings do to them (`processors`)
and the end tokens they name; how tokens are drawn is the caller's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from steerlang.models.actions import Recipe
from steerlang.models.decoding import Choice, decode, replies
from steerlang.models.errors import BadBatch, NoTokens, UnusableLogits
from steerlang.models.light import light
from steerlang.models.loading import LoadedModel
from steerlang.models.overlay import Overlay
from steerlang.models.processors import processors_of
from steerlang.models.prompts import marks_of
from steerlang.models.sampling import Sampling, noise
from steerlang.models.seeing_steps import SeeingSteps, reads_forward_only
from steerlang.models.sharing import Shared, as_index, share
from steerlang.models.stepping import LibrarySteps, OwnSteps, Steps, start_id
from steerlang.models.tokens import TokenisedItem, batches

__all__ = ["Generated", "Sampling", "generate"]


@dataclass(frozen=True)
class Generated:
    """One row: the new tokens (the end token included where it came), their text without special tokens, and why
    it ended: ``end`` token or ``length``."""

    ids: tuple[int, ...]
    text: str
    finish: Literal["end", "length"]


def generate(
    loaded: LoadedModel,
    prompts: Sequence[TokenisedItem],
    *,
    max_new_tokens: int,
    recipes: Sequence[Recipe] = ((),),
    rows: Sequence[int] | None = None,
    sampling: Sampling | None = None,
    noise_rows: Sequence[int] | None = None,
    end_ids: frozenset[int] | None = None,
    batch_tokens: int = 4096,
) -> list[Generated]:
    """Continues each prompt greedily, or by ``sampling``; prompt i under recipe ``rows[i]`` (all under the only one).

    ``noise_rows`` gives rows the same noise (a sweep: the prompt's number for each of its rows); default: the row.
    ``batch_tokens`` bounds prompt and new tokens of a batch. Raises BadBatch, NoTokens, UnusableLogits.
    """
    _check(prompts, recipes, rows, noise_rows, max_new_tokens)
    loaded.check_lengths(len(prompt) + max_new_tokens - 1 for prompt in prompts)
    ends = loaded.end_ids if end_ids is None else end_ids
    # Beside images the library is asked for the mask and the positions of every model.
    equal = not loaded.layout.left_padding and all(prompt.picture is None for prompt in prompts)
    made: list[tuple[int, ...]] = [()] * len(prompts)
    with torch.inference_mode(), Overlay(loaded, recipes, fold=True) as overlay, light(_lightened(loaded, prompts)):
        groups = batches([len(p) for p in prompts], batch_tokens, extra=max_new_tokens, equal=equal)
        for group in groups:
            batch = _Batch(
                [prompts[i] for i in group],
                None if rows is None else [rows[i] for i in group],
                list(group) if noise_rows is None else [noise_rows[i] for i in group],
            )
            found, bad = _run(loaded, overlay, batch, recipes, max_new_tokens, sampling, ends)
            if bad is not None:
                raise UnusableLogits(group[bad])
            for index, ids in zip(group, found, strict=True):
                made[index] = ids
    return [_finished(loaded, ids, ends) for ids in made]


def _lightened(loaded: LoadedModel, prompts: Sequence[TokenisedItem]) -> nn.Module:
    """What is called without what lies around a call: what sees images is watched by the library while it runs."""
    seen = any(prompt.picture is not None for prompt in prompts)
    found: nn.Module = loaded.layout.decoder if seen else loaded.model
    return found


@dataclass(frozen=True)
class _Batch:
    """Rows that run together: prompts, the recipe of each (None: the only one), the number of its noise."""

    items: list[TokenisedItem]
    rows: list[int] | None
    streams: list[int]


def _run(
    loaded: LoadedModel,
    overlay: Overlay,
    batch: _Batch,
    recipes: Sequence[Recipe],
    steps: int,
    sampling: Sampling | None,
    ends: frozenset[int],
) -> tuple[list[tuple[int, ...]], int | None]:
    device = loaded.device
    drawn = None if sampling is None else noise(sampling, batch.streams, steps).to(device)
    start = None if loaded.layout.encoder is None else start_id(loaded)
    choice = Choice(sampling, drawn, processors_of(loaded.model, batch.items, steps, start))
    _begin(overlay, loaded, batch, range(len(batch.items)))
    passes: Steps
    if batch.items[0].picture is not None:
        passes = SeeingSteps(loaded, batch.items, steps, _shared(loaded, overlay, batch, recipes))
    elif loaded.layout.plain_inputs:
        passes = OwnSteps(loaded, batch.items, steps, _shared(loaded, overlay, batch, recipes))
    else:
        passes = LibrarySteps(loaded, batch.items)
    last = torch.tensor(sorted(ends), dtype=torch.long, device=device)
    return replies(decode(passes, len(batch.items), steps, choice, last, overlay.keep), ends)


def _begin(overlay: Overlay, loaded: LoadedModel, batch: _Batch, which: Sequence[int]) -> None:
    """Tells the overlay which rows of a batch the next passes hold."""
    items = [batch.items[i] for i in which]
    alone = loaded.layout.encoder is None  # else the decoder's prompt is the token it begins with
    overlay.begin(
        rows=None if batch.rows is None else [batch.rows[i] for i in which],
        prompt_lengths=[len(item) if alone else 1 for item in items],
        marks=marks_of(overlay.scopes, items, loaded.device) if alone else {},
    )


def _shared(
    loaded: LoadedModel, overlay: Overlay, batch: _Batch, recipes: Sequence[Recipe]
) -> Shared | None:
    found = share(batch.items, recipes, batch.rows)
    if found is None or (batch.items[0].picture is not None and not _in_parts(loaded, overlay, batch)):
        return None
    different, source = found

    @contextmanager
    def prefixes() -> Iterator[None]:
        _begin(overlay, loaded, batch, different)
        yield
        _begin(overlay, loaded, batch, range(len(batch.items)))

    return Shared(as_index(different, loaded.device), as_index(source, loaded.device), prefixes)


def _in_parts(loaded: LoadedModel, overlay: Overlay, batch: _Batch) -> bool:
    """Whether prompts with images can be read in two parts."""
    _begin(overlay, loaded, batch, [0])
    found = reads_forward_only(loaded, batch.items[0])
    _begin(overlay, loaded, batch, range(len(batch.items)))
    return found


def _finished(loaded: LoadedModel, ids: tuple[int, ...], ends: frozenset[int]) -> Generated:
    text = (
        "" if loaded.tokenizer is None else str(loaded.tokenizer.decode(list(ids), skip_special_tokens=True))
    )
    return Generated(ids, text, "end" if ids and ids[-1] in ends else "length")


def _check(
    prompts: Sequence[TokenisedItem],
    recipes: Sequence[Recipe],
    rows: Sequence[int] | None,
    noise_rows: Sequence[int] | None,
    max_new_tokens: int,
) -> None:
    if max_new_tokens < 1:
        raise BadBatch(f"{max_new_tokens} new tokens", "ask for at least one")
    for name, given in (("rows", rows), ("noise_rows", noise_rows)):
        if given is not None and len(given) != len(prompts):
            raise BadBatch(f"{len(given)} {name} for {len(prompts)} prompts", "give one for each prompt")
    if rows is None and len(recipes) != 1:
        raise BadBatch(f"{len(recipes)} recipes, and no word on which prompt takes which", "give rows")
    empty = next((i for i, prompt in enumerate(prompts) if not len(prompt)), None)
    if empty is not None:
        raise NoTokens(empty)
