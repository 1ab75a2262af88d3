"""Steering and compilation: hooks and biases break no graph."""

from __future__ import annotations

import pytest
import torch
from tiny_models import random_directions, tiny_llama

from steerlang.models import MLP, RESIDUAL, Ablate, Add, Overlay, Recipe, Rotate, SteeringAction, wrap

RECIPES: dict[str, Recipe] = {
    "add": (SteeringAction(Add(), RESIDUAL, random_directions(1), (0.5,)),),
    "norm": (SteeringAction(Add("keep"), RESIDUAL, random_directions(1), (0.5,)),),
    "rotate": (SteeringAction(Rotate(), MLP, random_directions(1), (0.5,)),),
    "ablate": (SteeringAction(Ablate(), RESIDUAL, random_directions(1), (1.0,)),),
}


@pytest.mark.parametrize(
    ("name", "fold"),
    [
        ("add", True),
        ("add", False),
        *(pytest.param(name, False, marks=pytest.mark.slow) for name in ("norm", "rotate", "ablate")),
    ],
)
def test_a_steered_decoder_compiles_in_one_graph(name: str, fold: bool) -> None:
    loaded = wrap(tiny_llama(), None)
    ids = torch.tensor([[3, 9, 4, 12, 7]])

    def forward(ids: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = loaded.model(input_ids=ids, use_cache=False).logits
        return found

    with torch.no_grad():
        plain = forward(ids)
        with Overlay(loaded, [RECIPES[name]], fold=fold):
            torch._dynamo.reset()
            wanted = forward(ids)
            # fullgraph: a break would raise.
            made = torch.compile(forward, backend="eager", fullgraph=True)(ids)
    torch.testing.assert_close(made, wanted)
    assert not torch.allclose(wanted, plain, atol=1e-3)
