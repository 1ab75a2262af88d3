"""A base and three fine-tunes, float32."""

from __future__ import annotations

from pathlib import Path

import pytest
from weights_models import Arrays, arrays, model

from steerlang.weights.checkpoint import Checkpoint


@pytest.fixture(scope="session")
def tensors() -> dict[str, Arrays]:
    base = arrays(0)
    return {"base": base, **{name: arrays(i + 1, base) for i, name in enumerate("abc")}}


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="session")
def models(folder: Path, tensors: dict[str, Arrays]) -> dict[str, Checkpoint]:
    return {name: model(folder / name, found) for name, found in tensors.items()}
