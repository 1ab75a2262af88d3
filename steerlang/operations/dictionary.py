"""Dictionaries of concepts and their shifts, with everything needed to know what they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from steerlang.engine.payload import Payload
from steerlang.graph.node import Json

from .vector import SteeringVector

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

KIND = "concepts"
SHIFT = "shift"
#: Methods whose activations are 1/(1 + ‖z − u_k‖).
_BY_DISTANCE = frozenset({"kmeans", "largest_norm"})


@dataclass(frozen=True, eq=False)
class Place:
    """What concepts were read from.

    layer, site  where, and `tokens` which
    state_norm   mean norm of the states: what `unit = residual` scales by
    model        id and digest of the weights
    """

    layer: int
    site: Json
    tokens: Json
    state_norm: float
    model: Mapping[str, Json]

    def vector(self, direction: NDArray[np.float32], method: Mapping[str, Json]) -> SteeringVector:
        """A direction there."""
        import numpy

        rows, norms = numpy.asarray(direction)[None], numpy.asarray([self.state_norm], dtype=numpy.float32)
        return SteeringVector((self.layer,), rows, norms, self.site, self.tokens, self.model, method)

    def document(self) -> dict[str, Any]:
        return {
            "layer": self.layer, "site": self.site, "tokens": self.tokens, "state_norm": self.state_norm,
            "model": dict(self.model),
        }  # fmt: skip

    @classmethod
    def of(cls, meta: Mapping[str, Any]) -> Place:
        return cls(meta["layer"], meta["site"], meta["tokens"], meta["state_norm"], meta["model"])


@dataclass(frozen=True, eq=False)
class ConceptDictionary:
    """K concepts.

    components   float32 `[K, D]`, one row a concept, in the units of its method
    activations  float32 `[N, K]` of N states; None for a shifted dictionary, whose activations were not asked for
    samples      int64 `[N]`: the row of the data each state is of; `positions` which of that row's tokens, from 0
    offset       float32 `[D]`: what is subtracted from states before they are projected (`pca`), else 0
    place        where the states were read, and in which model
    method       the method of decomposition with version and options
    provenance   data, number of states, how many samples lacked the token, share of variance explained
    """

    components: NDArray[np.float32]
    activations: NDArray[np.float32] | None
    samples: NDArray[np.int64] | None
    positions: NDArray[np.int64] | None
    offset: NDArray[np.float32]
    place: Place
    method: Mapping[str, Any]
    provenance: Mapping[str, Any]

    @property
    def k(self) -> int:
        return int(self.components.shape[0])

    @property
    def width(self) -> int:
        return int(self.components.shape[1])

    @property
    def by_distance(self) -> bool:
        """Whether activations are nearness to concepts (`kmeans`, `largest_norm`) and not parts along them."""
        return self.method["name"] in _BY_DISTANCE

    @property
    def counts(self) -> tuple[int, ...]:
        """How many states each concept is the strongest of; empty without activations."""
        if self.activations is None:
            return ()
        import numpy

        found = numpy.bincount(self.activations.argmax(axis=1), minlength=self.k)
        return tuple(int(n) for n in found)

    @property
    def norms(self) -> tuple[float, ...]:
        import numpy

        return tuple(float(n) for n in numpy.linalg.norm(self.components, axis=1))

    def __getitem__(self, index: int) -> SteeringVector:
        """The vector of one concept. Raises IndexError."""
        if not 0 <= index < self.k:
            raise IndexError(f"there is no concept {index}: the dictionary has {self.k}, 0 to {self.k - 1}")
        return self.vector(index)

    def __len__(self) -> int:
        return self.k

    def vector(self, index: int, of: str | None = None) -> SteeringVector:
        made: dict[str, Json] = {"name": "concept", "version": 1, "options": {"index": index}, "of": [of] if of else []}
        return self.place.vector(self.components[index], made)

    def strongest(self, index: int, top: int = 10) -> list[tuple[int, float]]:
        """The samples that activate a concept most, each once: row of the data and activation."""
        if self.activations is None or self.samples is None:
            return []
        import numpy

        values = self.activations[:, index]
        best: dict[int, float] = {}
        for i in numpy.argsort(-values, kind="stable"):
            best.setdefault(int(self.samples[i]), float(values[i]))
            if len(best) == top:
                break
        return list(best.items())

    def moved(self, components: NDArray[np.float32], provenance: Mapping[str, Any]) -> ConceptDictionary:
        """Other concepts under the same numbers; activations are those of nobody yet."""
        return replace(
            self, components=components, activations=None, samples=None, positions=None, provenance=provenance
        )

    def payload(self) -> Payload:
        meta: dict[str, Any] = {
            **self.place.document(), "method": dict(self.method), "provenance": dict(self.provenance),
        }  # fmt: skip
        tensors: dict[str, NDArray[Any]] = {"components": self.components, "offset": self.offset}
        if self.activations is not None and self.samples is not None and self.positions is not None:
            tensors |= {"activations": self.activations, "samples": self.samples, "positions": self.positions}
        return Payload(KIND, meta, tensors)

    @classmethod
    def of(cls, payload: Payload) -> ConceptDictionary:
        import numpy

        meta: Any = payload.meta
        tensors = {name: numpy.asarray(tensor) for name, tensor in payload.tensors.items()}
        return cls(
            tensors["components"], tensors.get("activations"), tensors.get("samples"), tensors.get("positions"),
            tensors["offset"], Place.of(meta), meta["method"], meta["provenance"],
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class ConceptShift:
    """How K concepts move from one model to another.

    delta        float32 `[K, D]`, in units of states; 0 for a concept without samples
    counts       samples of each concept that were found in both models
    consistency  mean cosine of two samples' differences; None for a concept with fewer than two samples
    alignment    mean cosine of a sample's difference to the shift; None without samples
    place        where the states were read, in the model before
    provenance   data, samples in both, how they were assigned and reduced
    """

    delta: NDArray[np.float32]
    counts: tuple[int, ...]
    consistency: tuple[float | None, ...]
    alignment: tuple[float | None, ...]
    place: Place
    provenance: Mapping[str, Any]

    @property
    def k(self) -> int:
        return int(self.delta.shape[0])

    @property
    def magnitude(self) -> tuple[float, ...]:
        """‖Δ_k‖."""
        import numpy

        return tuple(float(n) for n in numpy.linalg.norm(self.delta.astype(numpy.float64), axis=1))

    def __getitem__(self, index: int) -> SteeringVector:
        """The vector of one concept's shift. Raises IndexError."""
        if not 0 <= index < self.k:
            raise IndexError(f"there is no concept {index}: the shift has {self.k}, 0 to {self.k - 1}")
        return self.vector(index)

    def __len__(self) -> int:
        return self.k

    def vector(self, index: int, of: str | None = None) -> SteeringVector:
        made: dict[str, Json] = {"name": "shift", "version": 1, "options": {"index": index}, "of": [of] if of else []}
        return self.place.vector(self.delta[index], made)

    def scaled(self, factor: float) -> ConceptShift:
        """The shift times a number. Cosines keep their meaning; those to a shift that points the other way turn."""
        import numpy

        sign = (factor > 0) - (factor < 0)
        turned = tuple(None if a is None else sign * a for a in self.alignment)
        return replace(self, delta=(numpy.float32(factor) * self.delta), alignment=turned)

    def payload(self) -> Payload:
        import numpy

        meta: dict[str, Any] = {
            **self.place.document(), "counts": list(self.counts), "consistency": list(self.consistency),
            "alignment": list(self.alignment), "provenance": dict(self.provenance),
        }  # fmt: skip
        return Payload(SHIFT, meta, {"delta": numpy.asarray(self.delta, dtype=numpy.float32)})

    @classmethod
    def of(cls, payload: Payload) -> ConceptShift:
        import numpy

        meta: Any = payload.meta
        counts, consistency, alignment = (tuple(meta[name]) for name in ("counts", "consistency", "alignment"))
        delta = numpy.asarray(payload.tensors["delta"])
        return cls(delta, counts, consistency, alignment, Place.of(meta), meta["provenance"])
