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
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from steerlang.weights.blocks import BlockIndex

from .cuts import Cut, Scratch, cut_of
from .originals import Original
from .parameters import map_parameters
from .pool import Pool
from .vectors import Target, Vectors, chunk_of

# What a pass computes: a sum of losses, and the weight (rows, tokens) that it is a sum over.
Loss = Callable[[], tuple[Tensor, float]]


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
    """One target while learning.

    sums  Σ τ g so far [k, its blocks]
    rows  the task vectors' numbers [k]
    """

    target: Target
    cut: Cut
    chunk: int
    sums: Tensor
    rows: Tensor
    original: Original | None = None
    had_gradient: Tensor | None = None
    handle: Any = field(default=None, repr=False)


class DenseComposition:
    """Composes parameters in place. Use it inside `with`: afterwards the module is as it was, bit by bit."""

    def __init__(self, module: nn.Module, pool: Pool, targets: Sequence[Target], shape: tuple[int, int],
                 memory: int = 0) -> None:  # fmt: skip
        self._module, self._pool, self._shape = module, pool, shape
        self._device = next(module.parameters()).device
        self._scratch = Scratch()
        self._vectors = Vectors(pool, targets, memory, self._device)
        self._parts = [self._part(target) for target in targets]

    def _part(self, target: Target) -> _Part:
        cut = cut_of(target.place, self._device, self._scratch)
        sums = torch.zeros(len(target.vectors), target.place.count, dtype=torch.float64, device=self._device)
        return _Part(target, cut, chunk_of(target, self._device), sums, torch.tensor(target.vectors))

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
        self._keep_original(part)
        parameter.requires_grad_(True)
        hook = parameter.register_post_accumulate_grad_hook
        part.handle = hook(lambda _: self._arrived(part))  # type: ignore[no-untyped-call]

    def _keep_original(self, part: _Part) -> None:
        part.original = Original.of(part.target, self._pool, self._device)

    def _end(self, part: _Part) -> None:
        if part.handle is not None:
            part.handle.remove()
        part.target.parameter.grad = part.had_gradient
        if part.original is not None:
            with torch.no_grad():
                part.original.restore()

    def set(self, values: Tensor) -> None:
        """Composes at coefficients [n, m] in float32 and stores in the parameters' dtype."""
        placed = values.to(self._device, torch.float32)
        with torch.no_grad():
            for part in self._parts:
                place = part.target.place
                self._compose(part, placed[part.rows, place.first : place.first + place.count])

    def _compose(self, part: _Part, own: Tensor) -> None:
        assert part.original is not None
        flat = part.target.parameter.data.view(-1)
        wide = flat.dtype == torch.float32
        for start, stop in part.cut.ranges(part.chunk):
            theta = flat[start:stop] if wide else torch.empty(stop - start, device=self._device)
            part.original.write(start, stop, theta)
            part.cut.add(theta, self._vectors.range(part.target, start, stop), own, start)
            if not wide:
                flat[start:stop].copy_(theta)

    def _arrived(self, part: _Part) -> None:
        parameter = part.target.parameter
        gradient, parameter.grad = parameter.grad, None
        if gradient is None:
            return
        with torch.no_grad():
            flat = gradient.reshape(-1)
            for start, stop in part.cut.ranges(part.chunk):
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
