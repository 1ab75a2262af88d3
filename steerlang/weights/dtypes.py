"""Stored numbers and float32: what each safetensors dtype is in numpy, and how one becomes the other.

All arithmetic is float32 on chunks. numpy has no bfloat16; it stands as the `uint16` upper halves of float32 bits:

    read   float32 bits = bits << 16, exact
    write  bits = (u + 0x7fff + ((u >> 16) & 1)) >> 16, u the float32 bits: round to nearest, ties to even; a NaN keeps
           its sign and stays a NaN (the sum above could carry into the exponent), an overflow becomes infinite
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .errors import WeightsError

Float32 = NDArray[np.float32]
Stored = NDArray[Any]

FLOATS: Final = ("F64", "F32", "F16", "BF16")
# What stands in the file. Dtypes of less than a byte, and the floats of 8 bits, are only ever copied.
STORAGE: Final[dict[str, str]] = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "|i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "|u1", "BOOL": "|u1", "C64": "<c8", "F8_E4M3": "|u1",
    "F8_E5M2": "|u1", "F8_E8M0": "|u1", "F8_E4M3FNUZ": "|u1", "F8_E5M2FNUZ": "|u1",
}  # fmt: skip
# How configurations and people write them.
WORDS: Final = {"float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16"}
CONFIG_WORDS: Final = {code: word for word, code in WORDS.items()}


def dtype_code(word: str) -> str:
    """The safetensors code of an output dtype given as `bfloat16` or `BF16`. Raises WeightsError."""
    code = WORDS.get(word, word)
    if code not in FLOATS:
        raise WeightsError(f"`{word}` is no dtype to store weights in", f"write one of {', '.join(WORDS)}")
    return code


def itemsize(dtype: str) -> int:
    """Bytes of one number of a dtype in `STORAGE`."""
    return np.dtype(STORAGE[dtype]).itemsize


def is_float(dtype: str) -> bool:
    """Whether numbers of this dtype can be computed with."""
    return dtype in FLOATS


def is_quantised(dtype: str) -> bool:
    """Whether this dtype stores floats in a byte or less: such numbers mean nothing without their scales."""
    return dtype.startswith(("F8", "F4", "F6"))


def to_float32(stored: Stored, dtype: str) -> Float32:
    """Stored numbers [n] as a new float32 array [n]; exact for F32, F16 and BF16, rounded for F64."""
    if dtype == "BF16":
        wide = stored.astype(np.uint32)
        wide <<= np.uint32(16)
        return wide.view(np.float32)
    if dtype not in FLOATS:
        raise ValueError(f"{dtype} is not a float")
    with np.errstate(over="ignore", invalid="ignore"):
        return stored.astype(np.float32)


def from_float32(values: Float32, dtype: str, *, finite: bool = False) -> Stored:
    """float32 values [n] as they are stored, rounded to nearest, ties to even.

    finite  the caller finds NaN by itself: then it is not looked for, and what is stored for it means nothing
    """
    if dtype == "BF16":
        return _to_bfloat16(values, finite)
    with np.errstate(over="ignore", invalid="ignore"):
        return values.astype(STORAGE[dtype])


def _to_bfloat16(values: Float32, finite: bool) -> NDArray[np.uint16]:
    bits = np.ascontiguousarray(values).view(np.uint32)
    rounded = bits >> np.uint32(16)
    rounded &= np.uint32(1)
    rounded += np.uint32(0x7FFF)
    rounded += bits
    rounded >>= np.uint32(16)
    result: NDArray[np.uint16] = rounded.astype(np.uint16)
    if not finite and np.isnan(values.max(initial=0.0)):
        nan = np.isnan(values)
        result[nan] = (bits[nan] >> np.uint32(16)).astype(np.uint16) | np.uint16(0x0040)
    return result


def negative_zeros(values: Float32) -> NDArray[np.bool_] | None:
    """Where the values are −0.0, or None where none is."""
    found = values.view(np.uint32) == np.uint32(0x80000000)
    return found if found.any() else None
