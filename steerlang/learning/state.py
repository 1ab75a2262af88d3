"""The state of a run on disk: written whole or not at all, read to go on after a kill at any step.

One safetensors file; what is no tensor stands as JSON in its metadata. Nothing in it can be executed.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from steerlang.diagnostics import codes
from steerlang.weights.errors import disk_errors

from .errors import LearningError

_KEY = "steerlang"


@dataclass(frozen=True)
class StateFile:
    """Where a run keeps its state.

    identity  of the run: a state of another run is refused, never taken up
    every     steps between two writes
    """

    path: Path
    identity: str = ""
    every: int = 50

    def remove(self) -> None:
        """Removes the state of a run that is done."""
        self.path.unlink(missing_ok=True)


@dataclass(frozen=True)
class Saved:
    """What was saved: tensors by name, and JSON values."""

    tensors: Mapping[str, Tensor] = field(repr=False)
    values: Mapping[str, Any] = field(repr=False)


def write_state(file: StateFile, identity: str, saved: Saved) -> None:
    """Writes beside the file, flushes to the disk, and renames. Raises WeightsError where the disk is full."""
    text = json.dumps({"identity": identity, **saved.values}, allow_nan=False)
    data = save({name: tensor.contiguous() for name, tensor in saved.tensors.items()}, {_KEY: text})
    beside = file.path.with_name(f".{file.path.name}.{os.getpid()}")
    with disk_errors(file.path.parent):
        file.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with beside.open("wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            beside.replace(file.path)
        finally:
            beside.unlink(missing_ok=True)


def read_state(file: StateFile, identity: str) -> Saved | None:
    """The saved state; None where there is none. Raises LearningError for a damaged one or another run's."""
    if not file.path.is_file():
        return None
    try:
        with safe_open(file.path, "pt") as handle:
            values = json.loads((handle.metadata() or {})[_KEY])
            tensors = {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118 - no mapping
    except (SafetensorError, OSError, ValueError, KeyError) as problem:
        message = f"the saved state `{file.path}` cannot be read"
        raise LearningError(message, "remove it: learning then begins anew", codes.UNREADABLE_FILE) from problem
    if values.get("identity") != identity:
        message = f"the saved state `{file.path}` belongs to another run of learning"
        raise LearningError(message, "remove it, or name another file", codes.FOREIGN_STATE)
    return Saved(tensors, values)


def identity_of(*what: Any) -> str:
    """A digest of the texts of what makes a run."""
    return hashlib.blake2b(repr(what).encode(), digest_size=16).hexdigest()
