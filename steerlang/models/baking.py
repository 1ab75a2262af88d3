"""Steering as weights: which tensors change so that the model by itself computes what the steered model computes.

    h + δ at every token      a bias δ of the projection whose output the block adds last (`folding`)
    h − V Vᵀ h at every write  W' = (1 − V Vᵀ) W for all that writes to the residual stream: embeddings, and the
                               projections of attention and MLP with their biases

Biases that the architecture has only under a setting of its configuration (`mlp_bias`) are asked for there, and all
others that the setting brings are zero. What no weights can hold exactly is refused. Sources: Turner et al., 2023;
Arditi et al., 2024, appendix on weight orthogonalisation.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from steerlang.kernels.steering import orthonormal_basis
from steerlang.models.actions import Ablate, Add, Recipe, SteeringAction
from steerlang.models.errors import CannotBake
from steerlang.models.folding import projection_of
from steerlang.models.layout import Layout
from steerlang.models.loading import LoadedModel
from steerlang.models.scopes import AllTokens

# Settings of configurations that give projections a bias; each is tried by building the model without weights.
_BIAS_SETTINGS = ("mlp_bias", "attention_bias", "use_bias", "bias", "add_bias_linear", "use_mlp_bias")


@dataclass(frozen=True, eq=False)
class Baked:
    """What changes, by the names of the model's state. All numbers are float32.

    shifts    added to a tensor; the last axis is the residual stream
    projects  a basis ``[K, D]`` and the axis of a tensor that is the residual stream: that span is taken out
    zeros     tensors that are new, with their shapes; shifts may name them
    copies    tensors that are new, and the tensor each is a copy of (a head that was tied)
    settings  of the configuration of the text model
    """

    shifts: Mapping[str, Tensor] = field(default_factory=dict)
    projects: Mapping[str, tuple[Tensor, int]] = field(default_factory=dict)
    zeros: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    copies: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)


def bake(loaded: LoadedModel, recipe: Recipe) -> Baked:
    """The weights that do what ``recipe`` does. Raises CannotBake with the reason where there are none."""
    operators = {type(action.operator) for action in recipe}
    for action in recipe:
        _check_constant(action)
    if operators == {Add}:
        return _with_biases(loaded, *shifts_of(loaded, recipe))
    if operators == {Ablate}:
        return _orthogonal(loaded, recipe)
    raise CannotBake("additions and ablations in one model: what is added would be ablated in part", "bake one of them")


def adapter_shifts(loaded: LoadedModel, recipe: Recipe) -> dict[str, Tensor]:
    """What an adapter adds to the outputs of modules, by name. Raises CannotBake where there is more to do."""
    for action in recipe:
        _check_constant(action)
        if not isinstance(action.operator, Add) or action.site.kind == "embedding":
            raise CannotBake("an adapter adds to outputs of projections, and nothing else", "write form = weights")
    return shifts_of(loaded, recipe)[0]


def _check_constant(action: SteeringAction) -> None:
    name = type(action.operator).__name__.lower()
    if not isinstance(action.operator, Add | Ablate) or (
        isinstance(action.operator, Add) and action.operator.norm != "free"
    ):
        raise CannotBake(f"what {name} does depends on the state it meets", "only add with a free norm and ablate are")
    if action.gate is not None or action.schedule is not None:
        raise CannotBake("gates and schedules decide while the model runs", "leave them out")
    if not isinstance(action.tokens, AllTokens):
        raise CannotBake("weights act on every token, and this steers some of them", "steer all tokens")


def shifts_of(loaded: LoadedModel, recipe: Recipe) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """What is added by projections, by module name, and by embeddings, by module name: float32 ``[D]`` each."""
    layout = loaded.layout
    by_module: dict[str, Tensor] = {}
    by_embedding: dict[str, Tensor] = {}
    for action in recipe:
        scales = torch.tensor(action.scales, dtype=torch.float64)
        for layer, vectors in action.directions.items():
            delta = (scales @ vectors.double().cpu()).float()
            if action.site.kind == "embedding":
                root: Any = layout.root
                name, into = _name(layout, root.get_input_embeddings()), by_embedding
            else:
                name, into = _projection(layout, action.site.kind, layer), by_module
            into[name] = into[name] + delta if name in into else delta
    return by_module, by_embedding


def _projection(layout: Layout, kind: str, layer: int) -> str:
    """The projection that writes what a site of a layer is."""
    parts = layout.parts[layer]
    if kind == "residual":
        found = projection_of(layout, layer)
        if found is not None:
            return found.name
        last = parts.last or "its last part"
        raise CannotBake(
            f"block {layer} adds to the residual stream what {last} gives, which is no projection's output as it is",
            "steer it while it runs",
        )
    names = {"attention": parts.attention_projection, "mlp": parts.mlp_projection}
    name = names.get(kind)
    if name is None:
        raise CannotBake(
            f"what is steered at {kind} of layer {layer} is no projection's output as it is", "steer at residual"
        )
    return f"{layout.blocks_name}.{layer}.{name}"


def _with_biases(loaded: LoadedModel, by_module: dict[str, Tensor], by_embedding: dict[str, Tensor]) -> Baked:
    model = loaded.model
    bare = [name for name in by_module if model.get_submodule(name).bias is None]
    settings, zeros = _bias_settings(model, bare) if bare else ({}, {})
    shifts = {f"{name}.bias": delta for name, delta in by_module.items()}
    copies: dict[str, str] = {}
    for name, delta in by_embedding.items():
        shifts[f"{name}.weight"] = delta
    if by_embedding:
        copies, untied = _untied(loaded)
        settings = {**settings, **untied}
    return Baked(shifts, zeros=zeros, copies=copies, settings=settings)


def _bias_settings(model: Any, bare: list[str]) -> tuple[dict[str, Any], dict[str, tuple[int, ...]]]:
    """The setting that gives these modules a bias, and all tensors that it brings."""
    before = set(model.state_dict())
    for setting in _BIAS_SETTINGS:
        config = copy.deepcopy(model.config)
        text = config.get_text_config(decoder=True)
        if getattr(text, setting, None) is not False:
            continue
        setattr(text, setting, True)
        with torch.device("meta"):
            other = type(model)(config)
        new = {name: tuple(t.shape) for name, t in other.state_dict().items() if name not in before}
        if all(f"{name}.bias" in new for name in bare) and all(name.endswith(".bias") for name in new):
            return {setting: True}, new
    raise CannotBake(
        f"{bare[0]} has no bias, and no setting of this architecture gives it one",
        "write an adapter instead: form = adapter",
        by_adapter=True,
    )


def _orthogonal(loaded: LoadedModel, recipe: Recipe) -> Baked:
    layout = loaded.layout
    basis = _one_basis(recipe)
    _check_every_write(layout, recipe)
    projects: dict[str, tuple[Tensor, int]] = {}
    for layer in range(layout.depth):
        for kind in ("attention", "mlp"):
            name = _projection(layout, kind, layer)
            module = layout.root.get_submodule(name)
            projects[f"{name}.weight"] = (basis, 1 if type(module) is Conv1D else 0)
            if module.bias is not None:
                projects[f"{name}.bias"] = (basis, 0)
    inside = {id(module) for block in layout.blocks for module in block.modules()}
    for name, module in layout.decoder.named_modules():
        if isinstance(module, nn.Embedding) and id(module) not in inside and module.embedding_dim == layout.width:
            projects[f"{layout.decoder_name}.{name}.weight".lstrip(".")] = (basis, 1)
    copies, settings = _untied(loaded)
    return Baked(projects=projects, copies=copies, settings=settings)


def _one_basis(recipe: Recipe) -> Tensor:
    """The span that every action takes out, ``[K, D]``: weights write at every layer, so it must be the same at all."""
    spans: list[Tensor] = []
    for action in recipe:
        if any(scale != 1.0 for scale in action.scales):
            raise CannotBake("a part of the direction is left by every layer", "bake ablations with strength = 1")
        spans += [orthonormal_basis(vectors.float()) for vectors in action.directions.values()]
    first = spans[0]
    if any(s.shape != first.shape or not torch.allclose(s.T @ s, first.T @ first, atol=1e-4) for s in spans[1:]):
        raise CannotBake(
            "layers ablate different directions, and each would have to take out those of all others",
            "ablate one direction at every layer",
        )
    return first


def _check_every_write(layout: Layout, recipe: Recipe) -> None:
    """Whatever the weights write is without the direction: so must be what the steered model reads, everywhere."""
    where: dict[str, set[int]] = {}
    for action in recipe:
        where.setdefault(action.site.kind, set()).update(action.directions)
    every = set(range(layout.depth))
    at_the_end = where.get("residual", set()) | where.get("mlp", set()) | {
        layer - 1 for layer in where.get("residual_in", set())
    }
    if not (where.get("embedding") or 0 in where.get("residual_in", set())):
        raise CannotBake(
            "what enters block 0 is not ablated, and orthogonalised embeddings would be", "ablate at embedding as well"
        )
    if missing := sorted(every - at_the_end):
        raise CannotBake(f"layer {missing[0]} is not ablated", "ablate at every layer: layers = all")
    unablated = sorted(every - where.get("attention", set()))
    reading = next((layer for layer in unablated if not _reads_no_attention(layout, layer)), None)
    if reading is not None:
        raise CannotBake(
            f"the MLP of layer {reading} reads what attention wrote before it is ablated",
            "ablate at attention as well, or steer the model while it runs",
        )


def _reads_no_attention(layout: Layout, layer: int) -> bool:
    """Whether attention and MLP run beside each other: what attention gives does not change what the MLP gives."""
    parts, block = layout.parts[layer], layout.blocks[layer]
    if parts.attention is None or parts.mlp is None:
        return False
    seen: list[Tensor] = []

    def keep(_: nn.Module, __: Any, output: Any) -> None:
        seen.append((output if isinstance(output, Tensor) else output[0]).clone())

    def push(_: nn.Module, __: Any, output: Any) -> Any:
        return output + 1.0 if isinstance(output, Tensor) else (output[0] + 1.0, *output[1:])

    ids = torch.arange(5, device=layout.device)[None]
    listening = block.get_submodule(parts.mlp).register_forward_hook(keep)
    try:
        with torch.no_grad():
            layout.run(ids, use_cache=False)
            pushing = block.get_submodule(parts.attention).register_forward_hook(push)
            try:
                layout.run(ids, use_cache=False)
            finally:
                pushing.remove()
    finally:
        listening.remove()
    return torch.equal(seen[0], seen[1])


def _untied(loaded: LoadedModel) -> tuple[dict[str, str], dict[str, Any]]:
    """A head that is the embedding gets numbers of its own, those from before."""
    model = loaded.model
    head, embedding = model.get_output_embeddings(), model.get_input_embeddings()
    if head is None or head.weight is not embedding.weight:
        return {}, {}
    return (
        {f"{_name(loaded.layout, head)}.weight": f"{_name(loaded.layout, embedding)}.weight"},
        {"tie_word_embeddings": False},
    )


def _name(layout: Layout, module: nn.Module) -> str:
    return next(str(name) for name, other in layout.root.named_modules() if other is module)
