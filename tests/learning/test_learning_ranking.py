"""What is kept before learning, and by what."""

from __future__ import annotations

import pytest
import torch
from learning_models import Net, rows

from steerlang.learning import (
    Data,
    LearningError,
    Pool,
    Settings,
    Supervised,
    block_gradient,
    keep_by_features,
    keep_by_gradient,
    keep_by_gradient_blockwise,
    keep_random,
    learn,
)
from steerlang.weights.blocks import Blocks


def test_by_gradient(net: Net, pool: Pool) -> None:
    found = block_gradient(net, pool, pool.index(Blocks()), Data((rows(net),)), Supervised())
    scores = found.values.abs().sum(1)
    kept = keep_by_gradient(found, 2)
    assert set(kept.mask.any(1).nonzero().flatten().tolist()) == set(scores.argsort(descending=True)[:2].tolist())
    assert (kept.mask.all(1) == kept.mask.any(1)).all()
    blockwise = keep_by_gradient_blockwise(found, 1)
    assert (blockwise.mask.sum(0) == 1).all()
    for number, name in enumerate(found.blocks):
        assert blockwise.of_block(name) == (pool.names[int(found.values[:, number].abs().argmax())],)


def test_the_gradient_at_the_base_does_not_depend_on_the_group(net: Net, pool: Pool) -> None:
    """So that one backward pass ranks all: learning with a mask begins with the same gradient."""
    index, data = pool.index(Blocks()), Data((rows(net),))
    found = block_gradient(net, pool, index, data, Supervised())
    kept = keep_by_gradient_blockwise(found, 1)
    learned = learn(net, pool, index, data, Settings(steps=2, batch_size=24), keep=kept.mask)
    assert learned.history[0].norm == pytest.approx(float((found.values * kept.mask).norm()), rel=1e-5)
    assert (learned.values != 0).equal(kept.mask)


def test_by_features_and_at_random(pool: Pool) -> None:
    index = pool.index(Blocks())
    features = [torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]), torch.tensor([1.0, 0.9])]
    kept = keep_by_features(torch.tensor([2.0, 2.1]), features, 1, pool.names, index)
    assert kept.of_block(index.names[0]) == ("t2",)
    chosen = [keep_random(1, seed, pool.names, index).mask.any(1).nonzero().item() for seed in range(40)]
    assert set(chosen) == {0, 1, 2}
    assert keep_random(2, 5, pool.names, index).mask.equal(keep_random(2, 5, pool.names, index).mask)
    with pytest.raises(LearningError, match="4 of 3"):
        keep_random(4, 0, pool.names, index)
    with pytest.raises(LearningError, match="features of 2"):
        keep_by_features(features[0], features[:2], 1, pool.names, index)
