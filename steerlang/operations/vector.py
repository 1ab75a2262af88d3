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
    max_projections  float32 `[L]`: the largest |h·v̂| of the states it was read from, v̂ the direction at length 1; what
                 `unit = max_activation` scales by. None where it is not known: vectors combined of several
    logits       float32 `[L, 2]`, scale a and intercept b of a trained probe: σ(a h·v̂ + b) is the probability of the
                 target side; None for other vectors
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
    max_projections: NDArray[np.float32] | None = None
    logits: NDArray[np.float32] | None = None

    @property
    def width(self) -> int:
        return int(self.directions.shape[1])

    @property
    def norms(self) -> NDArray[np.float32]:
        """Length of each direction, `[L]`."""
        import numpy

        with numpy.errstate(over="ignore"):  # a length beyond float32 is infinite, and not a word on the side
            return numpy.asarray(numpy.linalg.norm(self.directions, axis=1), dtype=numpy.float32)

    def at(self, layers: tuple[int, ...]) -> SteeringVector:
        """The vector at some of its layers."""
        places = [self.layers.index(x) for x in layers]
        largest = None if self.max_projections is None else self.max_projections[places]
        report = {k: v if v is None else [v[i] for i in places] for k, v in self.report.items()}
        return replace(
            self,
            layers=layers,
            directions=self.directions[places],
            state_norms=self.state_norms[places],
            report=report,
            max_projections=largest,
            logits=None if self.logits is None else self.logits[places],
        )

    def derived(
        self, directions: NDArray[np.float32], method: Mapping[str, Json], same_lines: bool = False
    ) -> SteeringVector:
        """A vector computed from this one: the same place, other directions, no extraction report.

        `same_lines`: each direction is a multiple of what it was, so the states' largest projections still hold.
        """
        largest = self.max_projections if same_lines else None
        return replace(self, directions=directions, method=method, report={}, max_projections=largest, logits=None)

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
        tensors = {"directions": self.directions, "state_norms": self.state_norms}
        if self.max_projections is not None:
            tensors["max_projections"] = self.max_projections
        if self.logits is not None:
            tensors["logits"] = self.logits
        return Payload(KIND, meta, tensors)

    @classmethod
    def of(cls, payload: Payload) -> SteeringVector:
        import numpy

        meta: Mapping[str, Any] = payload.meta
        largest, logits = payload.tensors.get("max_projections"), payload.tensors.get("logits")
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
            None if largest is None else numpy.asarray(largest),
            None if logits is None else numpy.asarray(logits),
        )
