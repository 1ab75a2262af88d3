"""Which parameter a tensor of a checkpoint is."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import torch
from learning_models import Net, pool_of, rows, write
from torch import nn

from steerlang.learning import Data, LearningError, Pool, Settings, learn
from steerlang.learning.parameters import map_parameters
from steerlang.weights.blocks import Blocks
from steerlang.weights.checkpoint import Checkpoint
from steerlang.weights.expression import Difference


def named(module: nn.Module) -> dict[int, str]:
    return {id(p): name for name, p in module.named_parameters()}


def test_renamed_by_the_library(tmp_path: Path) -> None:
    """Vision transformers are stored under other names than their parameters have."""
    from transformers import ViTConfig, ViTForImageClassification

    torch.manual_seed(0)
    config = ViTConfig(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, image_size=8,
                       patch_size=4, num_labels=3)  # fmt: skip
    model = ViTForImageClassification(config)
    model.save_pretrained(tmp_path)
    checkpoint = Checkpoint.open(tmp_path)
    found = map_parameters(model, checkpoint, checkpoint.names)
    assert len(found.parameters) == len(list(model.parameters())) == len(checkpoint.names)
    for tensor, parameter in found.parameters.items():
        stored = torch.from_numpy(checkpoint.read(tensor, 0, parameter.numel())).view(parameter.shape)
        assert torch.equal(stored, parameter.detach()), tensor
    assert any(tensor not in dict(model.named_parameters()) for tensor in found.parameters)


def test_a_base_model_in_a_head_model(net: Net, tmp_path: Path) -> None:
    """Tensors of the base alone, for a module that holds it under a prefix, and the other way round."""
    outer = nn.Module()
    outer.body, outer.top = net, nn.Linear(4, 2)
    inner = write(tmp_path / "inner", dict(net.named_parameters()))
    found = map_parameters(outer, inner, inner.names)
    assert {named(outer)[id(p)] for p in found.parameters.values()} == {f"body.{name}" for name in inner.names}
    whole = write(tmp_path / "outer", dict(outer.named_parameters()))
    back = map_parameters(net, whole, [name for name in whole.names if name.startswith("body.")])
    assert {id(p) for p in back.parameters.values()} == {id(p) for p in net.parameters()}


def test_tied_tensors_are_one_parameter(tmp_path: Path) -> None:
    net = Net()
    net.layers[1]["mlp"].weight = net.layers[0]["mlp"].weight  # type: ignore[index]
    tensors = dict(net.named_parameters(remove_duplicate=False))
    base = write(tmp_path / "base", {name: p.detach().clone() for name, p in tensors.items()})
    tuned = write(tmp_path / "t0", {name: p.detach() + 0.1 for name, p in tensors.items()})
    pool = Pool.of({"t0": Difference("t0", "base")}, "base", {"base": base, "t0": tuned})
    index, shadowed = pool.index(Blocks()), "layers.1.mlp.weight"
    found = learn(net, pool, index, Data((rows(net),)), Settings(steps=2, batch_size=8))
    assert [note for note in found.notes if shadowed in note]
    assert float(found.values[0, index.names.index(shadowed)]) == 0.0
    assert float(found.values[0, index.names.index("layers.0.mlp.weight")]) != 0.0


def test_tensors_without_a_parameter_are_listed(net: Net, tmp_path: Path) -> None:
    pool = pool_of(tmp_path, net, 1)
    other = Net()
    other.head = nn.Linear(8, 5)
    del other.fused
    with pytest.raises(LearningError, match=r"`fused\.bias`.*3|fused") as caught:
        learn(other, pool, pool.index(Blocks()), Data((rows(other),)), Settings(steps=1))
    assert caught.value.code.id == "SL809"
    assert "4 tensors have no parameter" in caught.value.notes[0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert all(p.grad is None for p in other.parameters())
