"""What gates compare, and what schedules multiply by: the formulas, computed another way."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from steerlang.kernels import gates, schedules

H = torch.randn(3, 5, 7, generator=torch.Generator().manual_seed(0))
V = torch.randn(7, generator=torch.Generator().manual_seed(1))
UNIT = V / V.norm()


def test_cosine() -> None:
    wanted = torch.nn.functional.cosine_similarity(H, V.expand_as(H), dim=-1)
    torch.testing.assert_close(gates.cosine(H, UNIT), wanted)
    assert gates.cosine(torch.zeros(2, 7), UNIT).tolist() == [0.0, 0.0]


def test_cast_is_the_published_formula() -> None:
    """cos(h, tanh(P h)) with P = ccᵀ/(c·c) as a matrix, in float64 (activation-steering, `LeashLayer`)."""
    h, c = H.double().numpy(), V.double().numpy()
    projector = np.outer(c, c) / (c @ c)
    for row in h.reshape(-1, 7):
        projected = np.tanh(projector @ row)
        wanted = (row @ projected) / (np.linalg.norm(row) * np.linalg.norm(projected))
        found = gates.cast(torch.from_numpy(row).float(), UNIT)
        assert float(found) == pytest.approx(wanted, rel=1e-5)


def test_cast_does_not_depend_on_the_sign_or_the_length_of_the_condition() -> None:
    torch.testing.assert_close(gates.cast(H, UNIT), gates.cast(H, -UNIT))


def test_projection_and_probability() -> None:
    along = H @ V / V.norm()
    torch.testing.assert_close(gates.projection(H, UNIT), along)
    torch.testing.assert_close(gates.probability(H, UNIT, 2.0, -0.5), 1 / (1 + torch.exp(-(2 * along - 0.5))))


def test_half_precision_is_computed_in_float32() -> None:
    half = H.bfloat16()
    for quantity in (gates.cosine, gates.cast, gates.projection):
        assert torch.equal(quantity(half, UNIT), quantity(half.float(), UNIT))


@given(st.lists(st.lists(st.booleans(), min_size=5, max_size=5), min_size=3, max_size=3))
def test_means_are_over_the_marked_tokens_whatever_the_others_hold(marks: list[list[bool]]) -> None:
    where = torch.tensor(marks)
    dirty = torch.where(where[..., None], H, float("nan"))
    for row in range(3):
        kept = H[row][where[row]]
        wanted = kept.mean(0) if len(kept) else torch.zeros(7)
        torch.testing.assert_close(gates.mean_over(dirty, where)[row], wanted)


T = torch.arange(0, 200, dtype=torch.float32)


def test_linear() -> None:
    wanted = [1.5 + (0.25 - 1.5) * min(t / 64, 1) for t in range(200)]
    np.testing.assert_allclose(schedules.linear(T, 1.5, 0.25, 64).numpy(), wanted, rtol=1e-5)
    ends = schedules.linear(torch.tensor([0.0, 64.0, 1000.0]), 0.3, 0.1, 64)
    assert torch.equal(ends, torch.tensor([0.3, 0.1, 0.1]))


def test_cosine_schedule() -> None:
    wanted = [0.5 + 0.5 * 0.5 * (1 + math.cos(math.pi * min(t / 50, 1))) for t in range(200)]
    np.testing.assert_allclose(schedules.cosine(T, 50, 0.5).numpy(), wanted, rtol=1e-5)


def test_exponential() -> None:
    wanted = [0.2 + 0.8 * 0.5 ** (t / 8) for t in range(200)]
    np.testing.assert_allclose(schedules.exponential(T, 8, 0.2).numpy(), wanted, rtol=1e-5)


def test_window_holds_its_first_token_and_not_its_end() -> None:
    assert schedules.window(T, 3, 6).nonzero()[:, 0].tolist() == [3, 4, 5]


def test_the_nearest_of_some_rows() -> None:
    h, u = torch.randn(5, 7, 16), torch.randn(4, 16)
    rows = torch.cat([u, -0.5 * (u**2).sum(1, keepdim=True)], dim=1)
    found = gates.nearest(h, rows)
    assert found.shape == (5, 7)
    assert torch.equal(found, torch.cdist(h, u.expand(5, 4, 16)).argmin(-1).float())
    along = gates.nearest(h, torch.cat([u, torch.zeros(4, 1)], dim=1))
    assert torch.equal(along, (h @ u.T).argmax(-1).float())
    assert gates.nearest(h.half(), rows).dtype is torch.float32
