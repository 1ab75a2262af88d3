"""Agreement with mergekit 0.1.5 in float32, where it is installed: a check for those who change the methods.

What cannot agree: random masks, and its rescaling of what is kept (to the sum of magnitudes before; the papers divide
by the probability). What agrees needs its weights written with ours: `normalize: true` is `normalize = weights`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from weights_models import Arrays, planned, result

from steerlang.weights.checkpoint import Checkpoint
from steerlang.weights.expression import Composed, Difference, Options, Slerp
from steerlang.weights.planning import plan_edit

pytestmark = pytest.mark.slow
WEIGHTS = (0.5, 0.3, 0.4)
TAUS = tuple(Difference(name, "base") for name in "abc")
CASES: dict[str, tuple[str, dict[str, Any], str, dict[str, Any]]] = {
    "linear": ("task_arithmetic", {"normalize": False}, "linear", {}),
    "ties, normalised": (
        "ties", {"density": 0.3, "normalize": True}, "ties", {"density": 0.3, "normalize": "weights"},
    ),
    "ties": ("ties", {"density": 0.3, "normalize": False}, "ties", {"density": 0.3, "normalize": "none"}),
    "breadcrumbs": (
        "breadcrumbs", {"density": 0.6, "gamma": 0.1, "normalize": False},
        "breadcrumbs", {"density": 0.6, "gamma": 0.1},
    ),
    # The masks of both are random, so they are held against each other where nothing is dropped: the election is left.
    "dare, all kept": ("dare_linear", {"density": 1.0, "normalize": False}, "dare", {"density": 1.0}),
    "dare_ties, all kept": ("dare_ties", {"density": 1.0, "normalize": False}, "dare_ties", {"density": 1.0}),
    "della, all kept": (
        "della", {"density": 1.0, "epsilon": 0.0, "normalize": False}, "della", {"density": 1.0, "epsilon": 0.0},
    ),
}  # fmt: skip


def _mergekit(method: str, tensors: dict[str, Arrays], names: str, **parameters: Any) -> Arrays:
    torch, api = pytest.importorskip("torch"), pytest.importorskip("mergekit.merge_methods.api")
    given = {name: {k: torch.tensor(v) for k, v in tensors[name].items()} for name in ("base", *names)}
    merged = api.merge_state_dicts(given, method, parameters=parameters, base="base")
    return {name: values.numpy() for name, values in merged.items()}


@pytest.mark.parametrize("case", CASES)
def test_agrees(models: dict[str, Checkpoint], tensors: dict[str, Arrays], case: str) -> None:
    theirs, parameters, ours, options = CASES[case]
    weights = dict(zip("abc", WEIGHTS, strict=True))
    want = _mergekit(theirs, tensors, "abc", weight=weights, **parameters)
    found = result(planned(models, Composed(TAUS, WEIGHTS, ours, Options(**options))))  # type: ignore[arg-type]
    for name, values in want.items():
        np.testing.assert_allclose(found[name], values, rtol=0, atol=1e-6, err_msg=name)


def test_slerp_agrees(models: dict[str, Checkpoint], tensors: dict[str, Arrays]) -> None:
    want = _mergekit("slerp", tensors, "a", t=0.3)
    found = result(plan_edit(Slerp("base", "a", 0.3), models))
    for name, values in want.items():
        np.testing.assert_allclose(found[name], values, rtol=0, atol=2e-6, err_msg=name)
