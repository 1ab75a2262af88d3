"""Vector operations against the formulas written out, on small random vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from steerlang.engine.errors import OperationError
from steerlang.engine.operation import Task
from steerlang.engine.payload import Payload
from steerlang.graph.node import Node
from steerlang.operations.table import OPERATIONS
from steerlang.operations.vector import SteeringVector

LAYERS, WIDTH = (1, 2, 5), 4


def vector(seed: int, directions: Any = None) -> SteeringVector:
    random = np.random.default_rng(seed)
    drawn = random.normal(size=(len(LAYERS), WIDTH)).astype(np.float32)
    return SteeringVector(
        LAYERS,
        drawn if directions is None else np.asarray(directions, dtype=np.float32),
        random.uniform(1, 2, len(LAYERS)).astype(np.float32),
        {"select": "residual"},
        {"select": "last"},
        {"id": "m", "identity": "x"},
        {"name": "mean_difference", "version": 1, "options": {}},
        {"direction_norm": [1.0, 2.0, 3.0], "held_out_auc": None},
        {"pairs": 3},
    )


def carry_out(operation: str, given: Sequence[Payload], **options: Any) -> Payload:
    """One node on given inputs."""
    inputs = tuple(Node("given", 1, {"i": i}, (), "vector") for i in range(len(given)))
    values = {n.key: p for n, p in zip(inputs, given, strict=True)}
    node = Node(operation, 1, options, inputs, "vector")
    ((_, payload),) = OPERATIONS[operation].run([Task(node, lambda n: values[n.key])], None)  # type: ignore[arg-type]
    return payload


def directions(operation: str, *vectors: SteeringVector, **options: Any) -> np.ndarray:
    return SteeringVector.of(carry_out(operation, [v.payload() for v in vectors], **options)).directions


A, B = vector(1), vector(2)


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.sqrt((x.astype(np.float64) ** 2).sum(1, keepdims=True))


def test_sum() -> None:
    found = directions("vector.sum", A, B, weights=[2.0, -0.5])
    np.testing.assert_allclose(found, 2 * A.directions - 0.5 * B.directions, rtol=1e-6)


def test_mix() -> None:
    found = directions("vector.mix", A, B, weights=[1.0, 3.0])
    np.testing.assert_allclose(found, (unit(A.directions) + 3 * unit(B.directions)) / 2, rtol=1e-5)


def test_unit() -> None:
    found = directions("vector.unit", A)
    np.testing.assert_allclose(found, unit(A.directions), rtol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-6)


def test_orthogonalize() -> None:
    found = directions("vector.orthogonalize", A, B)
    for layer in range(len(LAYERS)):
        a, b = A.directions[layer].astype(float), B.directions[layer].astype(float)
        np.testing.assert_allclose(found[layer], a - (a @ b) / (b @ b) * b, rtol=1e-4, atol=1e-6)
        assert abs(found[layer] @ b) < 1e-5


def test_random_like_has_the_norms_and_depends_on_seed_and_layer_alone() -> None:
    found = directions("vector.random_like", A, seed=3)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), np.linalg.norm(A.directions, axis=1), rtol=1e-5)
    assert (directions("vector.random_like", A, seed=4) != found).any()
    part = directions("vector.random_like", A.at((2, 5)), seed=3)
    np.testing.assert_allclose(part, found[1:], rtol=1e-6)
    other = directions("vector.random_like", B, seed=3)
    np.testing.assert_allclose(unit(other), unit(found), rtol=1e-5)


def test_random_like_at_right_angles() -> None:
    found = directions("vector.random_like", A, seed=3, orthogonal=True)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), np.linalg.norm(A.directions, axis=1), rtol=1e-5)
    assert np.abs((unit(found) * unit(A.directions)).sum(1)).max() < 1e-6
    plain = directions("vector.random_like", A, seed=3).astype(float)
    along = (plain * unit(A.directions)).sum(1, keepdims=True) * unit(A.directions)
    np.testing.assert_allclose(unit(found), unit(plain - along), atol=1e-5)


def test_random_directions_look_random() -> None:
    wide = SteeringVector((0,), np.ones((1, 4000), np.float32), np.ones(1, np.float32), {}, {}, {}, {}, {}, {})
    found = directions("vector.random_like", wide, seed=0)[0]
    assert abs(found.mean()) < 0.05
    assert 0.95 < found.std() < 1.05


def test_restrict() -> None:
    kept = SteeringVector.of(carry_out("vector.restrict", [A.payload()], layers=[1, 5]))
    assert kept.layers == (1, 5)
    np.testing.assert_array_equal(kept.directions, A.directions[[0, 2]])
    np.testing.assert_array_equal(kept.state_norms, A.state_norms[[0, 2]])
    assert kept.report == {"direction_norm": [1.0, 3.0], "held_out_auc": None}


@pytest.mark.parametrize("operation", ["vector.unit", "vector.mix", "vector.orthogonalize"])
def test_a_zero_direction_has_no_unit(operation: str) -> None:
    zero = vector(1, [[1, 0, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1]])
    given = {"vector.unit": [zero], "vector.mix": [A, zero], "vector.orthogonalize": [A, zero]}[operation]
    options = {"weights": [1.0, 1.0]} if operation == "vector.mix" else {}
    with pytest.raises(OperationError) as caught:
        directions(operation, *given, **options)
    assert caught.value.diagnostic.code.id == "SL811"
    assert "layer 2" in caught.value.diagnostic.message


def test_what_is_derived_keeps_its_place_and_says_how_it_was_made() -> None:
    found = SteeringVector.of(carry_out("vector.sum", [A.payload(), B.payload()], weights=[1.0, 1.0]))
    assert (found.site, found.tokens, found.model, found.layers) == (A.site, A.tokens, A.model, A.layers)
    assert found.method["name"] == "vector.sum"
    assert len(found.method["of"]) == 2  # type: ignore[arg-type]
    assert found.report == {}


def test_a_vector_comes_back_from_its_stored_form() -> None:
    back = SteeringVector.of(A.payload())
    np.testing.assert_array_equal(back.directions, A.directions)
    assert (back.layers, back.site, back.method, back.report, back.provenance) == (
        A.layers,
        A.site,
        A.method,
        A.report,
        A.provenance,
    )


def test_largest_projections_stay_with_multiples_alone() -> None:
    known = replace(A, max_projections=np.array([3.0, 4.0, 5.0], np.float32))

    def largest(operation: str, *vectors: SteeringVector, **options: Any) -> Any:
        return SteeringVector.of(carry_out(operation, [v.payload() for v in vectors], **options)).max_projections

    np.testing.assert_array_equal(largest("vector.sum", known, weights=[-2.0]), [3, 4, 5])
    np.testing.assert_array_equal(largest("vector.unit", known), [3, 4, 5])
    np.testing.assert_array_equal(largest("vector.restrict", known, layers=[5]), [5])
    assert largest("vector.sum", known, B, weights=[1.0, 1.0]) is None
    assert largest("vector.orthogonalize", known, B) is None
    assert largest("vector.random_like", known, seed=0) is None


def test_broadcast() -> None:
    """The norms of the states are those of each layer, and 0 where the vector was not read."""
    found = SteeringVector.of(carry_out("vector.broadcast", [A.payload()], layer=2, layers=[0, 1, 2, 3, 5]))
    assert found.layers == (0, 1, 2, 3, 5)
    np.testing.assert_array_equal(found.directions, np.tile(A.directions[1], (5, 1)))
    first, second, third = A.state_norms
    np.testing.assert_array_equal(found.state_norms, np.asarray([0, first, second, 0, third], np.float32))
    assert found.max_projections is None
    assert found.logits is None
