"""A checkpoint as a stream: safetensors files, memory-mapped, read in chunks inside tensors as float32.

Opening reads headers alone. What is checked there (index, missing shards, truncated or damaged headers, pickles, Git
LFS pointers) is what `steerlang check` checks, by the same code.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steerlang.graph.facts import TensorFacts, Trouble
from steerlang.graph.facts.checkpoint import Incomplete, read_checkpoint
from steerlang.graph.facts.safetensors_header import read_header

from .dtypes import STORAGE, Float32, Stored, to_float32
from .errors import WeightsError, near

CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True)
class Info:
    """One tensor: dtype in safetensors' words, shape, the file it lies in and where its bytes are in the file."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    file: str
    start: int
    stop: int

    @property
    def count(self) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True)
class Checkpoint:
    """The tensors of a folder. Make one with `Checkpoint.open`; it holds no file open until a tensor is read.

    name     how messages call it
    tensors  what is stored, by name, in the order of the files
    aliases  names that are another tensor's storage (tied weights), as the file's metadata says
    """

    folder: Path
    name: str
    tensors: Mapping[str, Info] = field(repr=False)
    aliases: Mapping[str, str] = field(default_factory=dict, repr=False)

    @staticmethod
    def open(folder: str | Path, name: str | None = None) -> Checkpoint:
        """The checkpoint in `folder`, single or sharded. Raises WeightsError that names the file at fault."""
        place, shown = Path(folder), name or str(folder)
        if not place.is_dir():
            raise WeightsError(f"`{shown}` is not a folder", "name the folder that holds the weights", place=str(place))
        found = read_checkpoint(place, shown)
        if isinstance(found, Incomplete):
            raise trouble_error(found.trouble)
        if isinstance(found, Trouble):
            raise trouble_error(found)
        tensors, aliases = _located(place, found.tensors)
        return Checkpoint(place, shown, tensors, aliases)

    @staticmethod
    def of_file(path: str | Path, name: str | None = None) -> Checkpoint:
        """One safetensors file by itself, such as an adapter's. Raises WeightsError."""
        place, shown = Path(path), name or str(path)
        found = read_header(place, shown)
        if isinstance(found, Trouble):
            raise trouble_error(found)
        tensors, aliases = _located(place.parent, found)
        return Checkpoint(place.parent, shown, tensors, aliases)

    @property
    def names(self) -> tuple[str, ...]:
        """The stored tensors, without aliases."""
        return tuple(self.tensors)

    def __contains__(self, name: object) -> bool:
        return name in self.tensors or name in self.aliases

    def info(self, name: str) -> Info:
        """The tensor called `name`, looking through aliases. Raises WeightsError with the nearest names."""
        found = self.tensors.get(self.aliases.get(name, name))
        if found is None:
            message = f"`{self.name}` has no tensor `{name}`"
            raise WeightsError(message, near(name, self.tensors), place=str(self.folder))
        return found

    def stored(self, name: str) -> Stored:
        """The numbers as they stand in the file, flat [n], read-only, memory-mapped; bfloat16 as `uint16`."""
        info = self.info(name)
        if info.dtype not in STORAGE:
            raise WeightsError(f"`{name}` of `{self.name}` is stored as {info.dtype}, which is not understood")
        if info.count == 0:
            return np.zeros(0, STORAGE[info.dtype])
        return self.raw(name).view(STORAGE[info.dtype])

    def raw(self, name: str) -> NDArray[np.uint8]:
        """The bytes of a tensor, memory-mapped."""
        info = self.info(name)
        if info.start == info.stop:
            return np.zeros(0, np.uint8)
        return self._map(info.file)[info.start : info.stop]

    def read(self, name: str, start: int, stop: int) -> Float32:
        """Elements `start` to `stop` (flat, in C order) as a new float32 array [stop − start]."""
        return to_float32(self.stored(name)[start:stop], self.info(name).dtype)

    def chunks(self, name: str, size: int = CHUNK) -> Iterator[tuple[int, Float32]]:
        """The tensor as float32 in chunks of `size` elements, each with the index of its first element."""
        for start in range(0, self.info(name).count, size):
            yield start, self.read(name, start, start + size)

    @cached_property
    def config(self) -> Mapping[str, Any]:
        """`config.json`; empty where there is none. Raises WeightsError where it cannot be read."""
        return read_json(self.folder / "config.json", f"{self.name}/config.json")

    @cached_property
    def vocabulary(self) -> int | None:
        """The number of tokens, as the configuration says."""
        text = self.config.get("text_config")
        size = self.config.get("vocab_size", text.get("vocab_size") if isinstance(text, dict) else None)
        return size if isinstance(size, int) else None

    @cached_property
    def tied_embedding(self) -> str | None:
        """The embedding of tokens where the head has no tensor of its own; None where it has, or nothing tells."""
        rows = [i for i in self.tensors.values() if len(i.shape) == 2 and i.shape[0] == self.vocabulary]
        return rows[0].name if len(rows) == 1 else None

    @cached_property
    def facts(self) -> dict[str, TensorFacts]:
        """The tensors as the checker sees them."""
        return {name: TensorFacts(i.dtype, i.shape, i.file) for name, i in self.tensors.items()}

    @cached_property
    def _maps(self) -> dict[str, NDArray[np.uint8]]:
        return {}

    def _map(self, file: str) -> NDArray[np.uint8]:
        # A plain array over the map: slices of `np.memmap` itself cost ten times as much as those of an array.
        if file not in self._maps:
            try:
                self._maps[file] = np.asarray(np.memmap(self.folder / file, np.uint8, "r"))
            except OSError as problem:
                reason = (problem.strerror or "unknown").lower()
                raise WeightsError(f"`{self.name}/{file}` cannot be read: {reason}") from problem
        return self._maps[file]


def trouble_error(trouble: Trouble) -> WeightsError:
    """What facts found wrong, as an error of this room."""
    return WeightsError(trouble.message, trouble.help, trouble.code, notes=trouble.notes, place=trouble.place)


def read_json(path: Path, shown: str) -> Mapping[str, Any]:
    """A JSON object in a file; empty where there is no file. Raises WeightsError."""
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise WeightsError(f"`{shown}` cannot be read as JSON", place=str(path)) from problem
    if not isinstance(found, dict):
        raise WeightsError(f"`{shown}` is not a JSON object", place=str(path))
    return found


def _located(folder: Path, wanted: Mapping[str, TensorFacts]) -> tuple[dict[str, Info], dict[str, str]]:
    """The tensors with their places, and aliases, of headers that are known to be sound."""
    tensors: list[Info] = []
    metadata: dict[str, str] = {}
    for file in sorted({facts.file for facts in wanted.values()}):
        with (folder / file).open("rb") as handle:
            length = int.from_bytes(handle.read(8), "little")
            header = json.loads(handle.read(length))
        metadata.update(header.pop("__metadata__", None) or {})
        for name, entry in header.items():
            if name in wanted and wanted[name].file == file:
                start, stop = (8 + length + offset for offset in entry["data_offsets"])
                tensors.append(Info(name, entry["dtype"], tuple(entry["shape"]), file, start, stop))
    tensors.sort(key=lambda i: (i.file, i.start, i.name))
    found = {info.name: info for info in tensors}
    # `safetensors.torch.save_model` writes what it left out as metadata: the name left out → the name kept.
    aliases = {a: b for a, b in metadata.items() if b in found and a not in found}
    return found, aliases
