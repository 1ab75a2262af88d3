"""Task vectors with thin factors, adapters above all, in product form: no τ = B A, no gradient of a weight.

    y = W x + Σ_i λ_i B_i (A_i x)          ∂L/∂λ_i = ⟨g xᵀ, B_i A_i⟩ = Σ_t (B_iᵀ g_t) · (A_i x_t),   g_t = ∂L/∂y_t

with s multiplied into B. A forward hook adds the products with λ as a leaf; what autograd keeps for it is A x, r
numbers a token and task vector. Holds for linear layers in which each block is the whole tensor; others are composed
densely.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from steerlang.weights.factors import exact_factors

from .composition import DenseComposition, Loss
from .pool import Pool
from .vectors import Target


@dataclass(frozen=True, eq=False)
class Factored:
    """The adapters of one layer, side by side.

    down   [R, in], up [out, R]: R is the sum of the ranks
    rows   the task vector of each of the R dimensions
    block  the number of the tensor's block
    """

    layer: nn.Module = field(repr=False)
    down: Tensor = field(repr=False)
    up: Tensor = field(repr=False)
    rows: Tensor = field(repr=False)
    block: int


def split_targets(module: nn.Module, pool: Pool, targets: Sequence[Target]) -> tuple[list[Target], list[Factored]]:
    """The targets that are composed densely, and the layers whose task vectors are all adapters."""
    owners: dict[int, list[tuple[nn.Module, str]]] = {}
    for layer in module.modules():
        for name, parameter in layer.named_parameters(recurse=False):
            owners.setdefault(id(parameter), []).append((layer, name))
    dense: list[Target] = []
    found: list[Factored] = []
    for target in targets:
        made = _factored(pool, target, owners[id(target.parameter)])
        found.append(made) if made is not None else dense.append(target)
    return dense, found


def _factored(pool: Pool, target: Target, owners: list[tuple[nn.Module, str]]) -> Factored | None:
    if target.place.cut != "whole" or len(owners) != 1 or owners[0][1] != "weight":
        return None
    layer = owners[0][0]
    turned = type(layer).__name__ == "Conv1D"
    if not turned and type(layer) is not nn.Linear:
        return None
    pairs = [exact_factors(pool.evaluation, pool.terms[number], target.tensor) for number in target.vectors]
    known = [pair for pair in pairs if pair is not None]
    if len(known) < len(pairs):
        return None
    # A `Conv1D` of transformers holds its weight as [in, out]: there τ = B A maps with B first.
    downs, ups = [b.T if turned else a for b, a in known], [a.T if turned else b for b, a in known]
    rows = np.repeat(target.vectors, [len(down) for down in downs])
    weight = target.parameter
    down, up = (
        torch.from_numpy(np.ascontiguousarray(whole)).to(weight.device, weight.dtype)
        for whole in (np.concatenate(downs, 0), np.concatenate(ups, 1))
    )
    return Factored(layer, down, up, torch.from_numpy(rows).to(weight.device), target.place.first)


class ProductComposition:
    """Adapters in product form, beside what is composed densely. Use it inside `with`."""

    def __init__(self, dense: DenseComposition, layers: Sequence[Factored], shape: tuple[int, int]) -> None:
        self._dense, self._layers = dense, layers
        self._values = torch.zeros(shape, device=layers[0].up.device, requires_grad=True)

    @contextmanager
    def opened(self) -> Iterator[ProductComposition]:
        """The products are added inside; the module is as it was when this is left."""
        with ExitStack() as stack:
            stack.enter_context(self._dense.opened())
            for factored in self._layers:
                stack.callback(self._hook(factored).remove)
            yield self

    def _hook(self, factored: Factored) -> Any:
        def add(_: nn.Module, arguments: tuple[Tensor, ...], output: Tensor) -> Tensor:
            (states,) = arguments
            # Coefficients and their gradient in float32, whatever the module's dtype.
            scaled = functional.linear(states, factored.down).float() * self._values[factored.rows, factored.block]
            return output + functional.linear(scaled.to(output.dtype), factored.up)

        return factored.layer.register_forward_hook(add)

    def set(self, values: Tensor) -> None:
        """Composes at coefficients [n, m]."""
        self._dense.set(values)
        with torch.no_grad():
            self._values.copy_(values)

    def run(self, loss: Loss, scale: float) -> tuple[float, float]:
        """One forward and backward pass."""
        return self._dense.run(loss, scale)

    def take(self) -> Tensor:
        """The gradient since the last take."""
        found, own = self._dense.take(), self._values.grad
        self._values.grad = None
        return found if own is None else found + own.double().cpu()
