"""One small random Llama, shared by the tests of this room."""

from __future__ import annotations

import pytest
import torch
from tiny_models import loaded_llama

from steerlang.models import LoadedModel

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def llama() -> LoadedModel:
    return loaded_llama()
