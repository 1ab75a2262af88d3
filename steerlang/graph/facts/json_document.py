"""JSON, read strictly: a key that stands twice is refused, since one of the two would be lost without a word."""

from __future__ import annotations

import json
from collections import Counter


class RepeatedKey(ValueError):  # noqa: N818
    """A key that stands twice in one object."""

    def __init__(self, key: str) -> None:
        super().__init__(f"key `{key}` stands twice")


def parse_json(text: str) -> object:
    """The value of a JSON text. Raises ValueError (RepeatedKey where that is the reason) or RecursionError."""
    value: object = json.loads(text, object_pairs_hook=_unique)
    return value


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise RepeatedKey(next(key for key, times in Counter(key for key, _ in pairs).items() if times > 1))
    return found
