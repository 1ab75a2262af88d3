"""A steering vector: directions by layer, with everything needed to know what they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from steerlang.engine.payload import Payload
from steerlang.graph.node import Json

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

KIND = "vector"


@dataclass(frozen=True, eq=False)
class SteeringVector:
    """Directions read from a model.

    layers       decoder blocks, from 0, ascending
    directions   float32 `[L, D]`, one row a layer, in units of the states they were read from
    state_norms  float32 `[L]`: mean norm of the states at the same place; what `unit = residual` scales by
    site         where in the block they were read
    tokens       which tokens were read
    model        id and digest of the weights they were read from
    method       how they were made: method with version and options, or the arithmetic
    report       how good the extraction is, by layer (see `steerlang.kernels.quality`); empty for derived vectors
    """

    layers: tuple[int, ...]
    directions: NDArray[np.float32]
    state_norms: NDArray[np.float32]
    site: Json
    tokens: Json
    model: Mapping[str, Json]
    method: Mapping[str, Json]
    report: Mapping[str, list[float] | None] = field(default_factory=dict)
    provenance: Mapping[str, Json] = field(default_factory=dict)

    @property
    def width(self) -> int:
        return int(self.directions.shape[1])

    @property
    def norms(self) -> NDArray[np.float32]:
        """Length of each direction, `[L]`."""
        import numpy

        return numpy.asarray(numpy.linalg.norm(self.directions, axis=1), dtype=numpy.float32)

    def at(self, layers: tuple[int, ...]) -> SteeringVector:
        """The vector at some of its layers."""
        places = [self.layers.index(x) for x in layers]
        report = {k: v if v is None else [v[i] for i in places] for k, v in self.report.items()}
        return replace(
            self, layers=layers, directions=self.directions[places], state_norms=self.state_norms[places], report=report
        )

    def derived(self, directions: NDArray[np.float32], method: Mapping[str, Json]) -> SteeringVector:
        """A vector computed from this one: the same place, other directions, no extraction report."""
        return replace(self, directions=directions, method=method, report={})

    def payload(self) -> Payload:
        """The form it is stored in."""
        meta: dict[str, Any] = {
            "layers": list(self.layers),
            "site": self.site,
            "tokens": self.tokens,
            "model": dict(self.model),
            "method": dict(self.method),
            "report": dict(self.report),
            "provenance": dict(self.provenance),
        }
        return Payload(KIND, meta, {"directions": self.directions, "state_norms": self.state_norms})

    @classmethod
    def of(cls, payload: Payload) -> SteeringVector:
        import numpy

        meta: Mapping[str, Any] = payload.meta
        return cls(
            tuple(meta["layers"]),
            numpy.asarray(payload.tensors["directions"]),
            numpy.asarray(payload.tensors["state_norms"]),
            meta["site"],
            meta["tokens"],
            meta["model"],
            meta["method"],
            meta["report"],
            meta["provenance"],
        )
