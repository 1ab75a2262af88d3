"""Every method against an independent computation on whole arrays."""

from __future__ import annotations

import numpy as np
import pytest
from weights_models import Arrays, planned, result

from steerlang.weights import randomness
from steerlang.weights.checkpoint import Checkpoint
from steerlang.weights.coefficients import Rules
from steerlang.weights.errors import WeightsError
from steerlang.weights.expression import Composed, Difference, Options, Slerp, Sum, Top, canonical
from steerlang.weights.patterns import glob
from steerlang.weights.planning import plan_edit

A, B, C = (Difference(name, "base") for name in "abc")
WEIGHTS = (0.5, 0.3, -0.2)
Models = dict[str, Checkpoint]


def _taus(tensors: dict[str, Arrays], name: str) -> np.ndarray:
    return np.stack([(tensors[k][name] - tensors["base"][name]).astype(np.float32) for k in "abc"])


def _composed(models: Models, method: str, **options: object) -> Arrays:
    return result(planned(models, Composed((A, B, C), WEIGHTS, method, Options(**options))), chunk=37)


def _check(found: Arrays, tensors: dict[str, Arrays], expected: object) -> None:
    for name, base in tensors["base"].items():
        want = base + expected(_taus(tensors, name), name)  # type: ignore[operator]
        np.testing.assert_allclose(found[name], want, rtol=0, atol=2e-6, err_msg=name)


def _trim(tau: np.ndarray, density: float) -> np.ndarray:
    flat = np.sort(np.abs(tau).reshape(-1))[::-1]
    return tau * (np.abs(tau) >= flat[max(1, int(density * flat.size)) - 1])


def _elect(parts: np.ndarray, normalize: str) -> np.ndarray:
    w = np.array(WEIGHTS).reshape(-1, *[1] * (parts.ndim - 1))
    weighted = parts * w
    agree = np.sign(weighted) == np.where(weighted.sum(0) >= 0, 1, -1)
    total = (weighted * agree).sum(0)
    if normalize == "none":
        return total
    mass = (agree * (w if normalize == "weights" else 1)).sum(0)
    return total / np.where(mass == 0, 1, mass)


def _masks(taus: np.ndarray, name: str, seed: int, probability: np.ndarray | float) -> np.ndarray:
    words = [
        randomness.words(randomness.key_of(seed, canonical(v), name), 0, taus[0].size).reshape(taus[0].shape)
        for v in (A, B, C)
    ]
    return np.stack(words) * 2.0**-32 < probability


def test_linear(models: Models, tensors: dict[str, Arrays]) -> None:
    expected = lambda taus, name: sum(w * t for w, t in zip(WEIGHTS, taus, strict=True))  # noqa: E731
    _check(_composed(models, "linear"), tensors, expected)
    _check(result(planned(models, 0.5 * A + 0.3 * B - 0.2 * C)), tensors, expected)


@pytest.mark.parametrize("normalize", ["count", "weights", "none"])
def test_ties(models: Models, tensors: dict[str, Arrays], normalize: str) -> None:
    found = _composed(models, "ties", density=0.3, normalize=normalize)
    _check(found, tensors, lambda taus, _: _elect(np.stack([_trim(t, 0.3) for t in taus]), normalize))


def test_ties_over_the_whole_model(models: Models, tensors: dict[str, Arrays]) -> None:
    names = list(tensors["base"])
    flat = [np.concatenate([_taus(tensors, n)[i].reshape(-1) for n in names]) for i in range(3)]
    limits = [np.sort(np.abs(f))[::-1][int(0.3 * f.size) - 1] for f in flat]

    def expected(taus: np.ndarray, _: str) -> np.ndarray:
        return _elect(np.stack([t * (np.abs(t) >= m) for t, m in zip(taus, limits, strict=True)]), "count")

    _check(_composed(models, "ties", density=0.3, scope="all"), tensors, expected)


@pytest.mark.parametrize("rescale", [True, False])
def test_dare(models: Models, tensors: dict[str, Arrays], rescale: bool) -> None:
    def expected(taus: np.ndarray, name: str) -> np.ndarray:
        kept = taus * _masks(taus, name, 7, 0.4) / (0.4 if rescale else 1)
        return sum(w * t for w, t in zip(WEIGHTS, kept, strict=True))

    _check(_composed(models, "dare", density=0.4, seed=7, rescale=rescale), tensors, expected)


def test_dare_ties(models: Models, tensors: dict[str, Arrays]) -> None:
    def expected(taus: np.ndarray, name: str) -> np.ndarray:
        return _elect(taus * _masks(taus, name, 7, 0.4) / 0.4, "none")

    _check(_composed(models, "dare_ties", density=0.4, seed=7), tensors, expected)


def test_della(models: Models, tensors: dict[str, Arrays]) -> None:
    def expected(taus: np.ndarray, name: str) -> np.ndarray:
        ranks = np.abs(taus).argsort(-1, kind="stable").argsort(-1, kind="stable")
        probability = (0.5 - 0.2 + 0.4 * ranks / (taus.shape[-1] - 1)).astype(np.float32)
        return _elect(taus * _masks(taus, name, 0, probability) / probability, "none")

    _check(_composed(models, "della", density=0.5, epsilon=0.2), tensors, expected)


def test_breadcrumbs(models: Models, tensors: dict[str, Arrays]) -> None:
    def crumbs(tau: np.ndarray) -> np.ndarray:
        order = np.sort(np.abs(tau).reshape(-1))
        top = int(0.1 * order.size)
        bottom = order.size - int(0.6 * order.size) - top
        return tau * ((np.abs(tau) >= order[bottom]) & (np.abs(tau) <= order[order.size - 1 - top]))

    found = _composed(models, "breadcrumbs", density=0.6, gamma=0.1)
    _check(found, tensors, lambda taus, _: sum(w * crumbs(t) for w, t in zip(WEIGHTS, taus, strict=True)))


def test_consensus(models: Models, tensors: dict[str, Arrays]) -> None:
    def expected(taus: np.ndarray, _: str) -> np.ndarray:
        votes = (np.abs(taus) >= 0.5 * np.abs(taus.sum(0) - taus)).sum(0)
        return (votes >= 2) * sum(w * t for w, t in zip(WEIGHTS, taus, strict=True))

    _check(_composed(models, "consensus", agree=2, strictness=0.5), tensors, expected)


def test_top(models: Models, tensors: dict[str, Arrays]) -> None:
    found = result(planned(models, 2.0 * Top(A - B, 0.25)), chunk=11)
    _check(found, tensors, lambda taus, _: 2 * _trim((taus[0] - taus[1]).astype(np.float32), 0.25))


def test_slerp(models: Models, tensors: dict[str, Arrays]) -> None:
    plan = plan_edit(Slerp("base", "a", Rules(((glob("lm_head.*"), 0.5),), rest=0.25)), models)
    found = result(plan, chunk=37)
    for name in tensors["base"]:
        p, q, t = tensors["base"][name], tensors["a"][name], 0.5 if name == "lm_head.weight" else 0.25
        cosine = float((p.ravel() @ q.ravel()) / np.linalg.norm(p) / np.linalg.norm(q))
        omega = np.arccos(cosine)
        want = (np.sin((1 - t) * omega) * p + np.sin(t * omega) * q) / np.sin(omega)
        np.testing.assert_allclose(found[name], (1 - t) * p + t * q if cosine > 0.9995 else want, atol=2e-6)


def test_composition_nests(models: Models, tensors: dict[str, Arrays]) -> None:
    inner = Composed((A, B), (1.0, 1.0), "ties", Options(density=0.5))
    found = result(planned(models, Sum((0.4 * inner, -0.1 * C))), chunk=100)

    def expected(taus: np.ndarray, _: str) -> np.ndarray:
        parts = np.stack([_trim(t, 0.5) for t in taus[:2]])
        agree = np.sign(parts) == np.where(parts.sum(0) >= 0, 1, -1)
        return 0.4 * (parts * agree).sum(0) / np.maximum(agree.sum(0), 1) - 0.1 * taus[2]

    _check(found, tensors, expected)


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        ("ties", {"density": 2.0}, "`density` is 2.0"),
        ("ties", {"density": -1.0}, "`density` is -1.0"),
        ("ties", {"density": float("nan")}, "`density` is nan"),
        ("ties", {"seed": 1}, "`ties` does not read `seed`"),
        ("linear", {"density": 0.5}, "`linear` does not read `density`"),
        ("dare-ties", {}, "`dare-ties` is no method"),
        ("breadcrumbs", {"density": 0.9, "gamma": 0.5}, "`gamma` is 0.5"),
        ("della", {"density": 0.1, "epsilon": 0.2}, "`epsilon` is 0.2"),
        ("consensus", {"agree": 4}, "`agree` is 4"),
    ],
)
def test_options_out_of_bounds(models: Models, method: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(WeightsError, match=message):
        _composed(models, method, **options)
