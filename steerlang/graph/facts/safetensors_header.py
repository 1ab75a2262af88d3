"""Headers of safetensors files, read without the package: names, dtypes and shapes, and whether the file is whole.

The format: eight bytes with the header's length (little-endian), the header as JSON, then the data. Each tensor names
the half-open range of data bytes it takes; together they cover the data without gap or overlap, to the last byte.
"""

from __future__ import annotations

import json
import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeGuard

from .promise import TensorFacts, Trouble
from .troubles import bad_model, unreadable

MAX_HEADER_BYTES = 100_000_000
_COPY_HELP = ("copy or download the file again",)
_LENGTH = struct.Struct("<Q")
# Bits of one number. A dtype that is not listed is newer than this table; its size is then not checked.
DTYPE_BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8,
    "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32,
    "I64": 64, "U64": 64, "F64": 64, "C64": 64,
}  # fmt: skip
_NOT_SAFETENSORS = (
    (b"version https://git-lfs", "is a Git LFS pointer, not the file itself", "run `git lfs pull`"),
    (b"GGUF", "is a GGUF file, not safetensors", "take the safetensors checkpoint it was made from"),
    (b"PK\x03\x04", "is a pickled checkpoint, not safetensors", "convert it to safetensors"),
    (b"\x80\x02", "is a pickled checkpoint, not safetensors", "convert it to safetensors"),
)


@dataclass(frozen=True, slots=True)
class _Entry:
    name: str
    facts: TensorFacts
    start: int
    end: int


class _HeaderError(Exception):
    """What is wrong with a header, after the file's name, and how to mend it."""

    def __init__(self, message: str, help: tuple[str, ...] = _COPY_HELP) -> None:
        super().__init__(message)
        self.help = help


@dataclass(frozen=True, slots=True)
class Header:
    """What a safetensors file says of itself: its tensors, where each begins in the file, and its free words."""

    tensors: dict[str, TensorFacts]
    starts: dict[str, int]
    words: dict[str, str]


def read_header(path: Path, name: str) -> dict[str, TensorFacts] | Trouble:
    """The tensors of a safetensors file, by name. `name` is what messages call the file."""
    found = read_whole_header(path, name)
    return found if isinstance(found, Trouble) else found.tensors


def read_whole_header(path: Path, name: str) -> Header | Trouble:
    """The header of a safetensors file. `name` is what messages call the file."""
    try:
        with path.open("rb") as handle:
            return _header(handle, path.stat().st_size, path.name)
    except OSError as problem:
        return unreadable(name, path, problem)
    except _HeaderError as problem:
        return bad_model(path, f"`{name}` {problem}", *problem.help)


def _header(handle: BinaryIO, size: int, file: str) -> Header:
    length = _header_length(handle, size)
    text = handle.read(length)
    if len(text) < length:
        raise _HeaderError("is truncated: it ends inside its header")
    header = _parsed(text)
    words = header.pop("__metadata__", None)
    entries = [_entry(name, value, file) for name, value in header.items()]
    _check_ranges(entries, size - _LENGTH.size - length)
    begin = _LENGTH.size + length
    return Header(
        {entry.name: entry.facts for entry in entries},
        {entry.name: begin + entry.start for entry in entries},
        {k: v for k, v in words.items() if isinstance(v, str)} if isinstance(words, dict) else {},
    )


def _header_length(handle: BinaryIO, size: int) -> int:
    start = handle.read(32)
    if not start:
        raise _HeaderError("is empty (0 bytes)")
    length: int = _LENGTH.unpack(start[: _LENGTH.size])[0] if len(start) >= _LENGTH.size else size
    held = max(0, size - _LENGTH.size)
    if length > min(held, MAX_HEADER_BYTES):
        # Only now: a sound header's length can begin with the same bytes as another format's signature.
        raise _no_header(start, length, held)
    handle.seek(_LENGTH.size)
    return length


def _no_header(start: bytes, length: int, held: int) -> _HeaderError:
    for signature, message, help in _NOT_SAFETENSORS:
        if start.startswith(signature):
            return _HeaderError(message, (help,))
    if length > MAX_HEADER_BYTES:
        return _HeaderError(f"is not safetensors: its header would be {length:,} bytes long", ())
    return _HeaderError(f"is truncated: its header is {length:,} bytes long, but only {held:,} follow")


def _parsed(text: bytes) -> dict[str, object]:
    try:
        header = json.loads(text.decode("utf-8"), object_pairs_hook=_unique)
    except (ValueError, RecursionError) as problem:
        reason = problem.args[0] if isinstance(problem, _TwiceError) else "it is not JSON"
        raise _HeaderError(f"has a damaged header: {reason}") from None
    if not isinstance(header, dict):
        raise _HeaderError("has a damaged header: it is not a JSON object")
    return header


class _TwiceError(ValueError):
    pass


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise _TwiceError("a tensor is described twice")
    return result


def _entry(name: str, value: object, file: str) -> _Entry:
    if not isinstance(value, dict):
        raise _HeaderError(f"has a damaged header: the entry of `{name}` is not an object")
    dtype, shape, offsets = value.get("dtype"), value.get("shape"), value.get("data_offsets")
    if not isinstance(dtype, str) or not _is_sizes(shape) or not _is_sizes(offsets) or len(offsets) != 2:
        raise _HeaderError(f"has a damaged header: the entry of `{name}` lacks a dtype, a shape or offsets")
    start, end = offsets
    if start > end:
        raise _HeaderError(f"has a damaged header: the data of `{name}` ends before it begins")
    bits = DTYPE_BITS.get(dtype)
    if bits is not None and (end - start) * 8 != bits * math.prod(shape):
        raise _HeaderError(
            f"has a damaged header: `{name}` has {end - start:,} bytes, but {dtype} of shape {list(shape)} takes "
            f"{bits * math.prod(shape) // 8:,}"
        )
    return _Entry(name, TensorFacts(dtype, tuple(shape), file), start, end)


def _is_sizes(value: object) -> TypeGuard[list[int]]:
    return isinstance(value, list) and all(isinstance(v, int) and not isinstance(v, bool) and v >= 0 for v in value)


def _check_ranges(entries: list[_Entry], held: int) -> None:
    """The ranges must cover the `held` bytes of data exactly."""
    position, before = 0, ""
    for entry in sorted(entries, key=lambda e: (e.start, e.end)):
        if entry.start < position:
            raise _HeaderError(f"has a damaged header: the data of `{entry.name}` overlaps that of `{before}`")
        if entry.start > position:
            gap = f"{entry.start - position:,} bytes before `{entry.name}`"
            raise _HeaderError(f"has a damaged header: {gap} belong to no tensor")
        position, before = entry.end, entry.name
    if position > held:
        raise _HeaderError(f"is truncated: its tensors take {position:,} bytes, but only {held:,} follow the header")
    if position < held:
        raise _HeaderError(f"is damaged: {held - position:,} bytes at its end belong to no tensor")
