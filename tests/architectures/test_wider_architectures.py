"""Models with eyes, without attention, with an encoder: the decoder of the text is found, read and steered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from architecture_zoo import near
from torch import Tensor
from wider_zoo import DEPTH, ENCODED, EVERY, RECURRENT, SEEING, VOCABULARY, WIDTH, build

from steerlang.models import (
    ATTENTION,
    EMBEDDING,
    FINAL_NORM,
    MLP,
    RESIDUAL,
    RESIDUAL_IN,
    Add,
    CaptureRequest,
    LoadedModel,
    Overlay,
    Recipe,
    Rotate,
    Sampling,
    ScoredText,
    SteeringAction,
    TokenisedItem,
    capture,
    generate,
    log_likelihoods,
    points,
    wrap,
)
from steerlang.models.errors import SiteUnavailable, UnsupportedModel
from steerlang.models.positions import All
from steerlang.models.scopes import AllTokens, FromToken, GeneratedTokens, TokenScope

torch.set_num_threads(1)
ROWS = [0, 1, 2, 3, 3]
DECODERS = {
    **dict.fromkeys(SEEING, "model.language_model.layers"),
    **dict.fromkeys(("idefics2", "idefics3", "smolvlm"), "model.text_model.layers"),
    **dict.fromkeys(("mamba", "falcon_mamba", "mamba2"), "backbone.layers"),
    "lfm2": "model.layers",
    "t5": "decoder.block",
    "bart": "model.decoder.layers",
}


@pytest.fixture(params=sorted(EVERY), scope="module")
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def loaded(name: str) -> Iterator[LoadedModel]:
    model = build(name)
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    yield wrap(model, None)
    after = model.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def texts(seed: int = 0) -> list[TokenisedItem]:
    generator = torch.Generator().manual_seed(seed)
    # Token 50 stands for an image in the models that see.
    return [
        TokenisedItem(tuple(torch.randint(3, 49, (n,), generator=generator).tolist())) for n in (5, 9, 3, 9, 7)
    ]


def recipe(scope: TokenScope, seed: int = 1) -> Recipe:
    generator = torch.Generator().manual_seed(seed)
    vectors = [
        {layer: torch.randn(1, WIDTH, generator=generator) for layer in range(DEPTH)} for _ in range(2)
    ]
    return (
        SteeringAction(Add(), RESIDUAL, vectors[0], (0.7,), scope),
        SteeringAction(Rotate(), RESIDUAL_IN, vectors[1], (0.2,), scope),
    )


def read(loaded: LoadedModel, item: TokenisedItem) -> Any:
    """One text through the whole model."""
    ids = torch.tensor([item.ids])
    more = {"decoder_input_ids": ids} if loaded.layout.encoder is not None else {}
    with torch.no_grad():
        return loaded.model(input_ids=ids, use_cache=False, **more).logits[0]


def by_hand(loaded: LoadedModel, item: TokenisedItem) -> np.ndarray[Any, Any]:
    """What leaves each block, by hooks of our own: [T, L, D]."""
    seen: list[Tensor] = []
    handles = [
        block.register_forward_hook(lambda _, __, o: seen.append((o if torch.is_tensor(o) else o[0])[0].clone()))
        for block in loaded.model.get_submodule(loaded.layout.blocks_name)
    ]
    read(loaded, item)
    for handle in handles:
        handle.remove()
    return torch.stack(seen, dim=1).numpy()


def test_the_decoder_of_the_text_is_found(loaded: LoadedModel, name: str) -> None:
    assert loaded.layout.blocks_name == DECODERS[name]
    assert loaded.layout.depth == DEPTH
    if name in SEEING:
        inside = {id(m) for m in loaded.layout.decoder.modules()}
        eyes = [m for n, m in loaded.model.named_modules() if "vision" in n or "visual" in n]
        assert eyes
        assert not any(id(m) in inside for m in eyes)


def test_captured_states_are_those_of_a_hook_placed_by_hand(loaded: LoadedModel) -> None:
    items = texts()
    request = CaptureRequest(tuple(range(len(items))), points(RESIDUAL, range(DEPTH)), All())
    result = capture(loaded, items, [request])[0]
    for i, item in enumerate(items):
        near(result.states[slice(*result.offsets[i : i + 2])], by_hand(loaded, item))


def test_parts_that_are_not_there_are_a_clear_error(loaded: LoadedModel, name: str) -> None:
    request = [CaptureRequest((0,), points(ATTENTION, (1,)), All())]
    if name in SEEING or name == "lfm2":
        assert capture(loaded, texts(), request)[0].states.shape[-1] == WIDTH
        return
    reason = "adds the output of mixer alone" if name in RECURRENT else "after the residual add|no two of its"
    for site in (ATTENTION, MLP):
        with pytest.raises(SiteUnavailable, match=reason):
            capture(loaded, texts(), [CaptureRequest((0,), points(site, (1,)), All())])


def test_an_addition_moves_states_by_what_it_says_and_leaves_no_trace(loaded: LoadedModel) -> None:
    item = texts(6)[1]
    v = torch.randn(1, WIDTH, generator=torch.Generator().manual_seed(2))
    before = read(loaded, item)
    request = [CaptureRequest((0,), points(RESIDUAL, (0, 1)), All())]
    plain = capture(loaded, [item], request)[0].states
    with Overlay(loaded, [(SteeringAction(Add(), RESIDUAL, {1: v}, (0.5,)),)]):
        moved = capture(loaded, [item], request)[0].states
        assert not torch.allclose(read(loaded, item), before, atol=1e-4)
    np.testing.assert_array_equal(moved[:, 0], plain[:, 0])
    wanted = np.broadcast_to(0.5 * v.numpy(), moved[:, 1].shape)
    np.testing.assert_allclose(moved[:, 1] - plain[:, 1], wanted, atol=2e-5 * np.abs(plain).max())
    assert torch.equal(read(loaded, item), before)


@pytest.mark.parametrize("scope", [None, AllTokens(), GeneratedTokens()], ids=["base", "all", "generated"])
def test_generation_is_that_of_the_library(loaded: LoadedModel, scope: TokenScope | None) -> None:
    how: Recipe = () if scope is None else recipe(scope)
    items = texts(11)
    made = generate(loaded, items, max_new_tokens=6, recipes=[how], end_ids=frozenset())
    for item, result in zip(items[:3], made, strict=False):
        ids = torch.tensor([item.ids])
        with Overlay(loaded, [how]), torch.no_grad():
            wanted = loaded.model.generate(ids, max_new_tokens=6, do_sample=False, eos_token_id=None)
        skipped = 1 if loaded.layout.encoder is not None else len(item)
        assert list(result.ids) == wanted[0, skipped:].tolist()


def test_rows_are_as_if_alone(loaded: LoadedModel) -> None:
    items = texts(12)
    recipes = [(), recipe(GeneratedTokens()), recipe(AllTokens(), 4), recipe(FromToken(8), 5)]
    options: dict[str, Any] = {"max_new_tokens": 5, "recipes": recipes, "sampling": Sampling(3)}
    together = generate(loaded, items * 2, rows=ROWS * 2, noise_rows=list(range(5)) * 2, **options)
    for i, item in enumerate(items):
        alone = generate(loaded, [item], rows=[ROWS[i]], noise_rows=[i], **options)[0]
        assert together[i] == together[i + 5] == alone


def test_embedding_and_final_norm(loaded: LoadedModel, name: str) -> None:
    items = texts(4)[:1]
    capture(loaded, items, [CaptureRequest((0,), points(EMBEDDING, (0,)), All())])
    if name != "bart":  # has no norm after its last block
        capture(loaded, items, [CaptureRequest((0,), points(FINAL_NORM, (0,)), All())])


@pytest.mark.parametrize("name", sorted(ENCODED))
def test_likelihoods_beside_an_encoder_are_refused(name: str) -> None:
    with pytest.raises(UnsupportedModel, match="with an encoder"):
        log_likelihoods(wrap(build(name), None), [ScoredText(texts()[0], (5, 6))])


def test_the_zoo_is_what_it_says() -> None:
    assert set(DECODERS) == set(EVERY)
    assert VOCABULARY > 50
