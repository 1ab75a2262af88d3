"""Writing a steered model as an ordinary folder: the base's tensors, some of them changed, and the settings they need.

The folder is written beside its place, looked at by whoever asked for it, and only then renamed.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steerlang import __version__
from steerlang.graph.facts.checkpoint import INDEX
from steerlang.weights.checkpoint import Checkpoint
from steerlang.weights.dtypes import Float32, dtype_code, from_float32, is_float
from steerlang.weights.errors import WeightsError, disk_errors
from steerlang.weights.layout import MAX_SHARD, Shard, index_file, shards
from steerlang.weights.planning import Output
from steerlang.weights.staging import Staging, busy_errors, check_target
from steerlang.weights.writer import FORMAT, write_at

from .checkpoint import RECEIPT, copy_companions, file_digests, is_ours
from .model_card import checked_table

Change = Callable[[Float32], Float32]


@dataclass(frozen=True)
class Baking:
    """What becomes of a checkpoint. Names are those of the model's state.

    changes   tensors that are computed: given the base's numbers in their shape, float32
    added     tensors that the base has not: numbers, and the tensor whose dtype they take
    copies    tensors that the base has not: the tensor they are a copy of
    settings  of the configuration of the text model
    prefix    what the model's names begin with where the checkpoint leaves it out (`transformer.`)
    """

    base: Checkpoint
    changes: Mapping[str, Change] = field(default_factory=dict)
    added: Mapping[str, tuple[Float32, str]] = field(default_factory=dict)
    copies: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    prefix: str = ""
    dtype: str | None = None


def export_baked(
    baking: Baking,
    to: str | Path,
    *,
    check: Callable[[Path], Mapping[str, Any]],
    description: Mapping[str, Any],
    max_shard_size: int = MAX_SHARD,
    overwrite: bool = False,
    program: str = "",
) -> dict[str, Any]:
    """Writes the folder and gives its receipt. ``check`` looks at the whole folder before it takes its place: what it
    says stands in the receipt, and what it raises leaves nothing behind. Raises WeightsError."""
    target = Path(to)
    plan = _planned(baking)
    check_target(target, overwrite or is_ours(target), {baking.base.name: baking.base.folder})
    with busy_errors(), disk_errors(target), Staging(target, _identity(plan, max_shard_size)).opened() as staging:
        try:
            found = _write(baking, plan, staging, max_shard_size)
            found["steering"] = dict(description)
            found["checked"] = dict(check(staging.folder))
        except BaseException:
            staging.discard()
            raise
        staging.write("README.md", _card(found, target.name, program, found["inputs"]["base"]["name"]).encode())
        found["files"] = file_digests(staging.folder, {*found["shards"], RECEIPT})
        staging.write(RECEIPT, (json.dumps(found, indent=1, ensure_ascii=False) + "\n").encode())
        staging.publish()
    return found


@dataclass(frozen=True)
class _Tensor:
    output: Output
    bytes: Callable[[], NDArray[np.uint8]]


def _planned(baking: Baking) -> dict[str, _Tensor]:
    """Every tensor of the result by its stored name, in the order of the base, new ones last."""
    base, wanted = baking.base, None if baking.dtype is None else dtype_code(baking.dtype)
    changes = {_stored(baking, name): change for name, change in baking.changes.items()}
    found: dict[str, _Tensor] = {}
    for info in base.tensors.values():
        dtype = wanted if wanted is not None and is_float(info.dtype) else info.dtype
        change = changes.pop(info.name, None)
        if change is not None and not is_float(info.dtype):
            raise WeightsError(f"`{info.name}` of `{base.name}` is stored as {info.dtype}, which nothing is added to")
        action = "computed" if change is not None else "copied" if dtype == info.dtype else "cast"
        output = Output(info.name, dtype, info.shape, action)
        found[info.name] = _Tensor(output, _maker(base, info.name, dtype, change))
    if changes:
        raise WeightsError(f"`{base.name}` has no tensor `{next(iter(changes))}`", "its names are not the model's")
    for name, (values, beside) in baking.added.items():
        like = base.info(_stored(baking, beside)).dtype
        dtype = wanted if wanted is not None and is_float(like) else like
        place = _named_like(baking, name, beside)
        found[place] = _Tensor(
            Output(place, dtype, values.shape, "computed"),
            lambda v=values, d=dtype: _as_bytes(from_float32(v.ravel(), d)),  # type: ignore[misc]
        )
    for name, source in baking.copies.items():
        origin = base.info(_stored(baking, source))
        dtype = wanted if wanted is not None and is_float(origin.dtype) else origin.dtype
        found[name] = _Tensor(Output(name, dtype, origin.shape, "copied"), _maker(base, origin.name, dtype, None))
    return found


def _maker(base: Checkpoint, name: str, dtype: str, change: Change | None) -> Callable[[], NDArray[np.uint8]]:
    def make() -> NDArray[np.uint8]:
        info = base.info(name)
        if change is None and dtype == info.dtype:
            return base.raw(name)
        values = base.read(name, 0, info.count)
        if change is not None:
            values = change(values.reshape(info.shape)).ravel()
        return _as_bytes(from_float32(np.ascontiguousarray(values, np.float32), dtype))

    return make


def _as_bytes(stored: NDArray[Any]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(stored).view(np.uint8)


def _stored(baking: Baking, name: str) -> str:
    """What the checkpoint calls a tensor of the model."""
    short = name.removeprefix(baking.prefix)
    for candidate in (name, short):
        if candidate in baking.base:
            return baking.base.aliases.get(candidate, candidate)
    raise WeightsError(
        f"`{baking.base.name}` has no tensor `{name}`",
        "its tensors are stored under other names than the model's: save it again with `save_pretrained`",
    )


def _named_like(baking: Baking, name: str, beside: str) -> str:
    return name if _stored(baking, beside) == beside else name.removeprefix(baking.prefix)


def _write(
    baking: Baking, plan: Mapping[str, _Tensor], staging: Staging, max_shard_size: int
) -> dict[str, Any]:
    outputs = [tensor.output for tensor in plan.values()]
    # A head that was tied may be written by itself now: then it is no alias any more.
    aliases = {a: n for a, n in baking.base.aliases.items() if a not in plan and n in plan}
    files = shards(outputs, max_shard_size, aliases)
    sums: dict[str, str] = {}
    for shard in files:
        sums |= _write_shard(staging.folder / shard.file, shard, plan)
    if len(files) > 1:
        staging.write(INDEX, index_file(files))
    staging.write("config.json", (json.dumps(_config(baking), indent=2, ensure_ascii=False) + "\n").encode())
    copy_companions(baking.base.folder, staging.folder, bool(baking.base.config.get("auto_map")))
    where = {output.name: shard.file for shard in files for output in shard.outputs}
    counts = {a: sum(o.action == a for o in outputs) for a in ("copied", "cast", "computed")}
    return {
        "format": FORMAT,
        "steerlang": __version__,
        "inputs": {"base": {"name": baking.base.name, "digest": None}},
        "counts": {**counts, "excluded": 0, "left_out": 0},
        "settings": dict(baking.settings),
        "shards": {s.file: {"size": s.size, "header": hashlib.sha256(s.header).hexdigest()} for s in files},
        "tensors": {o.name: {"file": where[o.name], "action": o.action, "sha256": sums[o.name]} for o in outputs},
    }


def _write_shard(path: Path, shard: Shard, plan: Mapping[str, _Tensor]) -> dict[str, str]:
    sums = {}
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        os.ftruncate(descriptor, shard.size)
        write_at(descriptor, np.frombuffer(shard.header, np.uint8), 0)
        for output in shard.outputs:
            data = plan[output.name].bytes()
            if len(data) != output.size:
                raise WeightsError(f"`{output.name}` came out with another shape than it went in")
            write_at(descriptor, data, shard.starts[output.name])
            sums[output.name] = hashlib.sha256(data.data).hexdigest()
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return sums


def _config(baking: Baking) -> dict[str, Any]:
    """The base's configuration with the settings, in the part about the text where it has one."""
    config: dict[str, Any] = json.loads(json.dumps(dict(baking.base.config)))
    for key in ("text_config", "decoder"):
        if isinstance(config.get(key), dict):
            config[key].update(baking.settings)
    config.update(baking.settings)
    if baking.dtype is not None:
        config.pop("torch_dtype", None)
        config["dtype"] = baking.dtype
    return config


def _identity(plan: Mapping[str, _Tensor], max_shard_size: int) -> str:
    """Never that of an earlier run: what was baked is written anew, as its numbers are not known beforehand."""
    text = f"{FORMAT} baked {__version__} {[t.output for t in plan.values()]} {max_shard_size} {os.urandom(16).hex()}"
    return hashlib.sha256(text.encode()).hexdigest()


def _card(found: Mapping[str, Any], title: str, program: str, base: str) -> str:
    shown = program.strip() and "```" not in program
    lines = [
        "---", "library_name: transformers", f"base_model: {json.dumps(base)}", "tags:", "- steerlang", "- steering",
        "---", "", f"# {title}", "", f"Steering written into weights by steerlang {found['steerlang']}.", "",
        f"Made of `{base}`.", "", *checked_table(found["checked"]),
        *(["## Program", "", "```steer", program.rstrip(), "```", ""] if shown else []),
        "`receipt.json` has the digest of every tensor; `steerlang verify` checks this folder against it.", "",
    ]  # fmt: skip
    return "\n".join(lines)
