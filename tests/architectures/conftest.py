"""Each test runs for every architecture; a model is built once and shared, and checked to be unchanged at the end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from architecture_zoo import CONFIGS, build

from steerlang.models import LoadedModel, wrap

torch.set_num_threads(1)


@pytest.fixture(params=sorted(CONFIGS), scope="module")
def architecture(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def loaded(architecture: str) -> Iterator[LoadedModel]:
    model = build(architecture)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    yield wrap(model, None)
    after = model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
