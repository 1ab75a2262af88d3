"""What there is to see of vectors: lengths, cosines, quality, tokens. Plain values; text, JSON and plots show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .findings import VectorTable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Words = tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Tokens:
    """The tokens nearest to a direction under the unembedding, with their scores: raised by it, and lowered."""

    layer: int
    raised: Words
    lowered: Words


@dataclass(frozen=True)
class Inspected:
    """One vector.

    table    lengths, norms of the states, quality by layer, and what it is
    cosines  between its directions, by layer and layer (None where one of them has no length)
    tokens   by layer; empty where no model was asked
    """

    table: VectorTable
    cosines: tuple[tuple[float | None, ...], ...]
    tokens: tuple[Tokens, ...] = ()

    @property
    def shares(self) -> tuple[float | None, ...]:
        """Length of each direction as a share of the states' mean norm; None where that is not known."""
        norms = self.table.state_norms
        return tuple(n / s if s else None for n, s in zip(self.table.norms, norms, strict=True))

    @property
    def to_next(self) -> tuple[float | None, ...]:
        """The cosine of each direction with that of the next layer the vector has."""
        rows = [self.cosines[i][i + 1] for i in range(len(self.cosines) - 1)]
        return (*rows, None)


@dataclass(frozen=True)
class Between:
    """The cosines of two vectors at the layers both have; none where their widths differ."""

    first: str
    second: str
    layers: tuple[int, ...]
    cosines: tuple[float | None, ...]


@dataclass(frozen=True)
class Inspection:
    vectors: tuple[Inspected, ...]
    between: tuple[Between, ...] = ()
    model: str = ""


def inspected(table: VectorTable, directions: NDArray[np.float32], tokens: Sequence[Tokens] = ()) -> Inspected:
    """One vector, from its directions `[L, D]`."""
    return Inspected(table, _matrix(directions, directions), tuple(tokens))


def between(
    names: Sequence[str], layers: Sequence[tuple[int, ...]], rows: Sequence[NDArray[np.float32]]
) -> list[Between]:
    """Every pair of some vectors, given by name, layers and directions."""
    found = []
    for i in range(len(names)):
        for j in range(i + 1, len(names)):
            common = tuple(x for x in layers[i] if x in layers[j])
            if rows[i].shape[1] != rows[j].shape[1]:
                common = ()
            a, b = (rows[n][[layers[n].index(x) for x in common]] for n in (i, j))
            matrix = _matrix(a, b)
            found.append(Between(names[i], names[j], common, tuple(matrix[k][k] for k in range(len(common)))))
    return found


def _matrix(a: NDArray[np.float32], b: NDArray[np.float32]) -> tuple[tuple[float | None, ...], ...]:
    """cos(a_i, b_j)."""
    import numpy

    if not len(a) or not len(b):
        return ()
    one, two = a.astype(numpy.float64), b.astype(numpy.float64)
    lengths = numpy.linalg.norm(one, axis=1)[:, None] * numpy.linalg.norm(two, axis=1)[None]
    with numpy.errstate(divide="ignore", invalid="ignore"):
        cosines = numpy.clip(one @ two.T / lengths, -1.0, 1.0)
    return tuple(tuple(float(x) if numpy.isfinite(x) else None for x in row) for row in cosines)


def inspection_document(found: Inspection) -> dict[str, Any]:
    """All of it as JSON values."""
    return {
        "model": found.model or None,
        "vectors": [_document(v) for v in found.vectors],
        "between": [
            {"first": b.first, "second": b.second, "layers": list(b.layers), "cosines": list(b.cosines)}
            for b in found.between
        ],
    }


def _document(vector: Inspected) -> dict[str, Any]:
    table = vector.table
    return {
        "name": table.name,
        "layers": list(table.layers),
        "norms": list(table.norms),
        "state_norms": [n or None for n in table.state_norms],
        "shares": list(vector.shares),
        "cosines": [list(row) for row in vector.cosines],
        "quality": {name: list(values) for name, values in (table.quality or {}).items()},
        "facts": dict(table.facts or {}),
        "tokens": [{"layer": t.layer, "raised": _words(t.raised), "lowered": _words(t.lowered)} for t in vector.tokens],
    }


def _words(words: Words) -> list[dict[str, Any]]:
    return [{"token": token, "score": score} for token, score in words]


QUALITY_HEADS: Mapping[str, str] = {
    "held_out_auc": "held-out AUC",
    "split_half_cosine": "split-half cosine",
    "cosine_to_mean_difference": "to mean difference",
    "variance_explained": "variance explained",
}
