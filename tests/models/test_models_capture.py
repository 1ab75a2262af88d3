"""Reading states: one pass for many requests, exact rows, bounded memory, honest about what is not there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_models import DEPTH, STEADY, WIDTH, loaded_llama, near, random_directions, random_items

from steerlang.models import (
    EMBEDDING,
    FINAL_NORM,
    HEADS,
    MLP,
    RESIDUAL,
    RESIDUAL_IN,
    Add,
    CaptureRequest,
    LoadedModel,
    Overlay,
    Point,
    SteeringAction,
    TokenisedItem,
    capture,
    module_site,
    points,
    result_shape,
)
from steerlang.models.errors import BadBatch, LayerOutOfRange, NonFinite, SiteUnavailable
from steerlang.models.gates import Compare, CosineTo, Reading
from steerlang.models.positions import All, First, Index, Last, Mean, Selector, Span
from steerlang.models.scopes import AllTokens, GeneratedTokens, LastPromptToken, PromptTokens, TokenScope

EVERY_LAYER = points(RESIDUAL, range(DEPTH))
SELECTORS: list[Selector] = [Last(), First(), Mean(), All(), Index(3), Span(1, 3)]


def alone(loaded: LoadedModel, item: TokenisedItem) -> np.ndarray[Any, Any]:
    """Block outputs ``[T, L, D]`` of one text, by hooks placed by hand."""
    seen: list[torch.Tensor] = []
    handles = [
        b.register_forward_hook(lambda _, __, out: seen.append(out[0].clone()))
        for b in loaded.model.model.layers
    ]
    with torch.no_grad():
        loaded.model(input_ids=torch.tensor([item.ids]))
    for handle in handles:
        handle.remove()
    return torch.stack(seen, 1).numpy()


@settings(STEADY, max_examples=20)
@given(
    seed=st.integers(0, 1000), budget=st.sampled_from([1, 13, 40, 4096]), selector=st.sampled_from(SELECTORS)
)
def test_a_batch_is_its_items_alone(llama: LoadedModel, seed: int, budget: int, selector: Selector) -> None:
    items = random_items(6, seed)
    chosen = (4, 0, 0, 5, 2)
    result = capture(llama, items, [CaptureRequest(chosen, EVERY_LAYER, selector)], batch_tokens=budget)[0]
    for place, index in enumerate(chosen):
        at = list(selector.positions(items[index]))
        states = alone(llama, items[index])[at]
        rows = result.states[result.offsets[place] : result.offsets[place + 1]]
        assert bool(result.found[place]) == bool(at)
        if selector.reads == "each":
            near(rows, states)
        elif at:
            near(rows[0], states.mean(0))
        else:
            assert not rows.any()


SEEN, PUSH = random_directions(7)[0][0], random_directions(1)[1]
STEERED: dict[str, TokenScope] = {
    "all": AllTokens(),
    "prompt": PromptTokens(),
    "last": LastPromptToken(),
    "generated": GeneratedTokens(),
}
# Which tokens of a text of T tokens are steered, whose first P are the prompt.
BY_HAND = {
    "all": lambda t, p: t >= 0,
    "prompt": lambda t, p: t < p,
    "last": lambda t, p: t == p - 1,
    "generated": lambda t, p: t >= p - 1,
}


def steered_by_hand(loaded: LoadedModel, item: TokenisedItem, scope: str, gate: str | None) -> np.ndarray[Any, Any]:
    """`alone` where PUSH is added after block 1 as scope and gate say, worked out from the text's own states."""
    prompt, time = item.prompt or len(item), torch.arange(len(item))
    acts = BY_HAND[scope](time, prompt)
    if gate is not None:
        read = torch.from_numpy(alone(loaded, item)[:, 0])
        states = {"mean": read[:prompt].mean(0, keepdim=True), "last": read[prompt - 1 : prompt], "token": read}[gate]
        acts = acts & (torch.nn.functional.cosine_similarity(states, SEEN[None], dim=-1) > 0)
    block = loaded.layout.blocks[1]
    handle = block.register_forward_hook(lambda _, __, out: out + acts[:, None] * PUSH)
    try:
        return alone(loaded, item)
    finally:
        handle.remove()


@pytest.mark.parametrize("gate", [None, "mean", "last", "token"])
@pytest.mark.parametrize("scope", STEERED)
def test_states_of_a_steered_model_do_not_see_the_padding(llama: LoadedModel, scope: str, gate: str | None) -> None:
    """Right padding, prompts of different lengths, replies behind some: scopes and gates are those of each text."""
    plain = random_items(5, 11, 2, 12)
    items = [TokenisedItem(i.ids, prompt=(len(i.ids) + 1) // 2 if n % 2 else 0) for n, i in enumerate(plain)]
    options: dict[str, Any] = {}
    if gate is not None:
        kept = {"each": "token"} if gate == "token" else {"tokens": gate}
        options["gate"] = Compare(Reading(CosineTo(), Point(RESIDUAL, 0), SEEN, **kept), ">", 0.0)  # type: ignore[arg-type]
    action = SteeringAction(Add(), RESIDUAL, {1: PUSH}, (1.0,), STEERED[scope], **options)
    with Overlay(llama, [(action,)]) as overlay:
        (found,) = capture(
            llama,
            [TokenisedItem(i.ids) for i in items],
            [CaptureRequest(tuple(range(5)), EVERY_LAYER, All())],
            begin=lambda batch: overlay.begin(prompt_lengths=[items[i].prompt or len(items[i]) for i in batch]),
        )
    changed = []
    for n, item in enumerate(items):
        wanted = steered_by_hand(llama, item, scope, gate)
        near(found.states[found.offsets[n] : found.offsets[n + 1]], wanted)
        changed.append(not np.array_equal(wanted, alone(llama, item)))
    assert any(changed)
    if gate in ("mean", "last"):
        assert not all(changed)  # the gate is shut for some texts


def test_many_requests_are_one_pass_that_stops_after_the_deepest(llama: LoadedModel) -> None:
    items = random_items(5, 3)
    ran: list[int] = []
    handles = [
        block.register_forward_hook(lambda _, __, ___, layer=layer: ran.append(layer))
        for layer, block in enumerate(llama.layout.blocks)
    ]
    head = llama.model.lm_head.register_forward_hook(lambda *_: ran.append(99))
    try:
        requests = [
            CaptureRequest((0, 1, 2), points(RESIDUAL, (0, 1)), Last()),
            CaptureRequest((2, 3), points(MLP, (2,)), Mean()),
            CaptureRequest((1,), (Point(EMBEDDING), Point(RESIDUAL, 1)), All()),
        ]
        results = capture(llama, items, requests)
        assert ran == [0, 1, 2]
        ran.clear()
        capture(llama, items, [CaptureRequest((0,), points(RESIDUAL_IN, (2,)), Last())])
        assert ran == [0, 1]
        ran.clear()
        capture(llama, items, [CaptureRequest((0,), (Point(EMBEDDING),), Last())])
        assert ran == []
        capture(llama, items, [CaptureRequest((0,), (Point(FINAL_NORM),), Last())])
        assert ran == [0, 1, 2, 3]
    finally:
        for handle in [*handles, head]:
            handle.remove()
    separate = [capture(llama, items, [request])[0] for request in requests]
    for one, other in zip(results, separate, strict=True):
        near(one.states, other.states)
    np.testing.assert_array_equal(
        results[2].states[:, 0], llama.model.model.embed_tokens(torch.tensor(items[1].ids))
    )


def test_only_items_that_are_asked_for_are_run(llama: LoadedModel) -> None:
    items = [*random_items(3, 4), TokenisedItem(())]
    result = capture(llama, items, [CaptureRequest((1,), EVERY_LAYER, Last())])[0]
    near(result.states[0], alone(llama, items[1])[-1])
    with pytest.raises(BadBatch, match="item 3 has no tokens"):
        capture(llama, items, [CaptureRequest((3,), EVERY_LAYER, Last())])


def test_results_go_to_the_arrays_given(llama: LoadedModel, tmp_path: Path) -> None:
    items = random_items(7, 5)
    request = CaptureRequest(tuple(range(7)), EVERY_LAYER, All())
    shape = result_shape(llama, items, request)
    assert shape == (sum(map(len, items)), DEPTH, WIDTH)
    out = np.memmap(tmp_path / "states", dtype=np.float32, mode="w+", shape=shape)
    result = capture(llama, items, [CaptureRequest(request.items, request.points, request.selector, out)])[0]
    assert result.states is out
    np.testing.assert_array_equal(out, capture(llama, items, [request])[0].states)
    with pytest.raises(BadBatch, match="result_shape"):
        capture(llama, items, [CaptureRequest((0,), EVERY_LAYER, Last(), out)])


def test_a_model_that_is_not_causal_is_never_padded() -> None:
    """The layout of a causal model with its promise withdrawn: batches then hold rows of one length."""
    loaded = loaded_llama()
    object.__setattr__(loaded.layout, "causal", False)
    shapes: list[tuple[int, int]] = []
    handle = loaded.layout.decoder.register_forward_pre_hook(
        lambda _, __, kwargs: shapes.append(tuple(kwargs["input_ids"].shape)), with_kwargs=True
    )
    items = [TokenisedItem((5,) * n) for n in (2, 4, 2, 4, 4)]
    capture(loaded, items, [CaptureRequest((0, 1, 2, 3, 4), EVERY_LAYER, Last())])
    handle.remove()
    assert shapes == [(3, 4), (2, 2)]


def test_states_that_are_not_finite_are_an_error_that_names_them() -> None:
    loaded = loaded_llama()
    items = [TokenisedItem((5, 6)), TokenisedItem((5, 6, 7)), TokenisedItem((9, 9, 9, 9))]
    with torch.no_grad():
        loaded.model.model.embed_tokens.weight[7] = torch.inf
    with pytest.raises(NonFinite) as caught:
        capture(loaded, items, [CaptureRequest((0, 1, 2), EVERY_LAYER[1:], Last())])
    assert (caught.value.site, caught.value.layer, caught.value.row) == ("residual", 1, 1)
    capture(loaded, items, [CaptureRequest((0, 2), EVERY_LAYER, Last())])
    assert not any(m._forward_hooks for m in loaded.model.modules())


def test_any_module_by_name(llama: LoadedModel) -> None:
    items = random_items(2, 6)
    site = module_site("model.layers.{l}.mlp.down_proj")
    by_name, by_site = capture(
        llama, items, [CaptureRequest((0, 1), points(s, (1, 3)), Last()) for s in (site, MLP)]
    )
    np.testing.assert_array_equal(by_name.states, by_site.states)


def test_modules_of_another_width(llama: LoadedModel) -> None:
    items = random_items(2, 6)
    request = CaptureRequest((0, 1), points(module_site("model.layers.{l}.mlp.act_fn"), (0, 1)), Last())
    assert result_shape(llama, items, request) == (2, 2, 40)
    states = capture(llama, items, [request])[0].states
    assert states.shape == (2, 2, 40)
    mlp = llama.model.model.layers[0].mlp
    seen: list[torch.Tensor] = []
    handle = mlp.act_fn.register_forward_hook(lambda _, __, out: seen.append(out.clone()))
    with torch.no_grad():
        llama.model(input_ids=torch.tensor([items[0].ids]))
    handle.remove()
    near(states[0, 0], seen[0][0, -1].numpy())
    mixed = CaptureRequest((0,), (Point(RESIDUAL, 0), *request.points), Last())
    with pytest.raises(BadBatch, match="widths"):
        capture(llama, items, [mixed])


def test_places_that_are_not_there(llama: LoadedModel) -> None:
    items = random_items(1)
    with pytest.raises(LayerOutOfRange, match="layer 4 does not exist: the model has 4 blocks"):
        capture(llama, items, [CaptureRequest((0,), points(RESIDUAL, (4,)), Last())])
    with pytest.raises(LayerOutOfRange):
        capture(llama, items, [CaptureRequest((0,), points(RESIDUAL, (-1,)), Last())])
    with pytest.raises(SiteUnavailable, match=r"model\.layers\.0\.mpl.*nearest"):
        capture(
            llama, items, [CaptureRequest((0,), points(module_site("model.layers.{l}.mpl"), (0,)), Last())]
        )
    with pytest.raises(LayerOutOfRange):
        capture(llama, items, [CaptureRequest((0,), points(HEADS, (4,)), Last())])
    with pytest.raises(BadBatch, match="item 7"):
        capture(llama, items, [CaptureRequest((7,), EVERY_LAYER, Last())])
