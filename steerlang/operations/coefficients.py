"""Learned coefficients as results: one number a task vector and block, by name, with how they were found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steerlang.engine.payload import Payload
from steerlang.graph.node import Json, Node

KIND = "coefficients"


@dataclass(frozen=True)
class Coefficients:
    """Λ: `values` [n, m] float32, row i the task vector `vectors[i]`, column j the block `blocks[j]`.

    partition  the term of the blocks (`weights.blocks.Blocks`), by which a model's tensors fall into them
    history    one record a step: `step`, `loss`, and what else was measured there
    found      how they were found: objective, settings, what was selected and why, whether a constraint could be met
    """

    vectors: tuple[str, ...]
    blocks: tuple[str, ...] = field(repr=False)
    values: NDArray[np.float32] = field(repr=False)
    partition: Mapping[str, Json] = field(repr=False)
    history: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)
    found: Mapping[str, Json] = field(default_factory=dict, repr=False)

    def payload(self) -> Payload:
        """As it is stored: without the names of the task vectors, which are no part of what was computed."""
        meta: dict[str, Json] = {
            "blocks": list(self.blocks), "partition": dict(self.partition), "found": dict(self.found),
        }  # fmt: skip
        values = np.ascontiguousarray(self.values, np.float32)
        return Payload(KIND, meta, {"values": values}, tuple(dict(r) for r in self.history))

    @classmethod
    def of(cls, payload: Payload, node: Node) -> Coefficients:
        """The result of a `learn` or `search` node, named as the program names its task vectors."""
        meta: Any = payload.meta
        values = np.array(payload.tensors["values"], np.float32)
        return cls(names_of(node), tuple(meta["blocks"]), values, meta["partition"], payload.rows, meta["found"])

    def term(self, vector: int) -> Json:
        """The coefficients of one task vector as a term of `weights.expression`."""
        pairs: list[Json] = [[name, float(x)] for name, x in zip(self.blocks, self.values[vector], strict=True)]
        return {"is": "ByBlock", "blocks": dict(self.partition), "values": pairs}

    def by_vector(self) -> dict[str, dict[str, float]]:
        """`[task vector][block]`, as a model card and `coefficients_file` write them."""
        return {
            name: {block: float(x) for block, x in zip(self.blocks, row, strict=True)}
            for name, row in zip(self.vectors, self.values, strict=True)
        }

    def __getitem__(self, vector: str) -> dict[str, float]:
        return self.by_vector()[vector]


def names_of(node: Node) -> tuple[str, ...]:
    """What the task vectors of a `learn` or `search` node are called, each by another name."""
    found: list[str] = []
    for name in node.locators["vectors"].split("\n"):
        twin = sum(other == name or other.startswith(f"{name} (") for other in found)
        found.append(f"{name} ({twin + 1})" if twin else name)
    return tuple(found)
