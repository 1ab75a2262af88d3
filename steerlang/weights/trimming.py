"""Which entries of a task vector are kept: by magnitude (exact thresholds), at random, or by rank in their row.

The threshold of a share is exact and needs no sort. A sample brackets it; one pass counts what lies above the bracket
and gathers what lies within, some hundredths of the entries, among which it is selected. Where the bracket misses, or
holds too much, magnitudes are counted: as float32 they are ordered as their 31 bits, so one pass counts the upper 15
bits (32,768 bins) and a second the lower 16 within the bin of the threshold. All entries at the threshold are kept:
that does not depend on an order, so it does not change with chunks, shards or threads.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from .dtypes import Float32

Pass = Callable[[], Iterable[Float32]]
Read = Callable[[int, int], Float32]
# A sample of 128 runs of up to 1,024 entries, for tensors much larger than that; at most 16 MiB are gathered.
_RUNS, _LONGEST_RUN, _WORTH_SAMPLING, _GATHERED = 128, 1024, 1 << 17, 1 << 22


def threshold(chunks: Pass, count: int, keep: float, some: Read | None = None) -> float:
    """The magnitude t such that the floor(keep · count) largest entries (at least one) are those with |x| ≥ t.

    chunks  makes a pass over all `count` entries
    some    reads any of them, for a sample
    """
    if keep >= 1.0 or count == 0:
        return 0.0
    return order_statistic(chunks, count, count - max(1, int(keep * count)), some)


def order_statistic(chunks: Pass, count: int, rank: int, some: Read | None = None) -> float:
    """The magnitude that `rank` of all `count` precede in ascending order."""
    found = None
    if some is not None and count >= _WORTH_SAMPLING:
        found = _within_bracket(chunks, count, rank, _bracket(some, count, rank))
    return _counted(chunks, rank) if found is None else found


def _bracket(some: Read, count: int, rank: int) -> tuple[float, float]:
    """Two magnitudes with the one of the given rank between them, almost surely for entries that are alike."""
    run = min(_LONGEST_RUN, max(16, count >> 12))
    starts = np.linspace(0, count - run, _RUNS).astype(np.int64)
    sample = np.sort(np.concatenate([np.abs(some(int(s), int(s) + run)) for s in starts]))
    share = rank / count
    slack = 5.0 * math.sqrt(share * (1.0 - share) / sample.size) + 4.0 / sample.size
    low, high = (int((share + way * slack) * sample.size) for way in (-1, 1))
    smallest = float(sample[low]) if low >= 0 else 0.0
    largest = float(sample[high]) if high < sample.size else math.inf
    return smallest, largest


def _within_bracket(chunks: Pass, count: int, rank: int, bracket: tuple[float, float]) -> float | None:
    """The magnitude of the given rank, if it lies in the bracket (both ends in) and the bracket holds few enough."""
    smallest, largest = (np.float32(end) for end in bracket)
    above, gathered, parts = 0, 0, []
    for chunk in chunks():
        magnitude = np.abs(chunk)
        larger = magnitude > largest
        above += int(np.count_nonzero(larger))
        within = magnitude >= smallest
        within ^= larger
        parts.append(magnitude[within])
        gathered += parts[-1].size
        if gathered > _GATHERED:
            return None
    place = rank - (count - above - gathered)
    if not 0 <= place < gathered:
        return None
    every = np.concatenate(parts)
    return float(np.partition(every, place)[place])


def _counted(chunks: Pass, rank: int) -> float:
    """The magnitude of the given rank, by counting bits."""
    upper = np.zeros(1 << 15, np.int64)
    for chunk in chunks():
        upper += np.bincount(_upper(chunk), minlength=1 << 15)
    before = np.cumsum(upper)
    high = int(np.searchsorted(before, rank, side="right"))
    if high == 0 and upper[0] == before[-1]:
        within = rank
    else:
        within = rank - (int(before[high - 1]) if high else 0)
    lower = np.zeros(1 << 16, np.int64)
    for chunk in chunks():
        bits = chunk.view(np.uint32)[_upper(chunk) == high]
        if bits.size:
            lower += np.bincount(bits & np.uint32(0xFFFF), minlength=1 << 16)
    low = int(np.searchsorted(np.cumsum(lower), within, side="right"))
    return float(np.array([high << 16 | low], np.uint32).view(np.float32)[0])


def _upper(chunk: Float32) -> NDArray[np.uint16]:
    halves: NDArray[np.uint16] = chunk.view(np.uint16)[1::2] & np.uint16(0x7FFF)
    return halves


def at_least(values: Float32, smallest: float) -> Float32:
    """The values whose magnitude is at least `smallest`, the others 0; in place."""
    if smallest > 0.0:
        # Multiplying by booleans casts them piece by piece, at twice the time of casting them at once.
        values *= (np.abs(values) >= np.float32(smallest)).astype(np.float32)
    return values


def between(values: Float32, smallest: float, largest: float) -> Float32:
    """The values whose magnitude lies between the two, both ends kept, the others 0; in place."""
    magnitude = np.abs(values)
    values *= (magnitude >= np.float32(smallest)) & (magnitude <= np.float32(largest))
    return values


def ranks_in_rows(values: Float32, columns: int) -> Float32:
    """For whole rows [rows · columns]: where each entry's magnitude stands in its row, 0 the smallest, 1 the largest.

    Entries of equal magnitude stand in the order of the row.
    """
    if columns < 2:
        return np.ones_like(values)
    magnitude = np.abs(values).reshape(-1, columns)
    order = np.argsort(magnitude, axis=1, kind="stable")
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.arange(columns)[None, :], axis=1)
    scaled: Float32 = (ranks.reshape(-1) / np.float32(columns - 1)).astype(np.float32)
    return scaled
