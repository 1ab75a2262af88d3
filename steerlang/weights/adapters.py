"""LoRA adapters as factored task vectors: τ = s · B A, A [r, in], B [out, r], read from memory-mapped safetensors.

What an adapter is and what is refused of it is decided by `steerlang.graph.facts.adapter`, from headers alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import numpy as np

from steerlang.diagnostics import codes
from steerlang.graph.facts import AdapterFacts, FactorPair, Trouble
from steerlang.graph.facts.adapter import CONFIG, WEIGHTS, read_adapter
from steerlang.graph.facts.digests import FileDigests
from steerlang.graph.facts.hub import Located

from .checkpoint import Checkpoint, Info, trouble_error
from .dtypes import Float32, is_float
from .errors import WeightsError, near

__all__ = ["CONFIG", "WEIGHTS", "Adapter", "factor_names", "outline"]


@dataclass(frozen=True)
class Adapter:
    """An adapter: pairs of factors by the module they belong to."""

    name: str
    file: Checkpoint = field(repr=False)
    facts: AdapterFacts = field(repr=False)

    @staticmethod
    def open(folder: str | Path, name: str | None = None) -> Adapter:
        """The adapter in `folder`, from its configuration and header alone. Raises WeightsError."""
        place, shown = Path(folder), name or str(folder)
        found = read_adapter(Located(place, shown), FileDigests(None))
        if isinstance(found, Trouble):
            raise trouble_error(found)
        assert isinstance(found, AdapterFacts)
        return Adapter(shown, Checkpoint.of_file(place / WEIGHTS, f"{shown}/{WEIGHTS}"), found)

    @property
    def pairs(self) -> Mapping[str, FactorPair]:
        """The factors by module."""
        return self.facts.pairs

    @property
    def size(self) -> int:
        """Bytes of the factors."""
        return sum(info.stop - info.start for info in self.file.tensors.values())

    def factors(self, module: str) -> tuple[Float32, Float32]:
        """B [rows, r], with s multiplied in, and A [r, columns] of τ = B A as the model stores the tensor."""
        pair = self.pairs[module]
        a, b = (_matrix(self.file, name) for name in (pair.a, pair.b))
        with np.errstate(over="ignore"):  # what is too large for a number is found where the product is looked at
            b = b * np.float32(pair.scale)
        return (np.ascontiguousarray(a.T), np.ascontiguousarray(b.T)) if pair.transposed else (b, a)

    def on(self, base: Checkpoint) -> dict[str, str]:
        """Which module each of the base's tensors that this adapter edits belongs to. Raises WeightsError."""
        found: dict[str, str] = {}
        for module, pair in self.pairs.items():
            tensor = _tensor_of(module, base)
            if tensor is None:
                message = f"the adapter `{self.name}` edits `{module}.weight`, which `{base.name}` does not have"
                help = near(f"{module}.weight", base.names) or ("take the base that it was trained on",)
                raise WeightsError(message, help, codes.PROVENANCE_MISMATCH)
            info = base.info(tensor)
            for shape in (pair.shape, self.facts.frozen.get(module, pair.shape)):
                if info.shape != shape:
                    message = (
                        f"the adapter `{self.name}` edits `{tensor}` as {list(shape)}, but `{base.name}` has it as "
                        f"{list(info.shape)}"
                    )
                    raise WeightsError(message, "take the base that it was trained on", codes.WIDTH_MISMATCH)
            if not is_float(info.dtype):
                message = f"`{tensor}` of `{base.name}` is {info.dtype}: an adapter cannot be added to it"
                raise WeightsError(message, "take the unquantised checkpoint", codes.UNSUPPORTED_MODEL)
            if info.name in found:
                message = f"the adapter `{self.name}` edits `{info.name}` twice, as `{found[info.name]}` and `{module}`"
                raise WeightsError(message, "save it again for a model whose weights are not tied")
            found[info.name] = module
        return found


def outline(adapters: Mapping[str, Adapter]) -> Checkpoint:
    """A checkpoint of no file with the tensors that adapters edit: what stands for a base where none is at hand."""
    tensors: dict[str, Info] = {}
    for adapter in adapters.values():
        for module, pair in adapter.pairs.items():
            name = f"{module}.weight"
            tensors.setdefault(name, Info(name, "F32", pair.shape, "", 0, 0))
    return Checkpoint(Path(), "the other adapters", dict(sorted(tensors.items())))


def factor_names(tensor: str) -> tuple[str, str]:
    """What patterns know the factors A and B of a tensor by: `q_proj.weight` has `q_proj.lora_A.weight`, ….lora_B…."""
    module = tensor.removesuffix(".weight")
    return f"{module}.lora_A.weight", f"{module}.lora_B.weight"


def _tensor_of(module: str, base: Checkpoint) -> str | None:
    """The base's tensor of a module: by its name, else the only one whose name ends so (or that it ends with)."""
    wanted = f"{module}.weight"
    if wanted in base:
        return wanted
    ends = [t for t in base.names if t.endswith(f".{wanted}") or wanted.endswith(f".{t}")]
    return ends[0] if len(ends) == 1 else None


def _matrix(file: Checkpoint, name: str) -> Float32:
    info = file.info(name)
    return cast(Float32, file.read(name, 0, info.count).reshape(info.shape))
