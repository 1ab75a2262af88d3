"""Coefficients as a file: JSON with the names of task vectors and blocks, so that they can be read, compared and kept.

    {"steerlang": "coefficients", "version": 1,
     "partition": {"is": "Blocks", "by": "tensor"},
     "coefficients": {"to_digits": {"encoder.layers.0.mlp.fc1.weight": 0.41, …}, …}}
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MARK = "coefficients"
VERSION = 1


# The largest number that coefficients are computed with (float32), and how much of a value that is none is shown.
_LARGEST = 3.4028234663852886e38
_SHOWN = 40


class BadCoefficients(Exception):  # noqa: N818
    """A file that holds no coefficients; the message says why."""


@dataclass(frozen=True)
class NamedCoefficients:
    """`values[task vector][block]`, and the term of the blocks they are of."""

    partition: Mapping[str, Any]
    values: Mapping[str, Mapping[str, float]]


def write_coefficients(found: NamedCoefficients) -> str:
    """The text of a file."""
    document = {
        "steerlang": MARK,
        "version": VERSION,
        "partition": dict(found.partition),
        "coefficients": {name: dict(own) for name, own in found.values.items()},
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def read_coefficients(document: object) -> NamedCoefficients:
    """What `write_coefficients` wrote, from the value of the JSON. Raises BadCoefficients."""
    if not isinstance(document, dict) or document.get("steerlang") != MARK:
        raise BadCoefficients('it holds no coefficients: `"steerlang": "coefficients"` is missing')
    if document.get("version") != VERSION:
        raise BadCoefficients(f"it is of version {document.get('version')}, and {VERSION} is understood")
    partition, values = document.get("partition"), document.get("coefficients")
    if not isinstance(partition, dict) or not isinstance(values, dict) or not values:
        raise BadCoefficients("`partition` or `coefficients` is missing or empty")
    for name, own in values.items():
        if not isinstance(own, dict):
            raise BadCoefficients(f"`{name}` has no numbers by block")
        for block, value in own.items():
            if not _is_finite(value):
                shown = str(value) if len(str(value)) <= _SHOWN else f"{str(value)[:_SHOWN]}…"
                raise BadCoefficients(f"`{block}` of `{name}` is `{shown}`, which is no finite number")
    return NamedCoefficients(partition, values)


def _is_finite(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= _LARGEST
