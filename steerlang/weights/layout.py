"""Where every tensor of a result will lie: shards, headers and offsets, all known before any number is."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from steerlang.graph.facts.checkpoint import SINGLE

from .dtypes import itemsize
from .planning import Output

GIB = 1024**3
MAX_SHARD = 5 * GIB


@dataclass(frozen=True)
class Shard:
    """One file: its header (with the length in front) and where each tensor's bytes start, from the file's start."""

    file: str
    header: bytes
    outputs: tuple[Output, ...]
    starts: Mapping[str, int]
    size: int


def shards(
    outputs: Sequence[Output], max_shard_size: int, aliases: Mapping[str, str] | None = None
) -> tuple[Shard, ...]:
    """The files of a result, tensors in the order given, a new file where the next tensor would pass the size.

    A tensor larger than `max_shard_size` gets a file of its own. `aliases` are written as metadata of the first file.
    """
    groups: list[list[Output]] = [[]]
    room = max_shard_size
    for output in outputs:
        if groups[-1] and output.size > room:
            groups.append([])
            room = max_shard_size
        groups[-1].append(output)
        room -= output.size
    count = len(groups)
    files = [SINGLE] if count == 1 else [f"model-{i:05d}-of-{count:05d}.safetensors" for i in range(1, count + 1)]
    return tuple(
        _shard(file, group, aliases if number == 0 else None)
        for number, (file, group) in enumerate(zip(files, groups, strict=True))
    )


def index_file(every: Sequence[Shard]) -> bytes:
    """The text of `model.safetensors.index.json`."""
    weight_map = {output.name: shard.file for shard in every for output in shard.outputs}
    total = sum(output.size for shard in every for output in shard.outputs)
    index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(weight_map.items()))}
    return (json.dumps(index, indent=2) + "\n").encode()


def _shard(file: str, group: Sequence[Output], aliases: Mapping[str, str] | None) -> Shard:
    # Widest numbers first, so that every tensor is aligned to its own item size.
    ordered = sorted(group, key=lambda output: -itemsize(output.dtype))
    header: dict[str, object] = {"__metadata__": {"format": "pt", **(aliases or {})}}
    offset = 0
    for output in ordered:
        offsets = [offset, offset + output.size]
        header[output.name] = {"dtype": output.dtype, "shape": list(output.shape), "data_offsets": offsets}
        offset += output.size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    start = 8 + len(text)
    starts: dict[str, int] = {}
    position = start
    for output in ordered:
        starts[output.name] = position
        position += output.size
    return Shard(file, len(text).to_bytes(8, "little") + text, tuple(ordered), starts, position)
