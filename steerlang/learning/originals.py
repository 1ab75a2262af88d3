"""θ_0 of one parameter while it holds something else: read from its checkpoint again where that is just what the
parameter held, bit by bit; else kept in memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from steerlang.weights.dtypes import Stored

from .pool import Pool
from .vectors import Target, chunk_of

_BITS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


@dataclass(eq=False)
class Original:
    """What a parameter held before. Make one with `Original.of`, which also lays the parameter out in one piece.

    stored   θ_0 as float32 in the file, where it is; another dtype is read through the pool
    kept     θ_0 where the checkpoint does not give it
    storage  what a parameter held that did not lie in one piece
    """

    target: Target
    pool: Pool
    chunk: int
    stored: Stored | None
    kept: Tensor | None = None
    storage: Tensor | None = None

    @staticmethod
    def of(target: Target, pool: Pool, device: torch.device) -> Original:
        """The original of a parameter as it is now."""
        stored = pool.base.stored(target.tensor) if pool.base.info(target.tensor).dtype == "F32" else None
        found, parameter = Original(target, pool, chunk_of(target, device), stored), target.parameter
        if not parameter.is_contiguous():
            found.storage, parameter.data = parameter.data, parameter.data.contiguous()
        elif not found._is_stored():
            found.kept = parameter.data.clone()
        return found

    def write(self, start: int, stop: int, into: Tensor) -> None:
        """Writes the elements `start` to `stop` of θ_0 in the dtype of `into`."""
        kept = self.kept if self.kept is not None else self.storage
        if kept is not None:
            into.copy_(kept.reshape(-1)[start:stop])
        elif self.stored is not None and into.device.type == "cpu" and into.dtype == torch.float32:
            np.copyto(into.numpy(), self.stored[start:stop])
        else:
            into.copy_(torch.from_numpy(self.pool.evaluation.base(self.target.tensor, start, stop)))

    def restore(self) -> None:
        """The parameter holds θ_0 again."""
        parameter = self.target.parameter
        if self.storage is not None:
            parameter.data = self.storage
        elif self.kept is not None:
            parameter.data.copy_(self.kept)
        else:
            flat = parameter.data.view(-1)
            for start in range(0, len(flat), self.chunk):
                piece = flat[start : start + self.chunk]
                self.write(start, start + len(piece), piece)

    def _is_stored(self) -> bool:
        flat = self.target.parameter.data.view(-1)
        bits = _BITS[flat.element_size()]
        room = torch.empty(min(self.chunk, len(flat)), dtype=flat.dtype, device=flat.device)
        for start in range(0, len(flat), self.chunk):
            own = flat[start : start + self.chunk]
            other = room[: len(own)]
            self.write(start, start + len(own), other)
            if not torch.equal(own.view(bits), other.view(bits)):
                return False
        return True
