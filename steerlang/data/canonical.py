"""The one written form of demonstrations: JSON lines with sorted keys, and the digests taken of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping

# Where a row stands is no part of what it says.
_PLACE_KEYS = frozenset({"id", "line"})


def _line(row: Mapping[str, object]) -> str:
    return json.dumps(row, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def to_json_lines(rows: Iterable[Mapping[str, object]]) -> str:
    """`rows` as JSON lines, keys sorted, each line ended by LF."""
    return "".join(_line(row) + "\n" for row in rows)


def from_json_lines(text: str) -> tuple[dict[str, object], ...]:
    """The rows of a text that `to_json_lines` wrote."""
    return tuple(json.loads(line) for line in text.split("\n") if line)


def row_digest(row: Mapping[str, object]) -> str:
    """SHA-256 (hexadecimal) of what a row says: its place in the source is left out."""
    content = {key: value for key, value in row.items() if key not in _PLACE_KEYS}
    return hashlib.sha256(_line(content).encode("utf-8")).hexdigest()


def rows_digest(rows: Iterable[Mapping[str, object]]) -> str:
    """SHA-256 (hexadecimal) of what the rows say, in order."""
    total = hashlib.sha256()
    for row in rows:
        total.update(bytes.fromhex(row_digest(row)))
    return total.hexdigest()
