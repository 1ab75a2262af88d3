"""What can be known of a checkpoint folder before its weights are read, and whether they are numbers afterwards."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from steerlang.models.errors import BadWeights, LoadFailure

INDEX = "model.safetensors.index.json"
PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")


def check_folder(folder: Path) -> None:
    """A folder with config.json and whole safetensors files. Raises LoadFailure that names the file and the fault."""
    if not (folder / "config.json").is_file():
        raise LoadFailure(f"{folder} holds no config.json", "give a folder written by save_pretrained")
    for file in _weight_files(folder):
        check_safetensors(file)


def _weight_files(folder: Path) -> list[Path]:
    index = folder / INDEX
    if index.is_file():
        return _indexed(folder, index)
    files = sorted(folder.glob("*.safetensors"))
    if files:
        return files
    pickled = sorted(file.name for pattern in PICKLED for file in folder.glob(pattern))
    if pickled:
        raise LoadFailure(
            f"{folder} holds pickled weights only ({pickled[0]}), which can run code when read",
            "convert them where you trust them: AutoModelForCausalLM.from_pretrained(…).save_pretrained(folder) "
            "writes safetensors",
        )
    raise LoadFailure(f"{folder} holds no weights", "a file model.safetensors must lie beside config.json")


def _indexed(folder: Path, index: Path) -> list[Path]:
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (ValueError, KeyError, AttributeError) as error:
        raise LoadFailure(f"{index} is not an index of weight files: {error}", "download it again") from error
    files = [folder / name for name in names]
    absent = [file.name for file in files if not file.is_file()]
    if absent:
        raise LoadFailure(
            f"{folder} lacks {len(absent)} of {len(files)} weight files: {', '.join(absent[:5])}",
            "download them",
        )
    return files


def check_safetensors(file: Path) -> None:
    """The file is as long as its header says. Raises LoadFailure."""
    size = file.stat().st_size
    again = "it was cut short or damaged on its way: download or write it again"
    with file.open("rb") as stream:
        start = stream.read(8)
        length = int.from_bytes(start, "little")
        if len(start) < 8 or 8 + length > size:
            raise LoadFailure(f"{file} is not a whole safetensors file ({size} bytes)", again)
        try:
            header: dict[str, Any] = json.loads(stream.read(length))
            ends = [int(entry["data_offsets"][1]) for name, entry in header.items() if name != "__metadata__"]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise LoadFailure(f"the header of {file} cannot be read", again) from error
    wanted = 8 + length + max(ends, default=0)
    if size < wanted:
        raise LoadFailure(f"{file} is truncated: {size} bytes of {wanted}", again)


def check_finite(model: Any) -> None:
    """Raises BadWeights naming the parameters that hold NaN or infinite numbers.

    One pass of sums: a sum is finite unless a term is not (float32 sums of half-precision terms do not overflow).
    """
    suspects = []
    with torch.no_grad():
        for name, tensor in model.named_parameters():
            if not tensor.is_floating_point():
                continue
            if not torch.isfinite(tensor.sum(dtype=torch.float32)) and not torch.isfinite(tensor).all():
                suspects.append(name)
    if suspects:
        raise BadWeights(suspects)
