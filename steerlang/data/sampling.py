"""Choosing rows: samples and splits that depend on a seed and the rows, and on nothing else.

Each row is ranked by a hash of (purpose, seed, its content, how many equal rows stand before it). No stream of random
numbers is drawn, so the order of the file, the Python version and the rows around one do not matter: a row added to
the file changes a sample by at most the row it displaces.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from .canonical import row_digest

R = TypeVar("R", bound=Mapping[str, object])


def _rank(purpose: str, seed: int, digest: str, occurrence: int) -> bytes:
    return hashlib.sha256(f"{purpose}:{seed}:{digest}:{occurrence}".encode("ascii")).digest()


def sample(rows: Sequence[R], k: int, seed: int) -> tuple[R, ...]:
    """`k` rows without replacement, in their own order; all of them when there are no more than `k`."""
    if k >= len(rows):
        return tuple(rows)
    return tuple(rows[index] for index in sorted(_drawn(dict(enumerate(rows)), k, seed)))


def sample_by(rows: Sequence[R], k: int, seed: int, key: Callable[[R], str]) -> tuple[R, ...]:
    """`k` rows of each group (rows of one `key`) without replacement, in their own order; all of a group that has no
    more than `k`. What is drawn of one group does not depend on the others."""
    groups: defaultdict[str, list[int]] = defaultdict(list)
    for index, row in enumerate(rows):
        groups[key(row)].append(index)
    chosen: list[int] = []
    for members in groups.values():
        own = {index: rows[index] for index in members}
        chosen += _drawn(own, k, seed)
    return tuple(rows[index] for index in sorted(chosen))


def _drawn(rows: Mapping[int, R], k: int, seed: int) -> list[int]:
    """The places of `k` of the rows given by their places."""
    seen: Counter[str] = Counter()
    ranked: list[tuple[bytes, int]] = []
    for index, row in rows.items():
        digest = row_digest(row)
        ranked.append((_rank("sample", seed, digest, seen[digest]), index))
        seen[digest] += 1
    return [index for _, index in sorted(ranked)[: max(k, 0)]]


def split(rows: Sequence[R], fraction: float, seed: int) -> tuple[tuple[R, ...], tuple[R, ...]]:
    """Two parts that hold every row once and have no content in common; the first holds about `fraction` of the rows.

    Equal rows stay together, whatever their line, so that what one part trains on the other does not test; the parts
    can then be larger or smaller than asked by the number of repeats. Where there are two different rows neither part
    is empty; of rows that are all equal the second part is.
    """
    if not 0.0 < fraction < 1.0:
        raise ValueError("a split needs a fraction between 0 and 1")
    groups: defaultdict[str, list[int]] = defaultdict(list)
    for index, row in enumerate(rows):
        groups[row_digest(row)].append(index)
    order = sorted(groups, key=lambda digest: _rank("split", seed, digest, 0))
    wanted = max(1, math.floor(fraction * len(rows) + 0.5))
    first: set[int] = set()
    for digest in order[:-1] if len(order) > 1 else order:
        if len(first) >= wanted:
            break
        first.update(groups[digest])
    return (
        tuple(row for index, row in enumerate(rows) if index in first),
        tuple(row for index, row in enumerate(rows) if index not in first),
    )
