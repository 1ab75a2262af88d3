"""The linearised model against jvp, autograd and finite differences."""

from __future__ import annotations

from pathlib import Path

import torch
from learning_models import Net, merged, pool_of, rows
from torch import Tensor
from torch.func import functional_call, jvp
from torch.nn import functional

from steerlang.learning import Data, Pool, Settings, Supervised, View, block_gradient, learn
from steerlang.learning.composing import composed
from steerlang.weights.blocks import BlockIndex, Blocks


def linear(net: Net, pool: Pool, index: BlockIndex, values: Tensor, inputs: Tensor) -> Tensor:
    """f(θ_0) + J Δ, differentiable in the coefficients."""
    base = {name: p.detach() for name, p in net.named_parameters()}
    theta = merged(pool, index, values)
    change = {name: theta[name] - base[name] for name in base}
    output, moved = jvp(lambda p: functional_call(net, p, (inputs,)), (base,), (change,))
    found: Tensor = output + moved
    return found


def test_outputs_and_gradients(net: Net, pool: Pool) -> None:
    index, examples = pool.index(Blocks()), rows(net)
    net.eval()
    values = 0.5 * torch.randn(3, len(index.names), generator=torch.Generator().manual_seed(2))
    leaf = values.clone().requires_grad_()
    assert examples.labels is not None
    wanted = linear(net, pool, index, leaf, examples.inputs)
    # A head of its own, which is not linearised.
    loss = functional.cross_entropy(wanted.tanh() * 3, examples.labels)
    loss.backward()
    examples.damage = lambda logits: logits.tanh() * 3
    data = Data((examples,))
    found = block_gradient(net, pool, index, data, Supervised(), at=values, batch_size=10, linearize=True)
    assert abs(found.loss - loss.item()) < 1e-5
    assert leaf.grad is not None
    torch.testing.assert_close(found.values.float(), leaf.grad, atol=1e-5, rtol=1e-4)
    with composed(net, pool, index, None, Settings(steps=1, linearize=True)) as (composition, _), torch.no_grad():
        composition.set(values)
        torch.testing.assert_close(net(examples.inputs), wanted.detach(), atol=1e-5, rtol=1e-5)


def test_finite_differences(tmp_path: Path) -> None:
    """What is left out is of second order: a quarter of the step leaves a sixteenth of it."""
    torch.manual_seed(0)
    net = Net()
    pool = pool_of(tmp_path, net, 2, size=0.01)
    index, inputs = pool.index(Blocks(by="all")), torch.randn(5, 6)
    outputs: dict[tuple[bool, float], Tensor] = {}
    for linearize in (False, True):
        settings = Settings(steps=1, linearize=linearize)
        with composed(net, pool, index, None, settings) as (composition, _), torch.no_grad():
            for scale in (0.0, 0.25, 1.0):
                composition.set(torch.full((2, 1), scale))
                outputs[linearize, scale] = net(inputs).clone()
    assert torch.equal(outputs[True, 0.0], outputs[False, 0.0])
    whole, quarter = ((outputs[True, scale] - outputs[False, scale]).norm().item() for scale in (1.0, 0.25))
    assert whole / 20 < quarter < whole / 12
    assert whole < 0.1 * (outputs[True, 1.0] - outputs[True, 0.0]).norm().item()


def test_a_model_with_attention_and_named_outputs(tmp_path: Path) -> None:
    """Outputs of the library are dictionaries, and its fused attention has no forward mode."""
    from learning_models import tuned, write
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    from steerlang.weights.expression import Difference

    torch.manual_seed(0)
    config = CLIPVisionConfig(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
                              image_size=8, patch_size=4, projection_dim=5)  # fmt: skip
    model = CLIPVisionModelWithProjection(config).eval()
    images, labels = torch.randn(6, 3, 8, 8), torch.randint(0, 5, (6,))
    checkpoints = {"base": write(tmp_path / "base", dict(model.named_parameters()))}
    checkpoints["t"] = write(tmp_path / "t", tuned(model, 1))
    pool = Pool.of({"t": Difference("t", "base")}, "base", checkpoints)
    index = pool.index(Blocks())

    class Images:
        name, count, labels = "images", 6, None

        def logits(self, rows: list[int], view: View) -> Tensor:
            embedded: Tensor = model(pixel_values=images[rows]).image_embeds
            return functional.normalize(embedded, dim=-1)

    Images.labels = labels  # type: ignore[assignment]
    base = {name: p.detach() for name, p in model.named_parameters()}
    leaf = torch.full((1, len(index.names)), 0.2, requires_grad=True)
    theta = merged(pool, index, leaf)
    change = {name: theta[name] - base[name] for name in base}
    model.set_attn_implementation("eager")
    output, moved = jvp(
        lambda p: functional_call(model, p, (), {"pixel_values": images}).image_embeds, (base,), (change,)
    )
    loss = functional.cross_entropy(functional.normalize(output + moved, dim=-1), labels)
    loss.backward()
    model.set_attn_implementation("sdpa")
    found = block_gradient(model, pool, index, Data((Images(),)), Supervised(), at=leaf.detach(), linearize=True)
    assert abs(found.loss - loss.item()) < 1e-5
    assert leaf.grad is not None
    torch.testing.assert_close(found.values.float(), leaf.grad, atol=1e-5, rtol=1e-3)


def test_features_by_a_method(tmp_path: Path) -> None:
    """CLIP's image features come from a method, not from a call of the module."""
    from learning_models import tuned, write
    from transformers import CLIPConfig, CLIPModel

    from steerlang.weights.expression import Difference

    torch.manual_seed(0)
    small = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    config = CLIPConfig(text_config={**small, "vocab_size": 9, "bos_token_id": 0, "eos_token_id": 1},
                        vision_config={**small, "image_size": 8, "patch_size": 4}, projection_dim=6)  # fmt: skip
    model = CLIPModel(config).eval()
    images = torch.randn(3, 3, 8, 8)
    checkpoints = {"base": write(tmp_path / "base", dict(model.named_parameters()))}
    checkpoints["t"] = write(tmp_path / "t", tuned(model, 1, 0.01))
    pool = Pool.of({"t": Difference("t", "base")}, "base", checkpoints)
    index = pool.index(Blocks(by="all"))

    def features() -> Tensor:
        found = model.get_image_features(pixel_values=images)
        pooled: Tensor = found if isinstance(found, Tensor) else found.pooler_output
        return pooled.clone()

    left = {}
    for linearize in (False, True):
        settings = Settings(steps=1, linearize=linearize)
        with composed(model, pool, index, None, settings) as (composition, _), torch.no_grad():
            outputs = []
            for scale in (0.0, 0.5, 1.0):
                composition.set(torch.full((1, 1), scale))
                outputs.append(features())
        left[linearize] = (outputs[2] - outputs[0]) - 2 * (outputs[1] - outputs[0])
    assert left[True].abs().max() < 1e-6 < 1e-5 < left[False].abs().max()
    assert "get_image_features" not in model.__dict__


def test_learning_in_the_tangent_space(net: Net, pool: Pool) -> None:
    settings = Settings(steps=15, batch_size=24, lr=0.1, linearize=True)
    found = learn(net, pool, pool.index(Blocks()), Data((rows(net),)), settings)
    assert found.history[-1].loss < 0.9 * found.history[0].loss
