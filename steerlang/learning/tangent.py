"""The tangent space: f_lin(x) = f(x; θ_0) + J(x; θ_0) Δ, Δ = Σ_i Λ_i τ_i (Ortiz-Jimenez et al., 2023).

f is a call of the module, or of one of its methods that give features (`get_image_features`): what a head outside makes
of the output is not linearised. For a loss L, v = ∂L/∂f_lin and

    ∂L/∂λ_ij = ⟨Jᵀ v, τ_ij⟩

J Δ comes from one forward pass in forward mode, Jᵀ v from one forward and backward pass at θ_0. Cost: about two forward
passes more than a step of the composed model; memory: Δ, as large as the composed parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel

from steerlang.diagnostics import codes

from .composition import DenseComposition, Loss
from .errors import LearningError

_dual: Callable[[Tensor, Tensor], Tensor] = forward_ad.make_dual
_unpacked: Callable[[Tensor], tuple[Tensor, Tensor | None]] = forward_ad.unpack_dual


class _Call(nn.Module):
    """Calls a method of a module; what it holds are the module's parameters under the prefix `module.`."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, method: Callable[..., Any], arguments: tuple[Any, ...], named: Mapping[str, Any]) -> Any:
        return method(*arguments, **named)


def _entries(module: nn.Module) -> list[str]:
    """The methods that a caller gets outputs by."""
    features = [n for n in dir(type(module)) if n.startswith("get_") and n.endswith("_features")]
    return ["forward", *(name for name in features if callable(getattr(type(module), name)))]


class TangentComposition(DenseComposition):
    """The module's calls give f_lin while this is open; its parameters stay θ_0."""

    @contextmanager
    def opened(self) -> Iterator[TangentComposition]:
        """The module is linearised inside, and as it was when this is left."""
        own = {name: self._module.__dict__.get(name) for name in _entries(self._module)}
        self._call = _Call(self._module)
        self._tangents = {name: torch.zeros_like(p) for name, p in self._composed_parameters()}
        self._outputs: list[Tensor] | None = None
        self._at_base = self._inside = False
        try:
            for name in own:
                setattr(self._module, name, self._entry(getattr(self._module, name)))
            with super().opened():
                yield self
        finally:
            for name, method in own.items():
                self._module.__dict__.pop(name, None)
                if method is not None:
                    setattr(self._module, name, method)

    def _composed_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        composed = {id(part.target.parameter) for part in self._parts}
        for name, parameter in self._module.named_parameters():
            if id(parameter) in composed:
                yield f"module.{name}", parameter

    def _keep_original(self, part: Any) -> None:
        """Nothing is written into the parameters."""

    def set(self, values: Tensor) -> None:
        """Makes Δ of coefficients [n, m], in float32, stored in the parameters' dtype."""
        placed = values.to(self._device, torch.float32)
        names = {id(parameter): name for name, parameter in self._composed_parameters()}
        with torch.no_grad():
            for part in self._parts:
                flat, place = self._tangents[names[id(part.target.parameter)]].view(-1), part.target.place
                own = placed[part.rows, place.first : place.first + place.count]
                for start, stop in part.cut.ranges(part.chunk):
                    change = torch.zeros(stop - start, device=self._device)
                    part.cut.add(change, self._vectors.range(part.target, start, stop), own, start)
                    flat[start:stop].copy_(change)

    def run(self, loss: Loss, scale: float) -> tuple[float, float]:
        """The loss of f_lin, and its gradient: v by ordinary backward through the head, then Jᵀ v."""
        with torch.enable_grad():
            linear: list[Tensor] = []
            base: list[Tensor] = []
            self._outputs = linear
            total, weight = loss()
            if not total.requires_grad:
                help = "the data's head has to call the module itself, not its parts"
                raise LearningError("the linearised module was not called", help, codes.RUN_FAILED)
            (total * scale).backward()  # type: ignore[no-untyped-call]
            self._at_base, self._outputs = True, base
            try:
                loss()
            finally:
                self._at_base, self._outputs = False, None
            pairs = [(o, m.grad) for o, m in zip(base, linear, strict=True) if m.grad is not None and o.requires_grad]
            if pairs:
                torch.autograd.backward([o for o, _ in pairs], [v for _, v in pairs])
        return float(total.detach()), weight

    def _entry(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def entered(*arguments: Any, **named: Any) -> Any:
            if self._inside:
                return method(*arguments, **named)
            self._inside = True
            try:
                return self._entered(method, arguments, named)
            finally:
                self._inside = False

        return entered

    def _entered(self, method: Callable[..., Any], arguments: tuple[Any, ...], named: Mapping[str, Any]) -> Any:
        if self._at_base:
            return _mapped(method(*arguments, **named), self._recorded)
        # Fused attention has no forward mode.
        with forward_ad.dual_level(), sdpa_kernel(SDPBackend.MATH), torch.no_grad():
            parameters = dict(self._composed_parameters())
            duals = {n: _dual(p.detach(), self._tangents[n]) for n, p in parameters.items()}
            found = functional_call(self._call, duals, (method, arguments, named))
            return _mapped(found, self._linear)

    def _linear(self, output: Tensor) -> Tensor:
        primal, tangent = _unpacked(output)
        moved = primal.detach() if tangent is None else primal.detach() + tangent
        return self._recorded(moved.requires_grad_())

    def _recorded(self, output: Tensor) -> Tensor:
        if self._outputs is not None:
            self._outputs.append(output)
        return output


def _mapped(output: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """An output with each of its floating tensors changed: a tensor, a tuple, a list, a dictionary, nested."""
    if isinstance(output, Tensor):
        return change(output) if output.is_floating_point() else output
    if isinstance(output, Mapping):
        # Outputs of transformers are ordered dictionaries that are also attributes: they are changed in place.
        for name, value in list(output.items()):
            output[name] = _mapped(value, change)  # type: ignore[index]
        return output
    if isinstance(output, (tuple, list)):
        return type(output)(_mapped(value, change) for value in output)
    return output
