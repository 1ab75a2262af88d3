"""Operators on states: formulas, laws, dtypes."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from steerlang.kernels import steering
from steerlang.kernels.errors import NumericsError

torch.set_num_threads(1)
# Runs share their processors: how long an example takes says nothing.
STEADY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
SEEDS = st.integers(0, 100_000)
DTYPES = st.sampled_from([torch.float32, torch.bfloat16, torch.float16])


def states(seed: int, dtype: torch.dtype = torch.float32) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    size = torch.rand(2, 3, 1, generator=generator) * 20
    return (torch.randn(2, 3, 8, generator=generator) * size).to(dtype)


def vectors(seed: int, n: int = 1) -> Tensor:
    return torch.randn(n, 8, generator=torch.Generator().manual_seed(seed + 1))


def test_add_masked_leaves_the_rest_to_the_bit() -> None:
    h, v = states(0), vectors(0)[0]
    mask = torch.tensor([[1, 0, 1], [0, 0, 1]]).bool()[..., None]
    out = steering.add_masked(h, v, mask.float())
    assert torch.equal(out[~mask[..., 0]], h[~mask[..., 0]])
    assert torch.equal(out[mask[..., 0]], (h + v)[mask[..., 0]])


@settings(STEADY, max_examples=40)
@given(seed=SEEDS, scale=st.floats(-50, 50))
def test_keep_preserves_norms(seed: int, scale: float) -> None:
    h = states(seed)
    out = steering.add_keep(h, scale * vectors(seed)[0])
    torch.testing.assert_close(out.norm(dim=-1), h.norm(dim=-1), rtol=1e-5, atol=1e-5)


@settings(STEADY, max_examples=40)
@given(seed=SEEDS, scale=st.floats(-50, 50))
def test_cap_never_grows_and_is_free_addition_where_the_norm_shrank(seed: int, scale: float) -> None:
    h, delta = states(seed), scale * vectors(seed)[0]
    out, free = steering.add_cap(h, delta), h + delta
    assert (out.norm(dim=-1) <= h.norm(dim=-1) * (1 + 1e-5) + 1e-6).all()
    shrank = free.norm(dim=-1) < h.norm(dim=-1)
    torch.testing.assert_close(out[shrank], free[shrank], rtol=1e-5, atol=1e-5)


@settings(STEADY, max_examples=40)
@given(seed=SEEDS, dtype=DTYPES)
def test_zero_delta_is_the_identity_to_the_bit(seed: int, dtype: torch.dtype) -> None:
    h, zero = states(seed, dtype), torch.zeros(8)
    for operator in (steering.add_keep, steering.add_cap):
        assert torch.equal(operator(h, zero), h)
    assert torch.equal(steering.add(h, zero.to(dtype)), h)


@settings(STEADY, max_examples=40)
@given(seed=SEEDS, weight=st.floats(-3, 3), n=st.integers(1, 3), gain=st.booleans())
def test_rotate_preserves_norms(seed: int, weight: float, n: int, gain: bool) -> None:
    h, units = states(seed), steering.unit_length(vectors(seed, n))
    pushes = weight / n * units
    out = steering.rotate(h, units, pushes) if gain else steering.rotate_plain(h, pushes.sum(0))
    torch.testing.assert_close(out.norm(dim=-1), h.norm(dim=-1), rtol=1e-5, atol=1e-5)


def test_rotate_by_hand() -> None:
    """m = (2, 0) and v along (0, 1) with λ = 1 turns by 45°; v opposite to m doubles its weight."""
    m = torch.tensor([[[2.0, 0.0]]])
    up = torch.tensor([[0.0, 1.0]])
    across = steering.rotate(m, up, up)
    torch.testing.assert_close(across, torch.tensor([[[math.sqrt(2), math.sqrt(2)]]]))
    opposite = torch.tensor([[-1.0, 0.0]])
    torch.testing.assert_close(steering.rotate(m, opposite, 0.6 * opposite), -m)  # 1 − 2·0.6 < 0
    torch.testing.assert_close(steering.rotate_plain(m, 0.6 * opposite), m)  # 1 − 0.6 > 0


@settings(STEADY, max_examples=40)
@given(seed=SEEDS, gain=st.booleans())
def test_scale_a_tenth_turns_by_at_most_the_published_angle(seed: int, gain: bool) -> None:
    """With λ = 0.1 and gain at most 2 the turn is at most arctan-like 11.6°; without gain, 5.8°."""
    h, units = states(seed), steering.unit_length(vectors(seed))
    out = steering.rotate(h, units, 0.1 * units) if gain else steering.rotate_plain(h, 0.1 * units)
    cosine = torch.nn.functional.cosine_similarity(h.double(), out.double(), dim=-1).clamp(-1, 1)
    angle = torch.rad2deg(torch.arccos(cosine)).max()
    assert float(angle) <= (8.2 if gain else 5.8)


def test_vectors_share_the_division_and_zero_vectors_count() -> None:
    h, pair = states(3), vectors(3, 2)
    zero = torch.stack([pair[0], torch.zeros(8)])
    units = steering.unit_length(zero)
    with_zero = steering.rotate(h, units, torch.tensor([[0.2], [0.7]]) / 2 * units)
    alone = steering.rotate(h, units[:1], 0.1 * units[:1])
    torch.testing.assert_close(with_zero, alone)


@settings(STEADY, max_examples=20)
@given(seed=SEEDS, dtype=DTYPES)
def test_dtype_and_shape_stay(seed: int, dtype: torch.dtype) -> None:
    h, v = states(seed, dtype), vectors(seed)
    units = steering.unit_length(v)
    made = [
        steering.add_keep(h, v[0]),
        steering.add_cap(h, v[0]),
        steering.rotate(h, units, units * 0.3),
        steering.rotate_plain(h, units * 0.3),
        steering.ablate(h, units, -units),
        steering.clamp(h, units, torch.tensor(2.0), units),
        steering.replace(h, v[0]),
        steering.towards(h, v[0], torch.full((2, 3, 1), 0.25)),
    ]
    assert all(out.dtype == dtype and out.shape == h.shape for out in made)
    flat = steering.rotate(h.reshape(6, 8), units, units * 0.3)
    assert torch.equal(flat.reshape(2, 3, 8), made[2])


@settings(STEADY, max_examples=30)
@given(seed=SEEDS)
def test_ablation_takes_the_span_out_once_and_for_all(seed: int) -> None:
    h, v = states(seed), vectors(seed, 3)
    v[2] = 2 * v[0] - v[1]  # the span has two dimensions
    basis = steering.orthonormal_basis(v)
    assert basis.shape == (2, 8)
    out = steering.ablate(h, basis, -basis)
    torch.testing.assert_close(out @ v.T, torch.zeros(2, 3, 3), rtol=0, atol=2e-4)
    torch.testing.assert_close(steering.ablate(out, basis, -basis), out, rtol=1e-5, atol=1e-5)
    half = steering.ablate(h, basis, -0.5 * basis)
    torch.testing.assert_close(half, (h + out) / 2, rtol=1e-5, atol=1e-5)


def test_clamp_sets_one_component_and_replace_sets_all() -> None:
    h, unit = states(4), steering.unit_length(vectors(4))
    out = steering.clamp(h, unit, torch.tensor(3.0), unit)
    torch.testing.assert_close(out @ unit[0], torch.full((2, 3), 3.0), rtol=1e-5, atol=1e-5)
    rest = out - (out @ unit[0])[..., None] * unit[0]
    torch.testing.assert_close(rest, h - (h @ unit[0])[..., None] * unit[0], rtol=1e-4, atol=1e-4)
    assert torch.equal(steering.replace(h, unit[0]), unit[0].expand(2, 3, 8))
    half = torch.full((2, 3, 1), 0.5)
    torch.testing.assert_close(steering.clamp(h, unit, torch.tensor(3.0), 0.5 * unit), (h + out) / 2)
    torch.testing.assert_close(steering.clamp(h, unit, torch.tensor(3.0), unit, half), (h + out) / 2)
    torch.testing.assert_close(steering.towards(h, unit[0], half), (h + unit[0]) / 2)


@settings(STEADY, max_examples=30)
@given(seed=SEEDS, dtype=DTYPES)
def test_nothing_changes_its_input_and_recording_gradients_changes_no_result(seed: int, dtype: torch.dtype) -> None:
    """Without gradients results are made in place, on tensors of the operator's own."""
    h, v = states(seed, dtype), vectors(seed, 2)
    units, one = steering.unit_length(v), steering.unit_length(v[:1])
    factor = torch.rand(2, 3, 1, generator=torch.Generator().manual_seed(seed))
    calls = [
        lambda x, f: steering.add_keep(x, v[0], f),
        lambda x, f: steering.add_cap(x, v[0], f),
        lambda x, f: steering.rotate(x, units, 0.3 * units, f),
        lambda x, f: steering.rotate(x, one, 0.3 * one, f),
        lambda x, f: steering.rotate_plain(x, 0.3 * one, f),
        lambda x, f: steering.ablate(x, one, -one, f),
        lambda x, f: steering.clamp(x, one, torch.tensor(1.0), one, f),
    ]
    for call in calls:
        for scheduled in (None, factor):
            leaf = h.float().requires_grad_() if dtype is torch.float32 else h.clone().requires_grad_()
            recorded = call(leaf, scheduled)
            recorded.float().square().sum().backward()
            assert leaf.grad is not None
            before, times = h.clone(), factor.clone()
            with torch.no_grad():
                torch.testing.assert_close(call(h, scheduled), recorded.detach(), rtol=0, atol=0)
            assert torch.equal(h, before)
            assert torch.equal(factor, times)


@settings(STEADY, max_examples=30)
@given(seed=SEEDS)
def test_a_factor_of_each_token_is_the_scale_of_each_token(seed: int) -> None:
    h, v = states(seed), vectors(seed, 2)
    units = steering.unit_length(v)
    factor = torch.rand(2, 3, 1, generator=torch.Generator().manual_seed(seed))
    pairs = [
        (lambda x, s: steering.add_keep(x, s * v[0]), lambda x: steering.add_keep(x, v[0], factor)),
        (lambda x, s: steering.add_cap(x, s * v[0]), lambda x: steering.add_cap(x, v[0], factor)),
        (lambda x, s: steering.rotate(x, units, s * units), lambda x: steering.rotate(x, units, units, factor)),
        (lambda x, s: steering.rotate_plain(x, s * units[:1]), lambda x: steering.rotate_plain(x, units[:1], factor)),
        (lambda x, s: steering.ablate(x, units[:1], -s * units[:1]),
         lambda x: steering.ablate(x, units[:1], -units[:1], factor)),
    ]  # fmt: skip
    for by_scale, by_factor in pairs:
        found = by_factor(h)
        for row in range(2):
            for token in range(3):
                wanted = by_scale(h[row : row + 1, token : token + 1], float(factor[row, token]))
                torch.testing.assert_close(found[row, token], wanted[0, 0], rtol=1e-4, atol=1e-4)


def test_units() -> None:
    v = torch.tensor([[3.0, 4.0], [0.0, 0.0]])
    assert steering.in_unit(v, "raw").tolist() == v.tolist()
    torch.testing.assert_close(steering.in_unit(v, "unit"), torch.tensor([[0.6, 0.8], [0.0, 0.0]]))
    torch.testing.assert_close(
        steering.in_unit(v, "residual", torch.tensor([10.0, 7.0])), torch.tensor([[6.0, 8.0], [0, 0]])
    )
    with pytest.raises(NumericsError, match="mean norm"):
        steering.in_unit(v, "residual")
