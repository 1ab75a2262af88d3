"""Files of coefficients: what is written is read back, and what is no such file is said to be none."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steerlang.data.coefficients import BadCoefficients, NamedCoefficients, read_coefficients, write_coefficients

NUMBERS = st.floats(allow_nan=False, allow_infinity=False, width=32)
GOOD: dict[str, Any] = {
    "steerlang": "coefficients", "version": 1, "partition": {"is": "Blocks", "by": "all"},
    "coefficients": {"t": {"all": 0.5}},
}  # fmt: skip


@given(st.dictionaries(st.text(min_size=1), st.dictionaries(st.text(min_size=1), NUMBERS), min_size=1))
def test_what_is_written_is_read_back(values: dict[str, dict[str, float]]) -> None:
    found = read_coefficients(json.loads(write_coefficients(NamedCoefficients({"is": "Blocks"}, values))))
    assert found.values == values
    assert list(found.values) == list(values)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"steerlang": "metric"}, "holds no coefficients"),
        ({"version": 2}, "version 2"),
        ({"coefficients": {}}, "missing or empty"),
        ({"coefficients": {"t": 0.5}}, "no numbers by block"),
        ({"coefficients": {"t": {"all": "much"}}}, "no finite number"),
        ({"coefficients": {"t": {"all": float("nan")}}}, "no finite number"),
        ({"coefficients": {"t": {"all": True}}}, "no finite number"),
        ({"coefficients": {"t": {"all": 10**400}}}, "`1000000000000000000000000000000000000000…`, which is no finite"),
        ({"coefficients": {"t": {"all": 1e300}}}, "no finite number"),
    ],
)
def test_what_is_no_file_of_coefficients(change: dict[str, Any], said: str) -> None:
    with pytest.raises(BadCoefficients, match=said):
        read_coefficients(GOOD | change)


def test_other_json() -> None:
    with pytest.raises(BadCoefficients):
        read_coefficients([1, 2])
