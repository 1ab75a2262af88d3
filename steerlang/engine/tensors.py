"""Tensors in safetensors files: written as a stream, read through a memory map.

The layout of a file follows from the names, dtypes and shapes alone (widest dtype first, then by name), so equal
tensors give equal bytes, and every tensor is aligned to its own item size. numpy is imported only where tensors are
touched. bfloat16, which numpy lacks, stands as `uint16` bits; the meta of a payload says so.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import Damaged

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import DTypeLike, NDArray

DTYPES = {
    "BOOL": "bool", "U8": "uint8", "I8": "int8", "U16": "uint16", "I16": "int16", "F16": "float16", "U32": "uint32",
    "I32": "int32", "F32": "float32", "U64": "uint64", "I64": "int64", "F64": "float64", "C64": "complex64",
    # Written by others only: read as bits.
    "BF16": "uint16",
}
NAMES = {name: code for code, name in DTYPES.items() if code != "BF16"}
CHUNK = 8 * 2**20
SMALL = 2**20
HEADER_LIMIT = 100 * 2**20


@dataclass(frozen=True)
class Slot:
    """Where one tensor lies: dtype code, shape, and byte range counted from the end of the header."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


def layout(specs: Mapping[str, tuple[tuple[int, ...], DTypeLike]]) -> tuple[bytes, dict[str, Slot]]:
    """Header bytes (with their length in front) and slots of tensors given as name → (shape, dtype)."""
    import numpy as np

    kinds = {name: np.dtype(dtype) for name, (_, dtype) in specs.items()}
    unknown = sorted({str(k) for k in kinds.values() if k.name not in NAMES})
    if unknown:
        raise TypeError(f"tensors of dtype {', '.join(unknown)} cannot be stored")
    slots: dict[str, Slot] = {}
    offset = 0
    for name in sorted(specs, key=lambda n: (-kinds[n].itemsize, n)):
        shape = tuple(int(d) for d in specs[name][0])
        end = offset + prod(shape) * kinds[name].itemsize
        slots[name] = Slot(NAMES[kinds[name].name], shape, offset, end)
        offset = end
    entries = {
        n: {"dtype": s.dtype, "shape": list(s.shape), "data_offsets": [s.start, s.end]} for n, s in slots.items()
    }
    text = json.dumps(entries, separators=(",", ":")).encode("ascii")
    # Padding with spaces keeps the data aligned to 8 bytes (complex64 needs no more than 4).
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text, slots


def chunks(array: NDArray[Any]) -> Iterator[memoryview]:
    """The little-endian bytes of an array in C order, in pieces of some megabytes, whatever its strides."""
    import numpy as np

    wanted = array.dtype.newbyteorder("<")
    # One axis is enough for whatever lies in C order, without copying; other arrays are cut along their first axis.
    parts = array.reshape(-1) if array.ndim == 0 or array.flags.c_contiguous else array
    if not parts.size:
        return
    row = parts.nbytes // len(parts)
    if row > CHUNK:
        for part in parts:
            yield from chunks(part)
        return
    step = CHUNK // row
    for start in range(0, len(parts), step):
        piece = np.ascontiguousarray(parts[start : start + step], dtype=wanted)
        yield piece.reshape(-1).view(np.uint8).data


def write_tensors(tensors: Mapping[str, NDArray[Any]], write: Callable[[bytes | memoryview], object]) -> None:
    """Streams tensors as one safetensors file into `write`; a memory-mapped array is never held whole."""
    header, slots = layout({n: (t.shape, t.dtype) for n, t in tensors.items()})
    write(header)
    for name in slots:
        for piece in chunks(tensors[name]):
            write(piece)


def read_header(path: Path) -> tuple[int, dict[str, Slot]]:
    """Where the data begins, and the slots. Needs no numpy.

    Raises Damaged when the file is cut short, or its header is not one that `layout` could have written.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > min(HEADER_LIMIT, size - 8):
            raise Damaged("the tensors file is cut short", path)
        text = file.read(length)
    try:
        entries = json.loads(text)
        slots = {
            str(name): Slot(e["dtype"], tuple(e["shape"]), *e["data_offsets"])
            for name, e in entries.items() if name != "__metadata__"
        }
    except (ValueError, KeyError, TypeError, AttributeError) as e:
        raise Damaged("the header of the tensors file cannot be read", path) from e
    if unknown := sorted({s.dtype for s in slots.values()} - DTYPES.keys()):
        raise Damaged(f"the tensors file holds unknown dtypes {', '.join(unknown)}", path)
    if 8 + length + max((s.end for s in slots.values()), default=0) != size:
        raise Damaged("the tensors file is not as long as its header says", path)
    return 8 + length, slots


class TensorFile(Mapping[str, "NDArray[Any]"]):
    """The tensors of one safetensors file, as views of one memory map that is made when a tensor is asked for.

    One map for all, and none for small files, because every map keeps a file open and processes may only open so many.
    """

    def __init__(self, path: Path, *, writable: bool = False) -> None:
        self.path = path
        self.writable = writable
        self._start, self._slots = read_header(path)
        self._bytes: NDArray[np.uint8] | None = None

    def __getitem__(self, name: str) -> NDArray[Any]:
        import numpy as np

        slot = self._slots[name]
        dtype = np.dtype(DTYPES[slot.dtype]).newbyteorder("<")
        if slot.start == slot.end:
            return np.zeros(slot.shape, dtype)
        if self._bytes is None:
            self._bytes = self._open()
        tensor: NDArray[Any] = self._bytes[self._start + slot.start : self._start + slot.end].view(dtype)
        return tensor.reshape(slot.shape)

    def _open(self) -> NDArray[np.uint8]:
        import numpy as np

        if self.writable:
            return np.memmap(self.path, np.uint8, "r+")
        if self.path.stat().st_size > SMALL:
            return np.memmap(self.path, np.uint8, "r")
        small = np.fromfile(self.path, np.uint8)
        small.flags.writeable = False
        return small

    def __iter__(self) -> Iterator[str]:
        return iter(self._slots)

    def __len__(self) -> int:
        return len(self._slots)


def draft(folder: Path, name: str, specs: Mapping[str, tuple[tuple[int, ...], DTypeLike]]) -> TensorFile:
    """A safetensors file of zeros to be filled in place: for results too large to hold in memory.

    Given to the store as the `tensors` of a payload, the file itself is taken over without copying, and must not be
    written any more. Space is claimed at once: with a full disk this raises, while writing through the map of a file
    with holes would kill the process.
    """
    header, slots = layout(specs)
    path = folder / f"{name}.safetensors"
    with path.open("xb") as file:
        file.write(header)
        file.flush()
        _claim(file.fileno(), len(header), max((s.end for s in slots.values()), default=0))
    return TensorFile(path, writable=True)


def scratch_array(folder: Path, name: str, shape: tuple[int, ...], dtype: DTypeLike) -> np.memmap[Any, Any]:
    """A zeroed array that lies in a file of `folder` instead of in memory."""
    import numpy as np

    kind = np.dtype(dtype)
    path = folder / name
    with path.open("xb") as file:
        _claim(file.fileno(), 0, max(1, prod(shape) * kind.itemsize))
    return np.memmap(path, dtype=kind, mode="r+", shape=shape)


def _claim(descriptor: int, start: int, size: int) -> None:
    """Makes a file `start + size` bytes long with real blocks behind them."""
    if size == 0:
        return
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, start, size)
        return
    os.lseek(descriptor, start, os.SEEK_SET)
    zeros = bytes(min(size, CHUNK))
    while size > 0:
        size -= os.write(descriptor, zeros[:size])
