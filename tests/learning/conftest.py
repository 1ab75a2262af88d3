"""A small classifier and three task vectors."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from learning_models import Net, pool_of

from steerlang.learning import Pool

torch.set_num_threads(1)


@pytest.fixture
def net() -> Net:
    torch.manual_seed(0)
    return Net()


@pytest.fixture
def pool(net: Net, tmp_path: Path) -> Pool:
    return pool_of(tmp_path / "models", net)
