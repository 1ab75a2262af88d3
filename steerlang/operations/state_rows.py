"""Captured states as rows: which sample each is of, and, where rows are tokens, which of its tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steerlang.diagnostics import codes
from steerlang.engine.payload import Payload

from .base import fail


@dataclass(frozen=True, eq=False)
class StateRows:
    """``states [N, D]`` float32 of one layer; ``samples [N]`` rows of the data; ``tokens [N]`` which of those a sample
    gave, 0 where it gave one. ``left_out``: samples in which no token was found."""

    states: NDArray[np.float32]
    samples: NDArray[np.int64]
    tokens: NDArray[np.int64]
    left_out: int

    @classmethod
    def of(cls, payload: Payload) -> StateRows:
        """The rows that were found of a capture at one point."""
        meta: Any = payload.meta
        found = np.asarray(meta["found"], dtype=bool)
        states = np.asarray(payload.tensors["states"])[:, 0, :]
        offsets = np.asarray(meta["offsets"], dtype=np.int64)
        counts = np.diff(offsets)
        samples = np.repeat(np.arange(len(found)), counts)
        tokens = np.arange(len(samples)) - np.repeat(offsets[:-1], counts)
        kept = found[samples]
        if not kept.all():
            states, samples, tokens = states[kept], samples[kept], tokens[kept]
        return cls(np.ascontiguousarray(states), samples, tokens, int((~found).sum()))


def in_both(first: StateRows, second: StateRows) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where the samples (or tokens of samples) that both have stand in each, in the order of the data.

    Raises OperationError where they have none in common, or where a sample gave the two other numbers of tokens.
    """
    by_token = bool(first.tokens.any() or second.tokens.any())
    places = (_places(first), _places(second))
    common = [key for key in places[0] if key in places[1]]
    if by_token and any(_counts(first).get(s) != _counts(second).get(s) for s in {key[0] for key in common}):
        raise fail(
            codes.CAPTURES_DIFFER,
            "a sample has another number of tokens in one capture than in the other, so tokens have no partners",
            "read one state a sample (`last`, `mean`, `predicting(…)`), or the same texts in both models",
        )
    if not common:
        raise fail(
            codes.TOKEN_NOT_FOUND,
            "no sample has the token in both captures",
            "look at the rendered texts with `steerlang plan`, or at what the models generate",
        )
    left, right = ([side[key] for key in common] for side in places)
    return np.asarray(left, dtype=np.int64), np.asarray(right, dtype=np.int64)


def _places(rows: StateRows) -> dict[tuple[int, int], int]:
    """Where each token of each sample stands."""
    keys = zip(rows.samples.tolist(), rows.tokens.tolist(), strict=True)
    return {key: place for place, key in enumerate(keys)}


def _counts(rows: StateRows) -> dict[int, int]:
    samples, counts = np.unique(rows.samples, return_counts=True)
    return dict(zip(samples.tolist(), counts.tolist(), strict=True))
