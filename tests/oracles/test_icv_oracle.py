"""Agreement with the published code of in-context vectors (see icv/README.md)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from transformers import LlamaConfig, LlamaForCausalLM

from steerlang.kernels.extraction import icv
from steerlang.kernels.steering import rotate, unit_length
from steerlang.models import (
    EMBEDDING,
    MLP,
    RESIDUAL,
    CaptureRequest,
    LoadedModel,
    Overlay,
    Point,
    Recipe,
    Rotate,
    SteeringAction,
    TokenisedItem,
    capture,
    generate,
    points,
    wrap,
)
from steerlang.models.positions import All, Last

torch.set_num_threads(1)

FOLDER = Path(__file__).parent / "icv"
FIXTURE: dict[str, Any] = json.loads((FOLDER / "fixture.json").read_text(encoding="utf-8"))
NUMBERS = dict(np.load(FOLDER / "llama.npz").items())
CASES: dict[str, Any] = FIXTURE["llama"]["cases"]
LAYERS = 4
BOUND = 1e-5


@pytest.fixture(scope="module")
def llama() -> LoadedModel:
    model = LlamaForCausalLM(LlamaConfig(**FIXTURE["llama"]["config"]))
    weights = np.load(FOLDER / "llama.weights.npz")
    model.load_state_dict({name: torch.tensor(weights[name]) for name in weights.files})
    return wrap(model, None)


def relative(got: NDArray[Any], wanted: NDArray[Any]) -> float:
    """Largest difference over the largest magnitude."""
    assert got.shape == wanted.shape
    return float(np.abs(got - wanted).max() / np.abs(wanted).max())


def side(name: str) -> list[TokenisedItem]:
    return [TokenisedItem(tuple(int(i) for i in row if i >= 0)) for row in NUMBERS[name]]


def query() -> TokenisedItem:
    return TokenisedItem(tuple(int(i) for i in NUMBERS["query_ids"]))


def recipe(case: str) -> Recipe:
    spec = CASES[case]
    if spec is None:
        return ()
    stacked = np.stack([NUMBERS[name] for name in spec["icvs"]], axis=1)  # [L, N, D]
    directions = {layer: torch.tensor(stacked[layer]) for layer in range(LAYERS)}
    return (SteeringAction(Rotate(), MLP, directions, tuple(spec["lam"])),)


def test_states_read_are_the_published_ones(llama: LoadedModel) -> None:
    where = (Point(EMBEDDING), *points(RESIDUAL, range(LAYERS)))
    sides = side("demo_x_ids") + side("demo_y_ids")
    n = len(sides) // 2
    requests = [
        CaptureRequest(tuple(range(n)), where, Last()),
        CaptureRequest(tuple(range(n, 2 * n)), where, Last()),
    ]
    x, y = capture(llama, sides, requests, batch_tokens=100)
    assert relative(x.states, NUMBERS["h_x"]) < BOUND
    assert relative(y.states, NUMBERS["h_y"]) < BOUND


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_directions(rank: int) -> None:
    found = icv(torch.tensor(NUMBERS["h_x"]), torch.tensor(NUMBERS["h_y"]), variant="code", rank=rank)
    assert relative(found.directions.numpy(), NUMBERS[f"direction_rank{rank}"][1:]) < BOUND
    singular = NUMBERS["pca_singular_values"].astype(np.float64) ** 2
    np.testing.assert_allclose(found.variance_explained, singular[:rank].sum() / singular.sum(), rtol=1e-5)


def test_one_call_of_the_operator() -> None:
    vectors = torch.tensor(np.stack([NUMBERS["icv"][0], NUMBERS["icv2"][0]]))
    states = torch.tensor(NUMBERS["layer_in"])
    out = rotate(states, unit_length(vectors), torch.tensor([[0.1], [0.2]]) / 2 * unit_length(vectors))
    assert relative(out.numpy(), NUMBERS["layer_out.fp32"]) < BOUND


@pytest.mark.parametrize("case", sorted(CASES))
def test_steered_logits(llama: LoadedModel, case: str) -> None:
    with Overlay(llama, [recipe(case)]), torch.no_grad():
        logits = llama.model(input_ids=torch.tensor([query().ids])).logits[0].numpy()
    whole = f"{case}.fp32.logits"
    if whole in NUMBERS:
        assert relative(logits, NUMBERS[whole]) < BOUND
    else:
        assert relative(logits[-1], NUMBERS[f"{whole}.last"]) < BOUND


@pytest.mark.parametrize("case", ["base", "lam0.1"])
@pytest.mark.parametrize(("site", "name"), [(RESIDUAL, "resid"), (MLP, "mlp_out")])
def test_steered_states(llama: LoadedModel, case: str, site: Any, name: str) -> None:
    """Block and MLP outputs at every token, read while the model is steered."""
    with Overlay(llama, [recipe(case)]):
        states = capture(llama, [query()], [CaptureRequest((0,), points(site, range(LAYERS)), All())])[
            0
        ].states
    assert relative(states.transpose(1, 0, 2), NUMBERS[f"{case}.fp32.{name}"]) < BOUND


@pytest.mark.parametrize("case", sorted(CASES))
def test_greedy_continuation(llama: LoadedModel, case: str) -> None:
    wanted, margin = NUMBERS[f"{case}.fp32.greedy"], NUMBERS[f"{case}.fp32.greedy_margin"]
    close_calls = np.flatnonzero(margin < 0.01)
    upto = int(close_calls[0]) if len(close_calls) else len(wanted)
    made = generate(llama, [query()], max_new_tokens=len(wanted), recipes=[recipe(case)], end_ids=frozenset())
    assert made[0].ids[:upto] == tuple(wanted[:upto].tolist())
    assert upto >= 1


def test_all_cases_as_rows_of_one_batch(llama: LoadedModel) -> None:
    """Different scales and different numbers of vectors side by side."""
    names = sorted(CASES)
    ids = torch.tensor([query().ids]).expand(len(names), -1)
    with Overlay(llama, [recipe(name) for name in names], rows=range(len(names))), torch.no_grad():
        last = llama.model(input_ids=ids).logits[:, -1].numpy()
    for row, name in zip(last, names, strict=True):
        whole = NUMBERS.get(f"{name}.fp32.logits")
        wanted = NUMBERS[f"{name}.fp32.logits.last"] if whole is None else whole[-1]
        assert relative(row, wanted) < BOUND
