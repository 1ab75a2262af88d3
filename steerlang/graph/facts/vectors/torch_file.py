"""Files that `torch.save` writes: directions by layer, and steering-vectors' `SteeringVector`.

The pickle inside is described, never carried out (`unpickled.py`). Layers are blocks counted from 0 in both.
"""

from __future__ import annotations

import os
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from steerlang.diagnostics import codes
from steerlang.graph.facts.promise import Numbers, VectorFacts
from steerlang.graph.node import Json

from .own import said
from .problems import COPY, VectorFileError, one_width
from .unpickled import PickledObject, PickledTensor, Refused, Storage, describe

CONVERT = "save it as tensors by layer: `torch.save({7: direction, …}, \"v.pt\")`"
_VECTOR = "steering_vectors.steering_vector.SteeringVector"
_KINDS = {"FloatStorage": (4, "F32"), "HalfStorage": (2, "F16"), "BFloat16Storage": (2, "BF16"),
          "DoubleStorage": (8, "F64")}  # fmt: skip
SITES = {"decoder_block": "residual", "self_attn": "attention", "mlp": "mlp"}
# What steerlang adds to the archive; `torch.load` does not look at it.
PROVENANCE = "steerlang.json"
# What `zipfile` raises for an archive whose bytes are not as they were, beside its own BadZipFile.
_DAMAGE = (EOFError, NotImplementedError, RuntimeError, ValueError, OverflowError, struct.error, zlib.error)
_LARGEST_PICKLE = 1 << 26


def read(path: Path, name: str) -> VectorFacts:
    """The facts of a `.pt` file. Raises VectorFileError."""
    try:
        with zipfile.ZipFile(path) as archive, path.open("rb") as file:
            folder, code = _pickle(archive)
            found, site = _directions(_described(code))
            own = said(_text(archive, f"{folder}{PROVENANCE}"), sorted(found))
            numbers = {
                layer: _numbers(found[key], archive, folder, file)
                for layer, key in zip(own.layers, sorted(found), strict=True)
            }
    except zipfile.BadZipFile as problem:
        raise VectorFileError(f"is truncated or damaged: {str(problem).lower()}", COPY) from None
    except _DAMAGE as problem:
        raise VectorFileError(f"is damaged: {problem}", COPY) from None
    width = one_width({layer: n.count for layer, n in numbers.items()})
    return VectorFacts(
        path, name, "pt", own.layers, width, own.site if own.document else site, own.document, numbers=numbers,
        values=own.values,
    )  # fmt: skip


def _text(archive: zipfile.ZipFile, name: str) -> str | None:
    if name not in archive.namelist() or archive.getinfo(name).file_size > _LARGEST_PICKLE:
        return None
    return archive.read(name).decode("utf-8", "replace")


def _pickle(archive: zipfile.ZipFile) -> tuple[str, bytes]:
    """The folder inside the archive, and the pickle in it."""
    for entry in archive.infolist():
        if entry.filename.endswith("/data.pkl") and entry.file_size <= _LARGEST_PICKLE:
            return entry.filename.removesuffix("data.pkl"), archive.read(entry)
    raise VectorFileError("is a zip archive that `torch.save` did not write", CONVERT)


def _described(code: bytes) -> Any:
    try:
        return describe(code, frozenset([_VECTOR]))
    except Refused as what:
        raise VectorFileError(
            f"is a pickle that asks for {what}, which is not carried out", CONVERT, code=codes.PICKLED_VECTOR
        ) from None


def _directions(found: Any) -> tuple[dict[int, PickledTensor], Json]:
    """The tensors by layer, and the site."""
    if isinstance(found, PickledObject):
        found = found.state
    if isinstance(found, Mapping) and "layer_activations" in found:
        kind = found.get("layer_type", "decoder_block")
        if kind not in SITES:
            raise VectorFileError(f"holds directions of `{kind}`, which is no site here", f"sites: {', '.join(SITES)}")
        return _by_layer(found["layer_activations"]), {"select": SITES[kind]}
    return _by_layer(found), {"select": "residual"}


def _by_layer(found: Any) -> dict[int, PickledTensor]:
    if isinstance(found, PickledTensor):
        raise VectorFileError("holds one tensor that names no layer", CONVERT)
    if not isinstance(found, Mapping) or not found:
        raise VectorFileError("holds no tensors by layer", CONVERT)
    layers: dict[int, PickledTensor] = {}
    for key, tensor in found.items():
        number = int(key) if isinstance(key, str) and key.isdecimal() else key
        if type(number) is not int or number < 0 or not isinstance(tensor, PickledTensor):
            raise VectorFileError(f"holds `{key}`, which is no tensor of a layer", CONVERT)
        layers[number] = tensor
    return layers


def _numbers(tensor: PickledTensor, archive: zipfile.ZipFile, folder: str, file: Any) -> Numbers:
    shape = tensor.shape[1:] if len(tensor.shape) == 2 and tensor.shape[0] == 1 else tensor.shape
    if len(shape) != 1 or (shape[0] > 1 and tensor.stride[-1] != 1):
        raise VectorFileError(f"is no vector: a tensor has the shape {list(tensor.shape)}", CONVERT)
    size, dtype = _kind(tensor.storage)
    entry = archive.getinfo(_known(archive, f"{folder}data/{tensor.storage.key}"))
    if entry.compress_type != zipfile.ZIP_STORED or (tensor.offset + shape[0]) * size > entry.file_size:
        raise VectorFileError("is damaged: a tensor's numbers are not where they should be", COPY)
    start = _start(entry, file) + tensor.offset * size
    if start + shape[0] * size > os.fstat(file.fileno()).st_size:
        raise VectorFileError("is damaged: a tensor's numbers would end after the file", COPY)
    return Numbers(start, shape[0], dtype)


def _kind(storage: Storage) -> tuple[int, str]:
    if storage.kind not in _KINDS:
        raise VectorFileError(f"holds numbers of the type {storage.kind}", "save float tensors: `direction.float()`")
    return _KINDS[storage.kind]


def _known(archive: zipfile.ZipFile, name: str) -> str:
    if name not in archive.namelist():
        raise VectorFileError("is damaged: a tensor's numbers are missing", COPY)
    return name


def _start(entry: zipfile.ZipInfo, file: Any) -> int:
    """Where the bytes of an entry begin: after its own header, which may be longer than the directory says."""
    file.seek(entry.header_offset + 26)
    name, extra = struct.unpack("<HH", file.read(4))
    return int(entry.header_offset + 30 + name + extra)
