"""Adapters in product form give what dense task vectors give, without a weight gradient."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from learning_models import Net, lora, rows, same_bits, snapshot, tuned, write
from torch import Tensor, nn

from steerlang.learning import Data, Pool, Settings, learn
from steerlang.learning.composing import composed
from steerlang.learning.product import ProductComposition
from steerlang.weights.blocks import Blocks
from steerlang.weights.expression import Difference, Lora, Scaled, Vector

LAYERS = ("layers.0.self_attn.q_proj", "layers.0.mlp", "layers.1.mlp", "fused")


def adapters_pool(folder: Path, net: Net, dense: bool = False) -> Pool:
    """Two adapters of different ranks, one of them scaled; with `dense` a plain task vector beside them."""
    base = write(folder / "base", dict(net.named_parameters()))
    adapters = {"a": lora(folder / "a", net, LAYERS, 2, 1), "b": lora(folder / "b", net, LAYERS[1:], 3, 2)}
    terms: dict[str, Vector] = {"a": Lora("a"), "b": Scaled(Lora("b"), 0.5)}
    checkpoints = {"base": base}
    if dense:
        checkpoints["t"] = write(folder / "t", tuned(net, 4))
        terms["t"] = Difference("t", "base")
    return Pool.of(terms, "base", checkpoints, adapters)


@pytest.mark.parametrize(
    "blocks", [Blocks(), Blocks(by="layer"), Blocks(by="all"), Blocks(by="row")], ids=lambda b: b.by
)
@pytest.mark.parametrize("dense", [False, True], ids=["adapters", "and a dense one"])
def test_product_form_is_the_dense_form(net: Net, tmp_path: Path, blocks: Blocks, dense: bool) -> None:
    pool, before = adapters_pool(tmp_path, net, dense), snapshot(net)
    index, data = pool.index(blocks), Data((rows(net),))
    found = [
        learn(net, pool, index, data, Settings(steps=6, batch_size=12, lr=0.05, adapters=form))  # type: ignore[arg-type]
        for form in ("product", "dense")
    ]
    losses = [[step.loss for step in one.history] for one in found]
    assert losses[0] == pytest.approx(losses[1], abs=1e-6)
    assert [s.norm for s in found[0].history] == pytest.approx([s.norm for s in found[1].history], rel=1e-4)
    torch.testing.assert_close(found[0].values, found[1].values, atol=1e-5, rtol=1e-4)
    assert found[0].values.abs().max() > 0.1
    assert same_bits(net, before)
    assert all(not module._forward_hooks for module in net.modules())


def test_no_weight_gets_a_gradient(net: Net, tmp_path: Path) -> None:
    pool = adapters_pool(tmp_path, net)
    index = pool.index(Blocks())
    with composed(net, pool, index, None, Settings(steps=1)) as (composition, _):
        assert isinstance(composition, ProductComposition)
        composition.set(torch.zeros(2, len(index.names)))
        seen: list[Tensor] = []
        net.embed.register_forward_hook(lambda m, i, o: seen.append(o))
        before = snapshot(net)
        composition.run(lambda: (net(torch.randn(3, 6)).square().sum(), 3.0), 1.0)
        assert not any(p.requires_grad for p in net.parameters())
        # Nothing is recorded before the first layer with an adapter.
        assert not seen[0].requires_grad
        assert same_bits(net, before)
        assert composition.take().abs().max() > 0


def test_layers_that_hold_their_weight_turned(tmp_path: Path) -> None:
    """`Conv1D` of transformers computes x W + b, W [in, out]; PEFT calls that `fan_in_fan_out`."""
    import json

    from safetensors.torch import save_file
    from transformers.pytorch_utils import Conv1D

    from steerlang.weights.adapters import Adapter

    torch.manual_seed(0)
    net = nn.Sequential()
    net.add_module("first", Conv1D(8, 6))
    net.add_module("last", nn.Linear(8, 4))
    base = write(tmp_path / "base", dict(net.named_parameters()))
    folder = tmp_path / "turned"
    folder.mkdir()
    factors = {"lora_A": torch.randn(2, 6), "lora_B": torch.randn(8, 2)}
    save_file(
        {f"base_model.model.first.{n}.weight": t for n, t in factors.items()}, folder / "adapter_model.safetensors"
    )
    said = {"peft_type": "LORA", "r": 2, "lora_alpha": 2, "fan_in_fan_out": True}
    (folder / "adapter_config.json").write_text(json.dumps(said))
    pool = Pool.of({"a": Lora("a")}, "base", {"base": base}, {"a": Adapter.open(folder, "a")})
    index, values, inputs = pool.index(Blocks()), torch.full((1, 4), 0.7), torch.randn(5, 6)
    outputs = []
    for form in ("product", "dense"):
        settings = Settings(steps=1, adapters=form)  # type: ignore[arg-type]
        with composed(net, pool, index, None, settings) as (composition, _), torch.no_grad():
            assert isinstance(composition, ProductComposition) == (form == "product")
            composition.set(values)
            outputs.append(net(inputs))
    torch.testing.assert_close(outputs[0], outputs[1], atol=1e-5, rtol=1e-5)
