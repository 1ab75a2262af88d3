"""Writing results as files for other tools: whole or not at all, and never over a file of other making unasked."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from steerlang import __version__
from steerlang.data.coefficients import NamedCoefficients, write_coefficients
from steerlang.engine.payload import Payload
from steerlang.graph.facts import Trouble
from steerlang.graph.facts.digests import FileDigests
from steerlang.graph.facts.vectors import read_vector
from steerlang.graph.facts.vectors.own import FORMAT, MARK

from . import vector_formats


class ExportRefused(Exception):  # noqa: N818
    """A file that would replace something of other making."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"`{path}` exists and was not written by steerlang")
        self.help = "choose another name, move the file away, or say `overwrite = true`"


def write_export(
    payload: Payload, path: Path, overwrite: bool = False, format: str = "", options: Mapping[str, Any] | None = None
) -> Path:
    """Write a vector (`.safetensors`), samples (`.jsonl`) or a metric (`.json`); with `format`, a vector for another
    tool (`gguf`, `svec`, `pt`). Raises ExportRefused or OSError."""
    if format:
        ours: Callable[[Path], bool] = is_our_vector
        data = vector_formats.write(format, payload, options or {})
    else:
        make, ours = {
            "vector": (_vector, _our_vector),
            "samples": (_samples, _our_samples),
            "metric": (_metric, _our_metric),
            "coefficients": (_coefficients, _our_coefficients),
        }[payload.kind]
        data = make(payload)
    if path.exists() and not overwrite and not (path.is_file() and ours(path)):
        raise ExportRefused(path)
    write_whole(path, data)
    return path


def is_our_vector(path: Path) -> bool:
    """Whether a file of any of the formats for vectors was written by steerlang."""
    found = read_vector(path, path.name, FileDigests(None))
    return not isinstance(found, Trouble) and found.document is not None


def write_whole(path: Path, data: bytes) -> None:
    """Write beside the target, then rename: a reader sees the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def _vector(payload: Payload) -> bytes:
    """Tensors `layer.N` (float32 `[D]`) and whatever else the vector holds (`state_norms`) under its name; everything
    else stands as JSON under one key of the header, because the order of several is not fixed."""
    import numpy
    from safetensors.numpy import save

    meta: Any = payload.meta
    directions = numpy.asarray(payload.tensors["directions"])
    tensors = {f"layer.{layer}": numpy.ascontiguousarray(directions[i]) for i, layer in enumerate(meta["layers"])}
    others = {name: tensor for name, tensor in payload.tensors.items() if name != "directions"}
    tensors |= {name: numpy.ascontiguousarray(tensor) for name, tensor in others.items()}
    document = {"format": FORMAT, "version": __version__, "vector": meta}
    return save(tensors, {MARK: json.dumps(document, sort_keys=True)})


def _samples(payload: Payload) -> bytes:
    return "".join(json.dumps(row, sort_keys=True, ensure_ascii=False) + "\n" for row in payload.rows).encode()


def _metric(payload: Payload) -> bytes:
    document = {MARK: __version__, **payload.meta, "scores": [r["score"] for r in payload.rows]}
    return (json.dumps(document, sort_keys=True, indent=2) + "\n").encode()


def _coefficients(payload: Payload) -> bytes:
    meta: Any = payload.meta
    rows = zip(meta["vectors"], payload.tensors["values"].tolist(), strict=True)
    values = {name: dict(zip(meta["blocks"], row, strict=True)) for name, row in rows}
    return write_coefficients(NamedCoefficients(meta["partition"], values)).encode()


def _recognise(read: Callable[[Path], bool]) -> Callable[[Path], bool]:
    def recognised(path: Path) -> bool:
        try:
            return read(path)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return False

    return recognised


def _header(path: Path) -> bool:
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > 100_000_000:
            return False
        metadata: dict[str, str] = json.loads(file.read(length))["__metadata__"]
        return metadata.get(MARK) is not None


def _row(path: Path) -> bool:
    with path.open(encoding="utf-8") as file:
        row = json.loads(file.readline())
        return isinstance(row, dict) and {"prompt", "completion", "completion_ids"} <= row.keys()


_our_vector = _recognise(_header)
_our_samples = _recognise(_row)
_our_coefficients = _recognise(lambda path: MARK in json.loads(path.read_text(encoding="utf-8")))
_our_metric = _recognise(lambda path: MARK in json.loads(path.read_text(encoding="utf-8")))
