"""One project with tiny models, shared by the tests of this room; each test has a store of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from .tiny import make_project

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(tmp_path_factory.mktemp("project"))
