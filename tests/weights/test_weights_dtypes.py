"""Stored numbers and float32."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steerlang.weights.dtypes import dtype_code, from_float32, negative_zeros, to_float32
from steerlang.weights.errors import WeightsError


def _exactly(bits: int) -> Fraction:
    return Fraction(float(np.array([bits << 16], np.uint32).view(np.float32)[0]))


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_bfloat16_is_the_nearest_even_on_ties(value: float) -> None:
    got = int(from_float32(np.array([value], np.float32), "BF16")[0])
    magnitude = got & 0x7FFF
    if magnitude == 0x7F80:
        assert abs(value) >= 3.3895313892515355e38 - 1
        return
    error = abs(_exactly(got) - Fraction(value))
    for other in (magnitude - 1, magnitude + 1):
        if 0 <= other < 0x7F80:
            distance = abs(_exactly(other | (got & 0x8000)) - Fraction(value))
            assert error < distance or (error == distance and got % 2 == 0)


def test_bfloat16_keeps_nan_infinity_and_signed_zero() -> None:
    bits = np.array([0x7FFFFFFF, 0xFFFFFFFF, 0x7F800001, 0x7F800000, 0xFF800000, 0x80000000], np.uint32)
    back = to_float32(from_float32(bits.view(np.float32), "BF16"), "BF16")
    assert np.isnan(back[:3]).all()
    assert back[3] == np.inf
    assert back[4] == -np.inf
    assert np.signbit(back[5])
    assert np.signbit(back[1])


def test_every_bfloat16_survives_the_way_there_and_back() -> None:
    every = np.arange(1 << 16, dtype=np.uint32).astype(np.uint16)
    finite = every[(every & 0x7F80) != 0x7F80]
    assert (from_float32(to_float32(finite, "BF16"), "BF16") == finite).all()


@pytest.mark.parametrize("dtype", ["F16", "F32", "F64"])
def test_other_floats_are_numpys(dtype: str) -> None:
    values = np.linspace(-3, 3, 101).astype(np.float32)
    wanted = {"F16": np.float16, "F32": np.float32, "F64": np.float64}[dtype]
    assert (from_float32(values, dtype) == values.astype(wanted)).all()
    assert to_float32(values.astype(wanted), dtype).dtype == np.float32


def test_words_and_codes() -> None:
    assert dtype_code("bfloat16") == dtype_code("BF16") == "BF16"
    with pytest.raises(WeightsError, match="`bf16` is no dtype") as caught:
        dtype_code("bf16")
    assert "bfloat16" in caught.value.help[0]


def test_negative_zeros() -> None:
    assert negative_zeros(np.array([0.0, 1.0], np.float32)) is None
    found = negative_zeros(np.array([0.0, -0.0], np.float32))
    assert found is not None
    assert found.tolist() == [False, True]
