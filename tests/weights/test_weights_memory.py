"""Memory does not grow with tensors or with the number of task vectors."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from weights_models import model, planned

from steerlang.weights.checkpoint import Checkpoint
from steerlang.weights.expression import Composed, Difference
from steerlang.weights.receipt import Sums
from steerlang.weights.streaming import Streams

COUNT = 3 << 20


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Checkpoint]:
    """A tensor of 12 MiB."""
    folder, chance = tmp_path_factory.mktemp("large"), np.random.default_rng(0)
    base = chance.standard_normal((COUNT // 512, 512), np.float32)
    tuned = base + np.float32(0.01) * chance.standard_normal(base.shape, np.float32)
    made = {name: model(folder / name, {"w.weight": t}, config=None) for name, t in (("base", base), ("a", tuned))}
    return {"base": made["base"], **{f"a{i}": made["a"] for i in range(64)}}


@pytest.mark.parametrize("method", ["linear", "ties", "dare_ties", "della", "breadcrumbs", "consensus"])
@pytest.mark.parametrize("vectors", [2, 16])
def test_peak(large: dict[str, Checkpoint], method: str, vectors: int) -> None:
    if method == "della" and vectors > 2:
        pytest.skip("sorting takes long")
    taus = tuple(Difference(f"a{i}", "base") for i in range(vectors))
    plan = planned(large, Composed(taus, (0.1,) * vectors, method))  # type: ignore[arg-type]
    streams = Streams(plan)
    sums = Sums({vector: number for number, vector in enumerate(streams.vectors)})
    tracemalloc.start()
    try:
        for _ in streams.stream(plan.outputs[0], sums):
            pass
        # One task vector as a whole would be 12 MiB.
        assert tracemalloc.get_traced_memory()[1] < 12 * 2**20
    finally:
        tracemalloc.stop()
