"""Which entries of a task vector are kept: by magnitude (exact thresholds), at random, or by rank in their row.

The threshold of a share is exact and needs no sort. Magnitudes of float32 are ordered as their 31 bits, so one pass
counts the upper 15 bits (32,768 bins) and a second the lower 16 within the bin that holds the threshold. All entries at
the threshold are kept: that does not depend on an order, so it does not change with chunks, shards or threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from .dtypes import Float32

Pass = Callable[[], Iterable[Float32]]
_MAGNITUDE = np.uint32(0x7FFFFFFF)


def threshold(chunks: Pass, count: int, keep: float) -> float:
    """The magnitude t such that the floor(keep · count) largest entries (at least one) are those with |x| ≥ t.

    chunks  makes a pass over all `count` entries
    """
    if keep >= 1.0 or count == 0:
        return 0.0
    return order_statistic(chunks, count - max(1, int(keep * count)))


def order_statistic(chunks: Pass, rank: int) -> float:
    """The magnitude that exactly `rank` others precede in ascending order."""
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
        values *= np.abs(values) >= np.float32(smallest)
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
