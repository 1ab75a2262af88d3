"""The gradient of every way to cut tensors into blocks, streamed and stacked, against autograd through the merge."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from learning_models import Net, merged, pool_of, rows, same_bits, snapshot, through_merge
from torch.nn import functional

from steerlang.learning import Data, Entropy, Pool, Settings, Supervised, block_gradient
from steerlang.learning.composing import composed
from steerlang.learning.composition import DenseComposition, targets_of
from steerlang.learning.cuts import Scratch, cut_of
from steerlang.weights.blocks import Blocks, Place
from steerlang.weights.patterns import Pattern

CUTS = {
    "tensor": Blocks(),
    "layer": Blocks(by="layer"),
    "module": Blocks(by="module"),
    "row": Blocks(by="row"),
    "column": Blocks(by="column"),
    "all": Blocks(by="all"),
    "tie": Blocks(tie=(Pattern("glob", "**.self_attn.{q,k,v}_proj.weight"),)),
    "split": Blocks(split=((Pattern("glob", "fused.*"), 3),)),
    "random": Blocks(random=5, seed=3),
    "many random": Blocks(random=40, seed=3),
    "some": Blocks(include=(Pattern("glob", "layers.1.**"),)),
}


@pytest.mark.parametrize("memory", [0, 3000, 1 << 30], ids=["streamed", "some stacked", "stacked"])
@pytest.mark.parametrize("cut", CUTS)
def test_gradient_and_composition(net: Net, pool: Pool, cut: str, memory: int) -> None:
    index, examples = pool.index(CUTS[cut]), rows(net)
    values = 0.3 * torch.randn(len(pool.names), len(index.names), generator=torch.Generator().manual_seed(7))
    leaf = values.clone().requires_grad_()
    net.eval()
    assert examples.labels is not None
    loss = functional.cross_entropy(through_merge(net, pool, index, leaf, examples.inputs), examples.labels)
    loss.backward()
    assert leaf.grad is not None
    found = block_gradient(net, pool, index, Data((examples,)), Supervised(), at=values, batch_size=7, memory=memory)
    assert found.loss == pytest.approx(loss.item(), rel=1e-6)
    torch.testing.assert_close(found.values.float(), leaf.grad, atol=1e-6, rtol=1e-5)
    with composed(net, pool, index, None, Settings(steps=1, memory=memory)) as (composition, _):
        composition.set(values)
        for name, wanted in merged(pool, index, values).items():
            torch.testing.assert_close(net.get_parameter(name).detach(), wanted, atol=1e-6, rtol=1e-6)


def test_half_precision(tmp_path: Path) -> None:
    """Arithmetic is float32, the parameters' dtype is kept, and λ = 0 gives the base's bits."""
    torch.manual_seed(1)
    net = Net().to(torch.bfloat16)
    pool = pool_of(tmp_path, net)
    index, before = pool.index(Blocks()), snapshot(net)
    values = 0.3 * torch.ones(3, len(index.names))
    with composed(net, pool, index, None, Settings(steps=1)) as (composition, _):
        composition.set(values * 0.0)
        assert same_bits(net, before)
        composition.set(values)
        for name, wanted in merged(pool, index, values).items():
            found = net.get_parameter(name).detach()
            # Equal but where float32 sums in another order fall on the other side of a rounding boundary.
            assert (found != wanted.to(torch.bfloat16)).float().mean() < 0.02
            torch.testing.assert_close(found.float(), wanted, atol=0, rtol=2.0**-8)
    assert same_bits(net, before)


def test_only_what_has_coefficients_gets_gradients(net: Net, pool: Pool) -> None:
    """The backward pass ends at the earliest block that is learned."""
    index = pool.index(Blocks(include=(Pattern("glob", "head.*"),)))
    with composed(net, pool, index, None, Settings(steps=1)) as (composition, _):
        composition.set(torch.zeros(3, len(index.names)))
        needed = {name for name, p in net.named_parameters() if p.requires_grad}
        states: list[bool] = []
        net.norm.register_forward_hook(lambda m, i, o: states.append(o.requires_grad))
        composition.run(lambda: (net(torch.randn(2, 6)).sum(), 2.0), 1.0)
        assert all(p.grad is None for p in net.parameters())
    assert needed == {"head.weight", "head.bias"}
    assert states == [False]


def test_kept_coefficients_alone_are_read(net: Net, pool: Pool) -> None:
    """A mask leaves out task vectors where nothing of them is learned, and changes no other gradient."""
    index, data = pool.index(Blocks()), Data((rows(net),))
    keep = torch.zeros(3, len(index.names), dtype=torch.bool)
    keep[1], keep[0, :4] = True, True
    targets, _ = targets_of(net, pool, index, keep)
    assert {target.vectors for target in targets} == {(0, 1), (1,)}
    whole = block_gradient(net, pool, index, data, Supervised()).values
    with DenseComposition(net, pool, targets, (3, len(index.names))).opened() as composition:
        composition.set(torch.zeros(3, len(index.names)))
        assert data.learn[0].labels is not None  # type: ignore[union-attr]
        loss = lambda: (functional.cross_entropy(net(data.learn[0].inputs), data.learn[0].labels), 1.0)  # type: ignore[union-attr]  # noqa: E731
        composition.run(loss, 1.0)
        found = composition.take()
    torch.testing.assert_close(found[keep], whole[keep], atol=1e-7, rtol=1e-5)
    assert not found[~keep].any()


def test_passes_of_any_size_give_one_gradient(net: Net, pool: Pool) -> None:
    index, data = pool.index(Blocks()), Data((rows(net, 23),))
    at = 0.1 * torch.ones(3, len(index.names))
    first, second = (block_gradient(net, pool, index, data, Entropy(), at=at, batch_size=size) for size in (23, 4))
    assert first.loss == pytest.approx(second.loss, rel=1e-6)
    torch.testing.assert_close(first.values, second.values, atol=1e-7, rtol=1e-4)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_cuts_of_ranges(data: st.DataObject) -> None:
    """Both formulas, range by range of any size, against sums over one-hot masks of the whole tensor."""
    height, width, k = (data.draw(st.integers(1, 9)) for _ in range(3))
    kind = data.draw(st.sampled_from(["whole", "row", "column", "part", "random"]))
    divisors = [n for n in range(1, height + 1) if height % n == 0]
    count = {"whole": 1, "row": height, "column": width, "part": data.draw(st.sampled_from(divisors)),
             "random": data.draw(st.sampled_from([2, 5, 50]))}[kind]  # fmt: skip
    place = Place(0, count, kind, (height, width), 77)
    chance = torch.Generator().manual_seed(data.draw(st.integers(0, 99)))
    tau, gradient = torch.randn(k, height * width, generator=chance), torch.randn(height * width, generator=chance)
    values = torch.randn(k, count, generator=chance)
    cut, theta, sums = (
        cut_of(place, torch.device("cpu"), Scratch()),
        torch.zeros(height * width),
        torch.zeros(k, count).double(),
    )
    covered = []
    for start, stop in cut.ranges(data.draw(st.integers(1, 40))):
        covered += range(start, stop)
        cut.add(theta[start:stop], tau[:, start:stop], values, start)
        cut.inner(gradient[start:stop], tau[:, start:stop], sums, start)
    assert covered == list(range(height * width))
    from steerlang.weights.blocks import BlockIndex

    inside = BlockIndex(("b",) * count, {"t": place}, ()).inside("t", 0, height * width).astype(np.int64)
    masks = functional.one_hot(torch.from_numpy(inside), count).float()
    torch.testing.assert_close(theta, (tau * (values @ masks.T)).sum(0), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(sums.float(), (tau * gradient) @ masks, atol=1e-5, rtol=1e-5)
