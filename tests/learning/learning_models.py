"""Small modules with checkpoints of their own, data sets for them, and the merge as autograd sees it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.func import functional_call

from steerlang.learning import Pool, Strength, View
from steerlang.weights.adapters import Adapter
from steerlang.weights.blocks import BlockIndex
from steerlang.weights.checkpoint import Checkpoint
from steerlang.weights.expression import Difference, Vector

CLASSES, INPUTS = 4, 6


class Attention(nn.Module):
    """Names as models have them: three projections of one shape."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.q_proj, self.k_proj, self.v_proj = (nn.Linear(width, width) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        scores = (self.q_proj(x) * self.k_proj(x)).softmax(-1)
        mixed: Tensor = scores * self.v_proj(x)
        return mixed


class Net(nn.Module):
    """A classifier of vectors [n, 6]: two numbered blocks, a fused matrix, a norm and a head."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.embed = nn.Linear(INPUTS, width)
        self.layers = nn.ModuleList([nn.ModuleDict({"self_attn": Attention(width), "mlp": nn.Linear(width, width)})
                                     for _ in range(2)])  # fmt: skip
        self.fused = nn.Linear(width, 3 * width)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, CLASSES)
        self.drop = nn.Dropout(0.5)

    def forward(self, x: Tensor) -> Tensor:
        states = self.drop(self.embed(x))
        for layer in self.layers:
            states = states + layer["self_attn"](states)  # type: ignore[index]
            states = states + layer["mlp"](states).tanh()  # type: ignore[index]
        states = states + self.fused(states).view(len(x), 3, -1).sum(1).sin()
        logits: Tensor = self.head(self.norm(states))
        return logits


@dataclass
class Rows:
    """A data set of vectors; weak views add a little noise, strong ones more."""

    name: str
    module: nn.Module
    inputs: Tensor
    labels: Tensor | None
    seen: list[tuple[list[int], View]] = field(default_factory=list)
    damage: Callable[[Tensor], Tensor] = lambda logits: logits

    @property
    def count(self) -> int:
        return len(self.inputs)

    def logits(self, rows: Sequence[int], view: View) -> Tensor:
        self.seen.append((list(rows), view))
        x = self.inputs[list(rows)]
        if view.strength is not Strength.PLAIN:
            noise = torch.Generator().manual_seed(view.draw)
            size = 0.1 if view.strength is Strength.WEAK else 0.5
            x = x + size * torch.randn(self.inputs.shape, generator=noise)[list(rows)]
        return self.damage(self.module(x))


def rows(module: nn.Module, count: int = 24, seed: int = 0, name: str = "few", labelled: bool = True) -> Rows:
    chance = torch.Generator().manual_seed(seed)
    inputs = torch.randn(count, INPUTS, generator=chance)
    labels = torch.randint(0, CLASSES, (count,), generator=chance)
    return Rows(name, module, inputs, labels if labelled else None)


def write(folder: Path, tensors: Mapping[str, Tensor]) -> Checkpoint:
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"model_type": "net"}))
    return Checkpoint.open(folder, folder.name)


def tuned(module: nn.Module, seed: int, size: float = 0.2) -> dict[str, Tensor]:
    chance = torch.Generator().manual_seed(seed)
    return {
        name: (p.detach().float() + size * torch.randn(p.shape, generator=chance)).to(p.dtype)
        for name, p in module.named_parameters()
    }


def pool_of(folder: Path, module: nn.Module, count: int = 3, size: float = 0.2) -> Pool:
    """`count` task vectors t0, t1, … that move every parameter."""
    checkpoints = {"base": write(folder / "base", dict(module.named_parameters()))}
    for number in range(count):
        checkpoints[f"t{number}"] = write(folder / f"t{number}", tuned(module, number + 1, size))
    terms: dict[str, Vector] = {f"t{number}": Difference(f"t{number}", "base") for number in range(count)}
    return Pool.of(terms, "base", checkpoints)


def lora(folder: Path, module: nn.Module, layers: Sequence[str], rank: int, seed: int) -> Adapter:
    """A PEFT adapter on some linear layers."""
    folder.mkdir(parents=True)
    chance, tensors = torch.Generator().manual_seed(seed), {}
    for layer in layers:
        out, into = module.get_parameter(f"{layer}.weight").shape
        tensors[f"base_model.model.{layer}.lora_A.weight"] = torch.randn(rank, into, generator=chance)
        tensors[f"base_model.model.{layer}.lora_B.weight"] = 0.2 * torch.randn(out, rank, generator=chance)
    save_file(tensors, folder / "adapter_model.safetensors")
    said = {"peft_type": "LORA", "r": rank, "lora_alpha": 2 * rank}
    (folder / "adapter_config.json").write_text(json.dumps(said))
    return Adapter.open(folder, folder.name)


def merged(pool: Pool, index: BlockIndex, values: Tensor) -> dict[str, Tensor]:
    """θ_0 + Σ Λ τ as autograd sees it, with one-hot masks of the blocks: [n, m] `values` may require gradients."""
    found = {}
    for tensor in pool.plan.editable:
        shape, count = pool.base.info(tensor).shape, pool.base.info(tensor).count
        theta = torch.from_numpy(pool.base.read(tensor, 0, count))
        place = index.places.get(tensor)
        for number, term in enumerate(pool.terms):
            tau = pool.evaluation.vector(term, tensor)
            if tau is None or place is None:
                continue
            inside = torch.from_numpy(index.inside(tensor, 0, count).astype("int64"))
            masks = nn.functional.one_hot(inside, place.count).float()
            theta = theta + (masks @ values[number, place.first : place.first + place.count]) * torch.tensor(
                tau(0, count)
            )
        found[tensor] = theta.view(shape)
    return found


def through_merge(module: nn.Module, pool: Pool, index: BlockIndex, values: Tensor, inputs: Tensor) -> Tensor:
    """The module's output with merged parameters, differentiable in the coefficients."""
    output: Tensor = functional_call(module, merged(pool, index, values), (inputs,))
    return output


def snapshot(module: nn.Module) -> dict[str, Tensor]:
    return {name: p.detach().clone() for name, p in module.state_dict().items()}


def same_bits(module: nn.Module, before: Mapping[str, Tensor]) -> bool:
    after = module.state_dict()
    return all(torch.equal(after[n].contiguous().view(torch.uint8), b.contiguous().view(torch.uint8))
               for n, b in before.items())  # fmt: skip
