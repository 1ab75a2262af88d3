"""The pass over prompts with images, given to the model as the library's own `generate` would give it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from transformers.utils.generic import ModelOutput

from steerlang.models.errors import ImageTokens
from steerlang.models.loading import LoadedModel
from steerlang.models.seeing import Inputs, collated, picture_of
from steerlang.models.tokens import TokenisedItem, pad


def given_of(loaded: LoadedModel, items: Sequence[TokenisedItem], *, left: bool) -> tuple[Tensor, dict[str, Any]]:
    """Ids ``[B, T]`` of items with images, and all else that goes with them: mask, positions, what the processor says.

    Tokens that follow a prompt count as generated. Raises BadImage, ImageTokens.
    """
    assert loaded.eyes is not None
    device = loaded.device
    ids, mask = pad([item.ids for item in items], left=left, device=device, fill=_fill(loaded))
    seen = torch.ones_like(ids) if mask is None else mask
    given: dict[str, Any] = {"attention_mask": seen}
    given |= _types(loaded, items, left, device)
    given |= collated(loaded.eyes.pixels(items), device, loaded.layout.dtype)
    if "position_ids" in inspect.signature(loaded.model.forward).parameters:
        given["position_ids"] = loaded.model._prepare_position_ids_for_generation(ids, given)
    if mask is None:
        given["attention_mask"] = None  # as the library does: masks of ones are left out
    return ids, given


def prepared(loaded: LoadedModel, ids: Tensor, given: dict[str, Any], **options: Any) -> dict[str, Any]:
    """What a first pass is called with."""
    made: dict[str, Any] = loaded.model.prepare_inputs_for_generation(
        ids, next_sequence_length=None, is_first_iteration=True, **given, **options
    )
    return made


def last_states(loaded: LoadedModel, items: Sequence[TokenisedItem]) -> Tensor:
    """What the decoder gives for items padded on the right ``[B, T, D]``, after its final norm."""
    if items[0].picture is None:
        ids, _ = pad([item.ids for item in items], left=False, device=loaded.device)
        plain: Tensor = loaded.layout.decoder(input_ids=ids, use_cache=False)[0]
        return plain
    ids, given = given_of(loaded, items, left=False)
    found: list[Tensor] = []
    handle = loaded.layout.decoder.register_forward_hook(lambda _, __, output: found.append(output[0]))
    try:
        with places_fit():
            loaded.model(**prepared(loaded, ids, given, use_cache=False, logits_to_keep=1))
    finally:
        handle.remove()
    return found[0]


@contextmanager
def places_fit() -> Iterator[None]:
    """Says which of the two is at fault where the model finds another number of places than its images fill."""
    try:
        yield
    except (ValueError, RuntimeError, IndexError) as refused:
        text = str(refused).splitlines()[0] if str(refused) else ""
        if "image" in text.lower() and "token" in text.lower():
            raise ImageTokens(
                f"the processor and the model do not agree on how many tokens an image has: {text.rstrip('.')}",
                "take the processor's files from where the model is from: patch size and feature selection must be its",
            ) from refused
        raise


def _fill(loaded: LoadedModel) -> int:
    """A token that is no image's."""
    assert loaded.eyes is not None
    known = getattr(loaded.tokenizer, "pad_token_id", None)
    if isinstance(known, int) and known != loaded.eyes.image_id:
        return known
    return 0 if loaded.eyes.image_id else 1


def _types(
    loaded: LoadedModel, items: Sequence[TokenisedItem], left: bool, device: torch.device
) -> dict[str, Tensor]:
    """What the processor says of each token ``[B, T]``, 0 for padding; of tokens that follow what the model would."""
    rows = [_row_types(loaded, item) for item in items]
    longest = max(len(item) for item in items)
    made = {}
    for name in rows[0]:
        short = [(row[name], longest - row[name].shape[0]) for row in rows]
        padded = [torch.nn.functional.pad(t, (n, 0) if left else (0, n)) for t, n in short]
        made[name] = torch.stack(padded).to(device)
    return made


def _row_types(loaded: LoadedModel, item: TokenisedItem) -> Inputs:
    given = {name: torch.tensor([values]) for name, values in picture_of(item).types}
    more = len(item) - next((t.shape[1] for t in given.values()), len(item))
    if more:
        nothing: Any = ModelOutput
        given = loaded.model._update_model_kwargs_for_generation(nothing(), given, False, more)
    return {name: tensor[0] for name, tensor in given.items()}
