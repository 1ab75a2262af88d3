"""Running a model token by token after prompts with images, as the library's own `generate` does.

What rows of a batch have in common is computed once: the image of a prompt that several rows hold is seen once, and
where steering leaves the prompts alone (`sharing`) all of each prompt but its last token is read once.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from steerlang.models.cache import make_cache
from steerlang.models.closeness import close
from steerlang.models.loading import LoadedModel
from steerlang.models.prefill import given_of, last_states, places_fit, prepared
from steerlang.models.sharing import Shared
from steerlang.models.tokens import TokenisedItem

Given = dict[str, Any]
# What goes along from pass to pass; the rest is seen in the first.
_KEPT = frozenset({"attention_mask", "position_ids", "token_type_ids", "mm_token_type_ids", "use_cache"})


class SeeingSteps:
    """A batch of prompts with images. Rows that have ended leave it."""

    def __init__(
        self, loaded: LoadedModel, items: Sequence[TokenisedItem], steps: int, shared: Shared | None
    ) -> None:
        self._loaded, self._items, self._shared = loaded, list(items), shared
        takes = inspect.signature(loaded.model.forward).parameters
        self._last_only = {"logits_to_keep": 1} if "logits_to_keep" in takes else {}
        length = max(len(item) for item in items)
        self._cache = make_cache(loaded.model.config, length + steps if loaded.layout.roomy else None)
        self._ids = torch.empty(0, dtype=torch.long)
        self._given: Given = {}

    def first(self) -> Tensor:
        return self._whole() if self._shared is None else self._after_prefixes(self._shared)

    def next(self, chosen: Tensor) -> Tensor:
        self._ids = torch.cat([self._ids, chosen[:, None]], dim=1)
        return self._one_more()

    def keep(self, rows: Tensor) -> bool:
        self._ids = self._ids[rows]
        self._given = _of_rows(self._given, rows)
        self._cache.reorder_cache(rows)
        return True

    def _whole(self) -> Tensor:
        """The prompts as they are; each different image is seen once."""
        different, source = _different(self._items, self._loaded.model._supports_mm_encoder_outputs())
        ids, given = given_of(self._loaded, [self._items[i] for i in different], left=True)
        if len(different) < len(self._items):
            index = torch.tensor(source, device=ids.device)
            seen = _seen(self._loaded, given)
            ids, given = ids[index], {**_of_rows(given, index), **_repeated(seen, self._items, different, source)}
        self._ids, self._given = ids, _along(given)
        inputs = prepared(self._loaded, ids, given, use_cache=True, past_key_values=self._cache, **self._last_only)
        with places_fit():
            return self._pass(inputs)

    def _after_prefixes(self, shared: Shared) -> Tensor:
        """All but the last token of each different prompt, once; every row then goes on from a copy."""
        rows = shared.rows.tolist()
        ids, given = given_of(self._loaded, [self._items[i] for i in rows], left=True)
        prefix = {name: _without_last(value, ids.shape) for name, value in given.items()}
        options = {"use_cache": True, "past_key_values": self._cache, **self._last_only}
        with shared.prefixes(), places_fit():
            self._loaded.model(**prepared(self._loaded, ids[:, :-1], prefix, **options))
        self._cache.reorder_cache(shared.source)
        self._ids, self._given = ids[shared.source], _of_rows(_along(given), shared.source)
        return self._one_more()

    def _one_more(self) -> Tensor:
        """A pass over the last token of each row."""
        inputs = self._loaded.model.prepare_inputs_for_generation(
            self._ids, next_sequence_length=1, use_cache=True, past_key_values=self._cache, **self._last_only,
            **self._given,
        )  # fmt: skip
        return self._pass(inputs)

    def _pass(self, inputs: Given) -> Tensor:
        output = self._loaded.model(**inputs, return_dict=True)
        given = self._loaded.model._update_model_kwargs_for_generation(output, self._given)
        given.pop("past_key_values", None)
        self._given = given
        logits: Tensor = output.logits[:, -1]
        return logits


def reads_forward_only(loaded: LoadedModel, item: TokenisedItem) -> bool:
    """Whether the states of a prompt are the same without its last token, so that it can be read in two parts. Found
    out once a model; some let the tokens of a prompt see those that follow."""
    found = loaded.findings.get("reads_forward_only")
    if found is None:
        whole, part = (last_states(loaded, [one])[0] for one in (item, _shorter(item)))
        found = loaded.findings["reads_forward_only"] = close(part, whole[:-1])
    return found


def _shorter(item: TokenisedItem) -> TokenisedItem:
    assert item.picture is not None
    types = tuple((name, values[:-1]) for name, values in item.picture.types)
    return replace(item, ids=item.ids[:-1], picture=replace(item.picture, types=types))


def _different(items: Sequence[TokenisedItem], can_share: bool) -> tuple[list[int], list[int]]:
    """The first of each different prompt, and which of these each item is; all, where a model cannot be given images
    that were seen before."""
    if not can_share:
        return list(range(len(items))), list(range(len(items)))
    first: dict[Any, int] = {}
    source = [first.setdefault((item.ids, item.picture), i) for i, item in enumerate(items)]
    number = {at: k for k, at in enumerate(first.values())}
    return list(first.values()), [number[at] for at in source]


def _seen(loaded: LoadedModel, given: Given) -> Any:
    """What the vision tower makes of the images; they are taken out of `given`."""
    with places_fit():
        made = loaded.model._prepare_multimodal_encoder_kwargs_for_generation(given)
    return made.pop("mm_encoder_outputs").get("image")


def _repeated(seen: Any, items: Sequence[TokenisedItem], different: list[int], source: list[int]) -> Given:
    """What was seen of different images, for every row."""
    features: Any = seen.pooler_output
    if isinstance(features, Tensor):
        # As many parts of an image as fill its tokens.
        parts = [len(items[i].image) // features.shape[1] for i in different]
        shares = torch.split(features, parts)
        repeated: Any = torch.cat([shares[k] for k in source])
    else:
        repeated = [features[k] for k in source]
    return {"mm_encoder_outputs": {"image": type(seen)(pooler_output=repeated)}}


def _along(given: Given) -> Given:
    return {name: value for name, value in given.items() if name in _KEPT}


def _of_rows(given: Given, rows: Tensor) -> Given:
    """What is said of each row, for some of the rows; positions may have several axes before theirs."""
    return {
        name: value.index_select(1 if name == "position_ids" and value.ndim == 3 else 0, rows)
        for name, value in given.items()
        if isinstance(value, Tensor)
    } | {name: value for name, value in given.items() if not isinstance(value, Tensor)}


def _without_last(value: Any, shape: torch.Size) -> Any:
    """What is said of each token, without the last one; what is said of images stays."""
    of_tokens = isinstance(value, Tensor) and value.shape[-2:] == shape
    return value[..., :-1] if of_tokens else value
