"""θ = θ_0 + Σ_i Λ_i τ_i in place in a module, and ∂L/∂λ from one ordinary backward pass.

    ∂L/∂λ_ij = ⟨∂L/∂θ_j, τ_ij⟩     exactly: composing is linear, so nothing of it need be recorded by autograd

Each gradient is used when it arrives and freed at once. Memory is the module, the largest gradient, the activations and
one range of each task vector, whatever their number. θ_0 is read from its checkpoint again where the module holds just
that (checked bit by bit when learning begins); only tensors for which this is not so are kept in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor, nn

from steerlang.weights.blocks import BlockIndex

from .cuts import Cut, cut_of
from .parameters import map_parameters
from .pool import Pool
from .vectors import Target, Vectors

# What a pass computes: a sum of losses, and the weight (rows, tokens) that it is a sum over.
Loss = Callable[[], tuple[Tensor, float]]

CPU_CHUNK, DEVICE_CHUNK = 64 * 1024, 4 * 1024 * 1024
_BITS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


class Composition(Protocol):
    """A module with coefficients: what the learner sees. Values and gradients are [task vectors, blocks]."""

    def set(self, values: Tensor) -> None:
        """Composes at these coefficients."""
        ...

    def run(self, loss: Loss, scale: float) -> tuple[float, float]:
        """One forward and backward pass: adds scale · ∂sum/∂λ to the gradient; gives the sum and its weight."""
        ...

    def take(self) -> Tensor:
        """The gradient since the last take, float64 on the CPU."""
        ...


def targets_of(
    module: nn.Module, pool: Pool, index: BlockIndex, keep: Tensor | None
) -> tuple[list[Target], tuple[str, ...]]:
    """The parameters that are composed, and the tensors that are shadowed. `keep` [n, m]: which coefficients exist."""
    reached: dict[str, tuple[int, ...]] = {}
    for tensor, place in index.places.items():
        numbers = pool.reaching(tensor)
        if keep is not None:
            own = keep[:, place.first : place.first + place.count].any(1)
            numbers = tuple(number for number in numbers if own[number])
        if numbers and pool.base.info(tensor).count:
            reached[tensor] = numbers
    mapped = map_parameters(module, pool.base, reached)
    found = [Target(t, p, index.places[t], reached[t]) for t, p in mapped.parameters.items()]
    return found, mapped.shadowed


@dataclass(eq=False)
class _Part:
    """One target while learning. `kept` is θ_0 where the checkpoint does not give it."""

    target: Target
    cut: Cut
    kept: Tensor | None
    sums: Tensor
    rows: Tensor
    had_gradient: Tensor | None = None
    required: bool = False
    storage: Tensor | None = None
    handle: object = field(default=None, repr=False)


class DenseComposition:
    """Composes parameters in place. Use it inside `with`: afterwards the module is as it was, bit by bit."""

    def __init__(self, module: nn.Module, pool: Pool, targets: Sequence[Target], shape: tuple[int, int],
                 memory: int = 0) -> None:  # fmt: skip
        self._module, self._pool, self._shape = module, pool, shape
        self._device = next(module.parameters()).device
        self._chunk = CPU_CHUNK if self._device.type == "cpu" else DEVICE_CHUNK
        self._vectors = Vectors(pool, targets, memory, self._device)
        self._parts = [self._part(target) for target in targets]

    def _part(self, target: Target) -> _Part:
        cut = cut_of(target.place, self._device)
        sums = torch.zeros(len(target.vectors), target.place.count, dtype=torch.float64, device=self._device)
        rows = torch.tensor(target.vectors)
        return _Part(target, cut, None, sums, rows)

    @contextmanager
    def opened(self) -> Iterator[DenseComposition]:
        """The module is composed inside, and restored when this is left, whatever happens."""
        required = [(parameter, parameter.requires_grad) for parameter in self._module.parameters()]
        modes = [(part, part.training) for part in self._module.modules()]
        touched: list[_Part] = []
        try:
            for parameter, _ in required:
                parameter.requires_grad_(False)
            self._module.eval()
            for part in self._parts:
                touched.append(part)
                self._begin(part)
            yield self
        finally:
            for part in touched:
                self._end(part)
            for parameter, flag in required:
                parameter.requires_grad_(flag)
            for module, training in modes:
                module.training = training

    def _begin(self, part: _Part) -> None:
        parameter = part.target.parameter
        part.had_gradient, parameter.grad = parameter.grad, None
        if not parameter.is_contiguous():
            part.storage = parameter.data
            parameter.data = parameter.data.contiguous()
        elif not self._is_stored(part.target):
            part.kept = parameter.data.clone()
        parameter.requires_grad_(True)
        hook = parameter.register_post_accumulate_grad_hook
        part.handle = hook(lambda _: self._arrived(part))  # type: ignore[no-untyped-call]

    def _end(self, part: _Part) -> None:
        parameter = part.target.parameter
        if part.handle is not None:
            part.handle.remove()  # type: ignore[attr-defined]
        parameter.grad = part.had_gradient
        with torch.no_grad():
            if part.storage is not None:
                parameter.data = part.storage
            elif part.kept is not None:
                parameter.data.copy_(part.kept)
            else:
                flat = parameter.data.view(-1)
                for start, stop in part.cut.ranges(self._chunk):
                    flat[start:stop].copy_(self._base(part, start, stop))

    def _is_stored(self, target: Target) -> bool:
        """Whether the checkpoint holds just what the parameter does, in the parameter's dtype."""
        flat = target.parameter.data.view(-1)
        bits = _BITS[flat.element_size()]
        for start in range(0, len(flat), self._chunk):
            own = flat[start : start + self._chunk]
            stored = self._stored(target, start, start + len(own)).to(flat.dtype)
            if not torch.equal(own.view(bits), stored.view(bits)):
                return False
        return True

    def _stored(self, target: Target, start: int, stop: int) -> Tensor:
        return torch.from_numpy(self._pool.evaluation.base(target.tensor, start, stop)).to(self._device)

    def _base(self, part: _Part, start: int, stop: int) -> Tensor:
        kept = part.kept if part.kept is not None else part.storage
        if kept is None:
            return self._stored(part.target, start, stop)
        return kept.reshape(-1)[start:stop].float()

    def set(self, values: Tensor) -> None:
        """Composes at coefficients [n, m] in float32 and stores in the parameters' dtype."""
        placed = values.to(self._device, torch.float32)
        with torch.no_grad():
            for part in self._parts:
                place = part.target.place
                own = placed[part.rows, place.first : place.first + place.count]
                flat = part.target.parameter.data.view(-1)
                for start, stop in part.cut.ranges(self._chunk):
                    theta = self._base(part, start, stop).clone()
                    part.cut.add(theta, self._vectors.range(part.target, start, stop), own, start)
                    flat[start:stop].copy_(theta)

    def _arrived(self, part: _Part) -> None:
        parameter = part.target.parameter
        gradient, parameter.grad = parameter.grad, None
        if gradient is None:
            return
        with torch.no_grad():
            flat = gradient.reshape(-1)
            for start, stop in part.cut.ranges(self._chunk):
                tau = self._vectors.range(part.target, start, stop)
                part.cut.inner(flat[start:stop].float(), tau, part.sums, start)

    def run(self, loss: Loss, scale: float) -> tuple[float, float]:
        """One forward and backward pass to the composed parameters, whose gradients never live together."""
        with torch.enable_grad():
            total, weight = loss()
            if total.requires_grad:
                (total * scale).backward()  # type: ignore[no-untyped-call]
        return float(total.detach()), weight

    def take(self) -> Tensor:
        """The gradient [n, m] since the last take."""
        found = torch.zeros(self._shape, dtype=torch.float64)
        for part in self._parts:
            place = part.target.place
            found[part.rows, place.first : place.first + place.count] += part.sums.cpu()
            part.sums.zero_()
        return found
