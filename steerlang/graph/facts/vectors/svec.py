"""CAST's `.svec` files (Lee et al., 2024, IBM/activation-steering): JSON with directions by layer.

The direction at `"7"` was read at the output of block 7, from 0: the layer is 7. That tool itself adds it to the
*input* of block 7, which is the output of block 6.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from steerlang.graph.facts.promise import VectorFacts

from .own import said
from .problems import COPY, VectorFileError, one_width

_LARGEST = 1 << 30


def read(path: Path, name: str) -> VectorFacts:
    """The facts of a `.svec` file. Raises VectorFileError."""
    found = parsed(path)
    rows = directions(found)
    own = said(found.get("steerlang"), sorted(rows))
    hint = found.get("model_type")
    return VectorFacts(
        path, name, "svec", own.layers, one_width({layer: len(row) for layer, row in rows.items()}), own.site,
        own.document, hint if isinstance(hint, str) else "", values=own.values,
    )  # fmt: skip


def parsed(path: Path) -> dict[str, Any]:
    """What a `.svec` file holds. Raises VectorFileError."""
    if path.stat().st_size > _LARGEST:
        raise VectorFileError("is JSON of more than 1 GiB", "give the vector as safetensors or GGUF")
    try:
        found = json.loads(path.read_bytes().decode("utf-8"))
    except UnicodeDecodeError:
        raise VectorFileError("is not UTF-8 text", COPY) from None
    except RecursionError:
        raise VectorFileError("is no vector: it is nested too deeply", COPY) from None
    except ValueError as problem:
        raise VectorFileError(f"is truncated or damaged: {problem}", COPY) from None
    if not isinstance(found, dict) or not isinstance(found.get("directions"), Mapping):
        raise VectorFileError("is JSON without `directions`, so no `.svec` file", "give a file that CAST's tool wrote")
    return found


def directions(found: Mapping[str, Any]) -> dict[int, list[float]]:
    """The directions by layer. Raises VectorFileError."""
    rows: dict[int, list[float]] = {}
    for key, row in found["directions"].items():
        if not key.isdecimal():
            raise VectorFileError(f"has a direction of the layer `{key}`", "layers are whole numbers from 0")
        if not isinstance(row, list) or not all(type(x) in (int, float) for x in row):
            raise VectorFileError(f"has no list of numbers at layer {key}", COPY)
        if not all(map(math.isfinite, row)):
            raise VectorFileError(f"has numbers that are not finite at layer {key}", "make the vector anew")
        rows[int(key)] = row
    return rows
