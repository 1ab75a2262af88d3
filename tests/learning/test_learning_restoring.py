"""Afterwards the module is as it was, bit by bit, whatever happened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from learning_models import Net, Rows, pool_of, rows, same_bits, snapshot
from torch import Tensor

from steerlang.learning import Data, LearningError, Pool, Settings, Supervised, block_gradient, learn, search
from steerlang.weights.blocks import Blocks

FORMS: dict[str, dict[str, Any]] = {"composed": {}, "linearised": {"linearize": True}}


class Stop(Exception):  # noqa: N818
    pass


def stopping(after: int) -> Any:
    def progress(done: int, steps: int, loss: float) -> None:
        if done == after:
            raise Stop

    return progress


def state_of(net: Net) -> tuple[Any, ...]:
    parameters, modules = list(net.parameters()), list(net.modules())
    return (
        [p.requires_grad for p in parameters],
        [None if p.grad is None else p.grad.clone() for p in parameters],
        [m.training for m in modules],
        [len(m._forward_hooks) for m in modules],
        [len(p._post_accumulate_grad_hooks or ()) for p in parameters],
        "forward" in net.__dict__,
    )


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("fault", ["none", "progress", "loss", "nan"])
def test_restored(net: Net, pool: Pool, form: str, fault: str) -> None:
    net.train()
    net.layers[0].eval()
    net.embed.weight.requires_grad_(False)
    net.head.bias.grad = torch.ones(4)
    before, state, examples = snapshot(net), state_of(net), rows(net)
    calls = 0

    def damage(logits: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        if fault == "loss" and calls == 3:
            raise Stop
        return logits * float("nan") if fault == "nan" and calls == 3 else logits

    examples.damage = damage
    settings = Settings(steps=4, batch_size=12, lr=0.1, **FORMS[form])
    progress = stopping(2) if fault == "progress" else None
    if fault == "none":
        found = learn(net, pool, pool.index(Blocks()), Data((examples,)), settings)
        assert found.values.abs().max() > 0.05
    else:
        with pytest.raises(LearningError if fault == "nan" else Stop):
            learn(net, pool, pool.index(Blocks()), Data((examples,)), settings, progress=progress)
    assert same_bits(net, before)
    after = state_of(net)
    assert after[0] == state[0]
    assert after[2:] == state[2:]
    assert net.head.bias.grad is not None
    assert torch.equal(net.head.bias.grad, torch.ones(4))
    assert sum(g is not None for g in after[1]) == 1


def test_a_module_that_is_not_its_checkpoint(net: Net, pool: Pool) -> None:
    """θ_0 is what the module holds: tensors that the checkpoint does not give are kept in memory."""
    with torch.no_grad():
        net.head.weight.add_(0.25)
        net.norm.weight[0] = -0.0
    before = snapshot(net)
    net.eval()
    wanted = net(torch.ones(2, 6)).detach()
    seen: list[Tensor] = []
    examples = rows(net)
    examples.damage = lambda logits: (seen.append(logits.detach().clone()), logits)[1]
    index = pool.index(Blocks())
    block_gradient(net, pool, index, Data((examples,)), Supervised())
    assert torch.equal(seen[0], net(examples.inputs))
    assert torch.equal(net(torch.ones(2, 6)), wanted)
    learn(net, pool, index, Data((examples,)), Settings(steps=2, batch_size=12))
    assert same_bits(net, before)


def test_parameters_that_do_not_lie_in_one_piece(net: Net, pool: Pool) -> None:
    net.fused.weight.data = net.fused.weight.data.T.contiguous().T
    stride, before = net.fused.weight.stride(), snapshot(net)
    data, index = Data((rows(net),)), pool.index(Blocks(by="row"))
    first = learn(net, pool, index, data, Settings(steps=2, batch_size=12)).values
    assert net.fused.weight.stride() == stride
    assert same_bits(net, before)
    net.fused.weight.data = net.fused.weight.data.contiguous()
    assert torch.equal(learn(net, pool, index, data, Settings(steps=2, batch_size=12)).values, first)


def test_other_dtypes_of_module_and_file(tmp_path: Path) -> None:
    """A module in bfloat16 over float32 files, and the other way round."""
    torch.manual_seed(0)
    net = Net()
    pool = pool_of(tmp_path / "wide", net)
    half = Net().to(torch.bfloat16)
    half.load_state_dict(net.state_dict())
    before = snapshot(half)
    learn(half, pool, pool.index(Blocks()), Data((rows_in(half, torch.bfloat16),)), Settings(steps=2, batch_size=12))
    assert same_bits(half, before)
    narrow = pool_of(tmp_path / "narrow", half)
    net.load_state_dict(half.state_dict())
    before = snapshot(net)
    learn(net, narrow, narrow.index(Blocks()), Data((rows(net),)), Settings(steps=2, batch_size=12))
    assert same_bits(net, before)


def rows_in(net: Net, dtype: torch.dtype) -> Rows:
    found = rows(net)
    found.inputs = found.inputs.to(dtype)
    return found


@pytest.mark.parametrize("linearize", [False, True])
def test_search_restores(net: Net, pool: Pool, linearize: bool) -> None:
    before, data = snapshot(net), Data((rows(net),))
    found = search(net, pool, pool.index(Blocks()), data, Supervised(), grid=(0.0, 0.5, 1.0), linearize=linearize)
    assert len(found.trials) == 3
    assert same_bits(net, before)
