"""Writing an edited model: shards with known headers, claimed in full at first, filled chunk by chunk.

A full disk shows before anything is computed. A killed run is taken up tensor by tensor; what it had written is hashed
again before it is believed.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steerlang import __version__
from steerlang.graph.facts.checkpoint import INDEX

from .blocks import layers_of, module_of
from .expression import to_json
from .layout import MAX_SHARD, Shard, index_file, shards
from .planning import EditPlan, Output, plan_text
from .receipt import Sums, summary
from .staging import Staging, digest_range
from .streaming import Streams, vector_names

FORMAT = "steerlang.weights/1"
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Written:
    """What was written: digests and sums by tensor, and the shards."""

    plan: EditPlan
    shards: tuple[Shard, ...]
    digests: Mapping[str, str]
    sums: Mapping[str, Sums]


def identity(plan: EditPlan, max_shard_size: int) -> str:
    """SHA-256 of all that decides the bytes of the result. Inputs stand for themselves by size and time of change."""
    inputs = []
    for key, checkpoint in {**plan.checkpoints, **{k: a.file for k, a in plan.adapters.items()}}.items():
        for file in sorted({info.file for info in checkpoint.tensors.values()}):
            found = (checkpoint.folder / file).stat()
            inputs.append((key, file, found.st_size, found.st_mtime_ns))
    text = f"{FORMAT} {__version__} {plan_text(plan)} {max_shard_size} {inputs}"
    return hashlib.sha256(text.encode()).hexdigest()


def write_shards(
    plan: EditPlan, staging: Staging, max_shard_size: int = MAX_SHARD, progress: Progress | None = None,
    chunk: int | None = None,
) -> Written:  # fmt: skip
    """Writes the tensors of a plan, and the index, into an opened staging folder. Raises WeightsError or OSError.

    progress  called with the bytes written so far and in all
    """
    files = shards(plan.outputs, max_shard_size, _aliases(plan))
    for shard in files:
        _claim(staging.folder / shard.file, shard)
    streams = Streams(plan, chunk)
    numbers = {vector: number for number, vector in enumerate(streams.vectors)}
    digests: dict[str, str] = {}
    sums: dict[str, Sums] = {}
    written = 0
    for shard in files:
        descriptor = os.open(staging.folder / shard.file, os.O_WRONLY)
        try:
            for output in shard.outputs:
                own = _taken_up(staging, shard, output, numbers)
                if own is None:
                    own = _write(streams, output, descriptor, shard.starts[output.name], Sums(numbers))
                    staging.note({"name": output.name, "sha256": own[0], "sums": own[1].to_json()})
                digests[output.name], sums[output.name] = own
                written += output.size
                if progress is not None:
                    progress(written, plan.bytes_written)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    if len(files) > 1:
        staging.write(INDEX, index_file(files))
    return Written(plan, files, digests, sums)


def receipt(written: Written, digests: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The receipt of what was written, without the other files of its folder.

    digests  of the inputs, by their keys in the expression
    """
    plan = written.plan
    names = {key: given.name for key, given in plan.checkpoints.items()}
    names |= {key: given.name for key, given in plan.adapters.items()}
    files = {output.name: shard.file for shard in written.shards for output in shard.outputs}
    computed = {o.name: written.sums[o.name] for o in plan.outputs if o.action == "computed"}
    return {
        "format": FORMAT,
        "steerlang": __version__,
        "expression": to_json(plan.expression),
        "inputs": {key: {"name": name, "digest": (digests or {}).get(key)} for key, name in names.items()},
        "counts": plan.counts,
        "excluded": list(plan.excluded),
        "left_out": [[out.source, out.tensor, out.reason] for out in plan.left_out],
        "notes": list(plan.notes),
        "numbers": summary(computed, vector_names(plan), _shown_blocks(plan)),
        "shards": {s.file: {"size": s.size, "header": hashlib.sha256(s.header).hexdigest()} for s in written.shards},
        "tensors": {
            o.name: {"file": files[o.name], "action": o.action, "sha256": written.digests[o.name]} for o in plan.outputs
        },
    }


def _shown_blocks(plan: EditPlan) -> dict[str, str]:
    layers = layers_of(plan.base)
    return {t: f"{layers[t][0]}{layers[t][1]}" if t in layers else module_of(t) for t in plan.base.names}


def _aliases(plan: EditPlan) -> dict[str, str]:
    kept = {output.name for output in plan.outputs}
    return {alias: name for alias, name in plan.base.aliases.items() if name in kept}


def _write(streams: Streams, output: Output, descriptor: int, start: int, sums: Sums) -> tuple[str, Sums]:
    total = hashlib.sha256()
    for piece in streams.stream(output, sums):
        total.update(piece.data)
        write_at(descriptor, piece, start)
        start += piece.size
    return total.hexdigest(), sums


def write_at(descriptor: int, piece: NDArray[np.uint8], start: int) -> None:
    """All bytes of a piece at a place of a file."""
    view = piece.data
    while len(view):
        done = os.pwrite(descriptor, view, start)
        view, start = view[done:], start + done


def _taken_up(staging: Staging, shard: Shard, output: Output, numbers: Mapping[Any, int]) -> tuple[str, Sums] | None:
    """What an earlier run wrote of a tensor, if it is still what it was."""
    entry = staging.done.get(output.name)
    if entry is None:
        return None
    path = staging.folder / shard.file
    if digest_range(path, shard.starts[output.name], output.size) != entry["sha256"]:
        return None
    return entry["sha256"], Sums.from_json(entry["sums"], numbers)


def _claim(path: Path, shard: Shard) -> None:
    """Makes the file as long as it will be, with real blocks behind it, and writes its header."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try:
            os.posix_fallocate(descriptor, 0, shard.size)
        except (AttributeError, OSError) as problem:
            # Some file systems, and some systems, know no claiming.
            if isinstance(problem, OSError) and problem.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
                raise
            os.ftruncate(descriptor, shard.size)
        write_at(descriptor, np.frombuffer(shard.header, np.uint8), 0)
    finally:
        os.close(descriptor)
