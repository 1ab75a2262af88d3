"""The weights of a model folder: which files hold them, and every tensor's dtype and shape, from headers alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from steerlang.diagnostics import codes
from steerlang.diagnostics.suggest import did_you_mean

from .config import read_json_object
from .paths import names_in
from .promise import TensorFacts, Trouble
from .safetensors_header import read_header
from .troubles import bad_model

SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
_PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
_CONVERT = (
    "convert it once, where you trust it: "
    "`transformers.AutoModel.from_pretrained(FOLDER).save_pretrained(NEW_FOLDER)` writes safetensors"
)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The tensors by name, and the files that hold them (the index among them)."""

    tensors: dict[str, TensorFacts]
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Incomplete:
    """Files that should be there and are not: trouble in a folder, an unfinished download in a cache."""

    trouble: Trouble


def read_checkpoint(folder: Path, name: str) -> Checkpoint | Incomplete | Trouble:
    """The checkpoint in `folder`."""
    if (folder / INDEX).is_file():
        return _sharded(folder, name)
    if (folder / SINGLE).is_file():
        header = read_header(folder / SINGLE, f"{name}/{SINGLE}")
        return header if isinstance(header, Trouble) else Checkpoint(header, (SINGLE,))
    return _no_weights(folder, name)


def _no_weights(folder: Path, name: str) -> Incomplete | Trouble:
    files = names_in(folder)
    if (folder / "adapter_config.json").is_file():
        help = f'add it to its model: `base + lora("{name}")`'
        return bad_model(folder, f"`{name}` holds an adapter, not a model", help)
    loose = [f for f in files if f.endswith(".safetensors")]
    if loose:
        message = f"`{name}` has `{loose[0]}`, but neither `{SINGLE}` nor `{INDEX}`"
        help = f"rename it to `{SINGLE}`" if len(loose) == 1 else f"copy `{INDEX}`, which says what each file holds"
        return bad_model(folder, message, help)
    pickled = [f for f in files if f.endswith(_PICKLED) and f != "training_args.bin"]
    if pickled:
        message = f"`{name}` has its weights only as a pickle (`{pickled[0]}`), which can run code when it is read"
        return Trouble(codes.PICKLED_CHECKPOINT, message, (_CONVERT,), place=str(folder / pickled[0]))
    gguf = [f for f in files if f.endswith(".gguf")]
    if gguf:
        message = f"`{name}` has its weights only as GGUF (`{gguf[0]}`)"
        help = "take the safetensors checkpoint it was made from"
        return bad_model(folder / gguf[0], message, help)
    message = f"`{name}` has no weights (`{SINGLE}`)"
    return Incomplete(bad_model(folder, message, "copy the weights into the folder"))


def _sharded(folder: Path, name: str) -> Checkpoint | Incomplete | Trouble:
    shown = f"{name}/{INDEX}"
    index = read_json_object(folder / INDEX, shown, limit=256 << 20)
    if isinstance(index, Trouble):
        return index
    wanted = _weight_map(index)
    if wanted is None:
        message = f"`{shown}` has no `weight_map` from tensors to files"
        return bad_model(folder / INDEX, message)
    shards = tuple(sorted(set(wanted.values())))
    absent = [shard for shard in shards if not (folder / shard).is_file()]
    if absent:
        return Incomplete(_missing_shards(folder, shown, absent, len(shards)))
    headers = {shard: read_header(folder / shard, f"{name}/{shard}") for shard in shards}
    troubles = [found for found in headers.values() if isinstance(found, Trouble)]
    if troubles:
        return joined(troubles)
    found = {shard: header for shard, header in headers.items() if isinstance(header, dict)}
    lost = [tensor for tensor, shard in wanted.items() if tensor not in found[shard]]
    if lost:
        return _lost_tensors(folder, shown, lost, wanted)
    return Checkpoint({tensor: found[shard][tensor] for tensor, shard in wanted.items()}, (INDEX, *shards))


def _weight_map(index: dict[str, object]) -> dict[str, str] | None:
    wanted = index.get("weight_map")
    if not isinstance(wanted, dict) or not wanted:
        return None
    # A shard lies beside the index; a path out of the folder is no shard.
    sound = all(isinstance(shard, str) and shard and Path(shard).name == shard for shard in wanted.values())
    return {str(tensor): str(shard) for tensor, shard in wanted.items()} if sound else None


def _missing_shards(folder: Path, shown: str, absent: list[str], count: int) -> Trouble:
    more = f" and {len(absent) - 1} more" if len(absent) > 1 else ""
    message = f"`{shown}` names `{absent[0]}`{more}, which is not in the folder"
    help = did_you_mean(absent[0], names_in(folder)) or ("copy or download the missing files",)
    return bad_model(folder / INDEX, message, *help, notes=(f"{len(absent)} of {count} files are missing",))


def _lost_tensors(folder: Path, shown: str, lost: list[str], wanted: dict[str, str]) -> Trouble:
    more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
    message = f"`{shown}` says that `{wanted[lost[0]]}` holds `{lost[0]}`{more}, which it does not"
    return bad_model(folder / INDEX, message, "take the index and the files from the same save")


def joined(troubles: Iterable[Trouble]) -> Trouble:
    """Several troubles as one that carries the others."""
    first, *others = troubles
    return Trouble(
        first.code, first.message, first.help, first.notes, first.place, first.column, (*first.others, *others)
    )
