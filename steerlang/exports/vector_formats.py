"""Vectors in the formats of other tools. What a format has no place for stands in it as JSON for steerlang to read."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from steerlang import __version__
from steerlang.engine.payload import Payload
from steerlang.graph.facts.vectors import gguf, own, torch_file

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Rows = Mapping[int, NDArray[np.float32]]

Options = Mapping[str, Any]
_F32, _UINT32 = 0, 4


def write(format: str, payload: Payload, options: Options) -> bytes:
    """A vector as the bytes of a file.

    format   `gguf`, `svec`, `pt`
    options  `layers`: those that are written; `shift`: added to their numbers; `architecture` of a GGUF file;
             `model_type` of the model the vector was read from
    """
    return _WRITERS[format](payload, options)


def _rows(payload: Payload, options: Options) -> tuple[Rows, str]:
    """The directions by the file's numbers of layers, and what steerlang reads back."""
    import numpy

    meta: Any = payload.meta
    places = [i for i, layer in enumerate(meta["layers"]) if layer in options["layers"]]
    directions = numpy.asarray(payload.tensors["directions"], dtype=numpy.float32)
    rows = {meta["layers"][i] + options["shift"]: directions[i] for i in places}
    report = {k: v if v is None else [v[i] for i in places] for k, v in meta["report"].items()}
    kept = {**meta, "layers": [meta["layers"][i] for i in places], "report": report}
    tensors = {
        name: _cut(numpy.asarray(tensor), places, len(meta["layers"])).tolist()
        for name, tensor in payload.tensors.items()
        if name != "directions"
    }
    document = {"format": own.FORMAT, "version": __version__, "vector": kept, "tensors": tensors}
    return rows, json.dumps(document, sort_keys=True)


def _cut(tensor: NDArray[Any], places: list[int], count: int) -> NDArray[Any]:
    """A tensor at some layers, where its first axis is layers."""
    return tensor[places] if tensor.ndim and tensor.shape[0] == count else tensor


def _svec(payload: Payload, options: Options) -> bytes:
    rows, said = _rows(payload, options)
    meta: Any = payload.meta
    explained = meta["report"].get("variance_explained")
    by_layer = dict(zip(meta["layers"], explained or [1.0] * len(meta["layers"]), strict=True))
    document = {
        "model_type": options["model_type"],
        "directions": {str(layer): [float(x) for x in row] for layer, row in rows.items()},
        # CAST's tool reads one for each direction; 1 is what it writes itself for methods without any.
        "explained_variances": {str(layer): by_layer[layer - options["shift"]] for layer in rows},
        own.MARK: said,
    }
    return (json.dumps(document) + "\n").encode()


def _pt(payload: Payload, options: Options) -> bytes:
    """What `SteeringVector(**torch.load(path))` of steering-vectors takes; loads with `weights_only = True`."""
    import torch

    rows, said = _rows(payload, options)
    site: Any = payload.meta["site"]
    kinds = {ours: theirs for theirs, ours in torch_file.SITES.items()}
    document = {
        "layer_activations": {layer: torch.from_numpy(row.copy()) for layer, row in rows.items()},
        "layer_type": kinds.get(site["select"], "decoder_block"),
    }
    file = io.BytesIO()
    torch.save(document, file)
    with zipfile.ZipFile(file, "a") as archive:
        folder = next(n for n in archive.namelist() if n.endswith("/data.pkl")).removesuffix("data.pkl")
        archive.writestr(zipfile.ZipInfo(f"{folder}{torch_file.PROVENANCE}"), said)
    return file.getvalue()


def _gguf(payload: Payload, options: Options) -> bytes:
    """GGUF version 3: header, values, descriptions of tensors, then their numbers, each aligned to 32 bytes."""
    rows, said = _rows(payload, options)
    name = options["architecture"]
    values = [
        _text("general.architecture") + _typed_text(name),
        _text(f"{name}.model_hint") + _typed_text(options["model_type"]),
        _text(f"{name}.layer_count") + struct.pack("<II", _UINT32, len(rows)),
        _text(gguf.PROVENANCE) + _typed_text(said),
    ]
    data = [row.astype("<f4").tobytes() for row in rows.values()]
    infos, offset = [], 0
    for layer, numbers in zip(rows, data, strict=True):
        infos.append(_text(f"direction.{layer}") + struct.pack("<IQIQ", 1, len(numbers) // 4, _F32, offset))
        offset += len(_padded(numbers))
    head = gguf.MAGIC + struct.pack("<IQQ", 3, len(rows), len(values))
    return _padded(head + b"".join(values) + b"".join(infos)) + b"".join(map(_padded, data))


def _text(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack("<Q", len(encoded)) + encoded


def _typed_text(text: str) -> bytes:
    return struct.pack("<I", gguf.STRING) + _text(text)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % gguf.ALIGNMENT)


_WRITERS: Mapping[str, Callable[[Payload, Options], bytes]] = {"gguf": _gguf, "svec": _svec, "pt": _pt}
