"""A project with tiny models for each test of this room that needs one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from operations.tiny import make_project

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(tmp_path_factory.mktemp("project"))
