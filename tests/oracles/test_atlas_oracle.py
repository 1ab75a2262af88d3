"""Agreement with the published code of learned anisotropic scaling (see atlas/README.md)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from transformers import CLIPVisionModelWithProjection

from steerlang.learning import Data, Pool, Settings, StateFile, Supervised, View, block_gradient, learn
from steerlang.learning.composing import composed
from steerlang.weights.blocks import BlockIndex, Blocks
from steerlang.weights.checkpoint import Checkpoint
from steerlang.weights.expression import Difference

torch.set_num_threads(1)

FOLDER = Path(__file__).parent / "atlas"
ORACLE: dict[str, Any] = json.loads((FOLDER / "oracle.json").read_text(encoding="utf-8"))
NUMBERS = dict(np.load(FOLDER / "oracle.npz").items())
BOUND = 1e-6
STEPS = 10


class Target:
    """The target images with the head of the published run."""

    name, count = "target", 32
    labels = torch.from_numpy(NUMBERS["target/y"])

    def __init__(self, model: CLIPVisionModelWithProjection) -> None:
        self._model = model
        self._images, self._head = (torch.from_numpy(NUMBERS[name]) for name in ("target/x", "head"))

    def embeddings(self, rows: Sequence[int]) -> Tensor:
        found: Tensor = self._model(pixel_values=self._images[list(rows)]).image_embeds
        return found

    def logits(self, rows: Sequence[int], view: View) -> Tensor:
        embedded = self.embeddings(rows)
        return embedded / embedded.norm(dim=-1, keepdim=True) @ self._head.T


@pytest.fixture(scope="module")
def model() -> CLIPVisionModelWithProjection:
    return CLIPVisionModelWithProjection.from_pretrained(FOLDER / "base")


@pytest.fixture(scope="module")
def pool() -> Pool:
    checkpoints = {name: Checkpoint.open(FOLDER / name, name) for name in ("base", "ft0", "ft1", "ft2")}
    return Pool.of({name: Difference(name, "base") for name in ("ft0", "ft1", "ft2")}, "base", checkpoints)


def index_of(pool: Pool, run: str) -> BlockIndex:
    return pool.index(Blocks(by="all" if run == "iso" else "tensor"))


def ordered(values: np.ndarray, pool: Pool, run: str) -> Tensor:
    """The oracle's [.., 3] or [.., 3, 40] with our order of blocks, [.., 3, m]."""
    found = torch.from_numpy(values)
    if run == "iso":
        return found[..., None]
    order = {name: number for number, (name, _) in enumerate(ORACLE["blocks"])}
    return found[..., [order[name] for name in index_of(pool, run).names]]


def settings_of(**options: Any) -> Settings:
    return Settings(Supervised(), steps=STEPS, batch_size=64, lr=0.1, weight_decay=0.1, clip=1.0, **options)


def determined(pool: Pool, run: str) -> Tensor:
    """Blocks whose coefficients mean something. A bias of keys shifts all scores of a query alike, so that softmax and
    loss do not change: its gradient is rounding error (under 1e-8 here), which AdamW makes steps of ordinary size."""
    names = index_of(pool, run).names
    return torch.tensor([not name.endswith("k_proj.bias") for name in names])


@pytest.mark.parametrize("memory", [0, 1 << 30], ids=["streamed", "stacked"])
@pytest.mark.parametrize("run", ["iso", "aniso"])
def test_ten_steps(
    model: CLIPVisionModelWithProjection, pool: Pool, run: str, memory: int, tmp_path: Path
) -> None:  # fmt: skip
    """Losses, coefficients after each step, and the outputs in the end."""
    index, data = index_of(pool, run), Data((Target(model),))
    wanted, kept = ordered(NUMBERS[f"{run}/coef"], pool, run), determined(pool, run)
    state, path = StateFile(tmp_path / "state", every=1), []
    found = learn(
        model, pool, index, data, settings_of(memory=memory), state=state,
        progress=lambda *_: path.append(load_file(state.path)["optimiser.values"]),
    )  # fmt: skip
    np.testing.assert_allclose([step.loss for step in found.history], NUMBERS[f"{run}/loss"], atol=BOUND, rtol=0)
    torch.testing.assert_close(torch.stack(path)[..., kept], wanted[..., kept], atol=BOUND, rtol=0)
    with composed(model, pool, index, None, settings_of()) as (composition, _), torch.no_grad():
        composition.set(found.values)
        outputs = Target(model).embeddings(range(32))
    np.testing.assert_allclose(outputs.numpy(), NUMBERS[f"{run}/output_final"], atol=BOUND, rtol=0)


@pytest.mark.parametrize("run", ["iso", "aniso"])
def test_gradients(model: CLIPVisionModelWithProjection, pool: Pool, run: str) -> None:
    """The gradient before clipping at the coefficients of each step, and their norms."""
    index, data = index_of(pool, run), Data((Target(model),))
    coefficients = ordered(NUMBERS[f"{run}/coef"], pool, run)
    gradients = ordered(NUMBERS[f"{run}/grad_preclip"], pool, run)
    before = torch.cat([torch.zeros_like(coefficients[:1]), coefficients[:-1]])
    for at, wanted in zip(before, gradients, strict=True):
        found = block_gradient(model, pool, index, data, Supervised(), at=at)
        torch.testing.assert_close(found.values.float(), wanted, atol=BOUND, rtol=0)
        assert not (wanted[:, ~determined(pool, run)].abs() > 1e-8).any()
    norms = [step.norm for step in learn(model, pool, index, data, settings_of()).history]
    np.testing.assert_allclose(norms, gradients.flatten(1).norm(dim=1).numpy(), rtol=1e-5)
