"""Generating text, steered or not: one batched loop with a cache, in which every row is as if it were alone.

Plain decoding from the model's own probabilities: no penalties and no settings from the checkpoint but its end tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from transformers import DynamicCache

from steerlang.models.actions import Recipe
from steerlang.models.errors import BadBatch, ModelError, NoTokens, UnusableLogits
from steerlang.models.loading import LoadedModel
from steerlang.models.overlay import Overlay
from steerlang.models.prompts import marks_of
from steerlang.models.tokens import TokenisedItem, batches, pad, position_ids


@dataclass(frozen=True)
class Sampling:
    """Sampling from softmax(logits / temperature), cut to the ``top_k`` likeliest, then to the nucleus ``top_p``.

    The noise of a row is a function of (seed, its noise row, step) alone: batching changes nothing.
    """

    seed: int
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0

    def __post_init__(self) -> None:
        if not (self.temperature > 0 and 0 < self.top_p <= 1 and self.top_k >= 0):
            raise ModelError(
                f"sampling with temperature {self.temperature}, top_p {self.top_p}, top_k {self.top_k}",
                "temperature above 0 (greedy decoding is no sampling), 0 < top_p ≤ 1, top_k 0 (off) or more",
            )


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
    ``batch_tokens`` bounds prompt and new tokens of a batch. Raises BadBatch, NoTokens.
    """
    _check(prompts, recipes, rows, noise_rows, max_new_tokens)
    loaded.check_lengths(len(prompt) + max_new_tokens - 1 for prompt in prompts)
    results: list[Generated | None] = [None] * len(prompts)
    ends = loaded.end_ids if end_ids is None else end_ids
    equal = not loaded.layout.left_padding
    with torch.inference_mode(), Overlay(loaded, recipes) as overlay:
        groups = batches([len(p) for p in prompts], batch_tokens, extra=max_new_tokens, equal=equal)
        for group in groups:
            batch = [prompts[i] for i in group]
            overlay.begin(
                rows=None if rows is None else [rows[i] for i in group],
                prompt_lengths=[len(item) for item in batch],
                marks=marks_of(overlay.scopes, batch, loaded.device),
            )
            streams = list(group) if noise_rows is None else [noise_rows[i] for i in group]
            noise = None if sampling is None else _noise(sampling, streams, max_new_tokens)
            decoding = _Decoding(loaded, overlay, batch, ends, sampling, noise)
            made = decoding.run(max_new_tokens)
            if (bad := decoding.unusable()) is not None:
                raise UnusableLogits(group[bad])
            for index, ids in zip(group, made, strict=True):
                results[index] = _finished(loaded, ids, ends)
    return [result for result in results if result is not None]


class _Decoding:
    """One batch on its way: its cache, its masks, and which rows still run."""

    def __init__(
        self,
        loaded: LoadedModel,
        overlay: Overlay,
        batch: Sequence[TokenisedItem],
        ends: frozenset[int],
        sampling: Sampling | None,
        noise: Tensor | None,
    ) -> None:
        device = loaded.device
        self._loaded, self._overlay, self._sampling = loaded, overlay, sampling
        self._noise = None if noise is None else noise.to(device)
        self._ends = torch.tensor(sorted(ends), dtype=torch.long, device=device)
        self._tokens, self._mask = pad([item.ids for item in batch], left=True, device=device)
        self._cache: Any = DynamicCache(config=loaded.model.config)
        self._positions = self._first_positions()
        self._running = torch.arange(len(batch), device=device)
        self._made = torch.full((len(batch), 0), -1, dtype=torch.long, device=device)
        self._bad = torch.zeros(len(batch), dtype=torch.bool, device=device)

    def run(self, steps: int) -> list[tuple[int, ...]]:
        """New tokens of each row, up to and with its end token."""
        alive = torch.ones_like(self._running, dtype=torch.bool)
        for step in range(steps):
            chosen = self._choose(self._forward(), step)
            column = torch.full((self._made.shape[0], 1), -1, dtype=torch.long, device=chosen.device)
            column[self._running[alive], 0] = chosen[alive]
            self._made = torch.cat([self._made, column], dim=1)
            alive = alive & ~torch.isin(chosen, self._ends)
            left = int(alive.sum())
            if left == 0 or step + 1 == steps:
                break
            if 2 * left <= alive.numel():
                chosen, alive = self._drop(chosen, alive)
            self._advance(chosen)
        return [tuple(int(t) for t in row if t >= 0) for row in self._made.tolist()]

    def _forward(self) -> Tensor:
        """Logits of the next token ``[B, V]``, float32."""
        extra: dict[str, Tensor] = {}
        if self._loaded.layout.takes_position_ids:
            extra["position_ids"] = self._positions
        output = self._loaded.model(
            input_ids=self._tokens,
            attention_mask=self._mask,
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=1,
            **extra,
        )
        logits: Tensor = output.logits[:, -1].float()
        return logits

    def unusable(self) -> int | None:
        """The first row whose logits were not finite at some step."""
        return int(self._bad.int().argmax()) if bool(self._bad.any()) else None

    def _choose(self, logits: Tensor, step: int) -> Tensor:
        # NaN wins a maximum; looked at once the batch is done, so that no step waits for the device.
        self._bad[self._running] |= ~torch.isfinite(logits.amax(-1))
        if self._sampling is None or self._noise is None:
            return logits.argmax(-1)
        return sample(logits, self._sampling, self._noise[self._running, step])

    def _drop(self, chosen: Tensor, alive: Tensor) -> tuple[Tensor, Tensor]:
        """Leaves out the rows that have ended, once they are half of the batch."""
        rows = alive.nonzero()[:, 0]
        self._cache.batch_select_indices(rows)
        self._running = self._running[rows]
        self._positions = self._positions[rows]
        if self._mask is not None:
            self._mask = self._mask[rows]
        self._overlay.keep(rows)
        return chosen[rows], alive[rows]

    def _advance(self, chosen: Tensor) -> None:
        self._tokens = chosen[:, None]
        self._positions = self._positions[:, -1:] + 1
        if self._mask is not None:
            self._mask = torch.cat([self._mask, self._mask.new_ones(self._mask.shape[0], 1)], dim=1)

    def _first_positions(self) -> Tensor:
        if self._mask is not None:
            return position_ids(self._mask)
        rows, length = self._tokens.shape
        return torch.arange(length, device=self._tokens.device).expand(rows, length)


def sample(logits: Tensor, sampling: Sampling, uniform: Tensor) -> Tensor:
    """One token a row: logits ``[B, V]`` float32, ``uniform [B]`` in [0, 1) → ids ``[B]``.

    Inverse of the cumulative distribution over tokens from likeliest to least (ties by id): the first token at which
    it exceeds u. top_p keeps the shortest such list whose mass reaches p.
    """
    probabilities, order = (
        (logits / sampling.temperature).softmax(-1).sort(dim=-1, descending=True, stable=True)
    )
    if sampling.top_k:
        probabilities[:, sampling.top_k :] = 0.0
    if sampling.top_p < 1.0:
        total = probabilities.sum(-1, keepdim=True)
        before = probabilities.cumsum(-1) - probabilities
        probabilities = torch.where(before < sampling.top_p * total, probabilities, 0.0)
    mass = probabilities.double().cumsum(-1)
    wanted = uniform.double()[:, None] * mass[:, -1:]
    picked = torch.searchsorted(mass, wanted, right=True).clamp_max(logits.shape[-1] - 1)
    return order.gather(-1, picked)[:, 0]


def _noise(sampling: Sampling, rows: Sequence[int], steps: int) -> Tensor:
    """Uniform numbers ``[B, steps]``, a function of seed, row and step."""
    streams = [np.random.Generator(np.random.Philox(key=[sampling.seed, row])).random(steps) for row in rows]
    return torch.from_numpy(np.stack(streams))


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
