"""Random numbers that are a function of where they are used: (seed, vector, tensor, index of the element).

No stream is drawn, so masks do not change with shards, threads, chunk sizes or what else is edited. The function is
SplitMix64 (Steele, Lea & Flood, 2014) at a counter, its output cut into two halves of 32 bits:

    z = key + (i // 2 + 1) · 0x9e3779b97f4a7c15;  z = (z ^ z>>30) · 0xbf58476d1ce4e5b9;
    z = (z ^ z>>27) · 0x94d049bb133111eb;  z = z ^ z>>31;  word i = low half of z for even i, high half for odd i

with key the first 8 bytes of BLAKE2b of the seed, the vector and the tensor's name.
"""

from __future__ import annotations

import hashlib
import json

import numpy as np
from numpy.typing import NDArray

_GOLDEN, _FIRST, _SECOND = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def key_of(seed: int, vector: str, tensor: str) -> int:
    """The 64-bit key of one vector's tensor."""
    text = json.dumps([seed, vector, tensor], separators=(",", ":"))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def words(key: int, start: int, stop: int) -> NDArray[np.uint32]:
    """Random 32-bit words [stop − start] of elements `start` to `stop`."""
    first, last = start // 2, (stop + 1) // 2
    z = np.arange(first + 1, last + 1, dtype=np.uint64)
    z *= _GOLDEN
    z += np.uint64(key)
    z ^= z >> np.uint64(30)
    z *= _FIRST
    z ^= z >> np.uint64(27)
    z *= _SECOND
    z ^= z >> np.uint64(31)
    halves: NDArray[np.uint32] = z.astype("<u8", copy=False).view("<u4")
    return halves[start - 2 * first : stop - 2 * first]


def bernoulli(key: int, start: int, stop: int, probability: float) -> NDArray[np.bool_]:
    """True with the given probability (to 2⁻³²), for each of the elements `start` to `stop`."""
    if probability >= 1.0:
        return np.ones(stop - start, np.bool_)
    kept: NDArray[np.bool_] = words(key, start, stop) < np.uint32(probability * 2.0**32)
    return kept


def bernoulli_each(key: int, start: int, stop: int, probability: NDArray[np.float32]) -> NDArray[np.bool_]:
    """True with a probability of its own [stop − start] for each of the elements `start` to `stop`."""
    kept: NDArray[np.bool_] = words(key, start, stop) * np.float64(2.0**-32) < probability
    return kept


def parts(key: int, start: int, stop: int, count: int) -> NDArray[np.unsignedinteger]:
    """A part from 0 to `count` − 1 for each element, each equally likely, in the smallest integer type."""
    kind = np.min_scalar_type(count - 1)
    found = (words(key, start, stop).astype(np.uint64) * np.uint64(count)) >> np.uint64(32)
    cut: NDArray[np.unsignedinteger] = found.astype(kind)
    return cut
