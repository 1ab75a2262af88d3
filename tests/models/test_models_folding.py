"""Additions as biases, parts called directly, a cache with room: the same model, with less around it."""

from __future__ import annotations

import pytest
import torch
from tiny_models import DEPTH, WIDTH, loaded_llama, random_directions, random_items, tiny_llama
from torch import nn
from transformers import DynamicCache, GPT2Config, GPT2LMHeadModel

from steerlang.models import (
    MLP,
    RESIDUAL,
    RESIDUAL_IN,
    Add,
    LoadedModel,
    Overlay,
    Point,
    Recipe,
    Rotate,
    SteeringAction,
    generate,
    wrap,
)
from steerlang.models.cache import RoomyLayer
from steerlang.models.errors import BadBatch
from steerlang.models.gates import Compare, CosineTo, Gate, Reading
from steerlang.models.light import light
from steerlang.models.schedules import Window
from steerlang.models.scopes import GeneratedTokens
from steerlang.models.sites import Site

ADD: Recipe = (SteeringAction(Add(), RESIDUAL, random_directions(1), (0.6,)),)


def gate(layer: int, site: Site = RESIDUAL, above: float = -2.0) -> Gate:
    return Compare(Reading(CosineTo(), Point(site, layer), random_directions(7)[0][0]), ">", above)


def gpt2() -> LoadedModel:
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=61, n_embd=WIDTH, n_layer=DEPTH, n_head=4, n_positions=64, initializer_range=0.3
    )
    model = GPT2LMHeadModel(config)
    for parameter in model.parameters():
        if parameter.ndim == 1:
            nn.init.normal_(parameter, 0.5, 0.3)
    return wrap(model, None)


def logits(loaded: LoadedModel, recipe: Recipe, fold: bool) -> torch.Tensor:
    ids = torch.tensor([[3, 9, 4, 12], [5, 6, 8, 7]])
    with torch.no_grad(), Overlay(loaded, [recipe], fold=fold):
        found: torch.Tensor = loaded.model(input_ids=ids).logits
    return found


def hooks(loaded: LoadedModel) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in loaded.model.modules())


@pytest.mark.parametrize("make", [loaded_llama, gpt2], ids=["no biases", "biases"])
def test_a_folded_addition_is_the_hooked_one_and_needs_no_hook(make: object) -> None:
    loaded = make()  # type: ignore[operator]
    before = {name: (t, t.clone()) for name, t in loaded.model.state_dict(keep_vars=True).items()}
    plain = logits(loaded, (), False)
    torch.testing.assert_close(logits(loaded, ADD, True), logits(loaded, ADD, False), rtol=2e-5, atol=2e-5)
    assert not torch.allclose(logits(loaded, ADD, True), plain, atol=0.1)
    with Overlay(loaded, [ADD], fold=True):
        assert hooks(loaded) == 0
    after = loaded.model.state_dict(keep_vars=True)
    assert after.keys() == before.keys()
    assert all(after[name] is t and torch.equal(t, copy) for name, (t, copy) in before.items())
    assert torch.equal(logits(loaded, (), False), plain)


def test_three_additions_are_one_bias() -> None:
    loaded = loaded_llama()
    three = tuple(SteeringAction(Add(), RESIDUAL, random_directions(s), (0.3,)) for s in (1, 2, 3))
    with Overlay(loaded, [three], fold=True):
        assert hooks(loaded) == 0
    torch.testing.assert_close(logits(loaded, three, True), logits(loaded, three, False), rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize(
    "action",
    [
        SteeringAction(Add("keep"), RESIDUAL, random_directions(1), (0.6,)),
        SteeringAction(Rotate(), RESIDUAL, random_directions(1), (0.6,)),
        SteeringAction(Add(), RESIDUAL, random_directions(1), (0.6,), GeneratedTokens()),
        SteeringAction(Add(), RESIDUAL_IN, random_directions(1), (0.6,)),
        SteeringAction(Add(), MLP, random_directions(1), (0.6,)),
        SteeringAction(Add(), RESIDUAL, random_directions(1), (0.6,), schedule=Window(1, 3)),
        SteeringAction(Add(), RESIDUAL, random_directions(1), (0.6,), gate=gate(0)),
    ],
    ids=["norm", "operator", "tokens", "input", "part", "schedule", "gate"],
)
def test_what_depends_on_the_state_or_the_token_keeps_its_hook(action: SteeringAction) -> None:
    loaded = loaded_llama()
    with Overlay(loaded, [(action,)], fold=True):
        assert hooks(loaded) >= DEPTH
    assert torch.equal(logits(loaded, (action,), True), logits(loaded, (action,), False))


def test_a_part_that_is_steered_itself_is_not_folded_into() -> None:
    loaded = loaded_llama()
    both = (*ADD, SteeringAction(Rotate(), MLP, random_directions(4), (0.5,)))
    assert torch.equal(logits(loaded, both, True), logits(loaded, both, False))


def test_a_constant_addition_beside_a_gated_one_keeps_its_hook() -> None:
    loaded = loaded_llama()
    recipe = (*ADD, SteeringAction(Add(), RESIDUAL, random_directions(3), (0.5,), gate=gate(0, above=0.0)))
    with Overlay(loaded, [recipe], fold=True):
        assert all(block.mlp.down_proj.bias is None for block in loaded.layout.blocks)
    assert torch.equal(logits(loaded, recipe, True), logits(loaded, recipe, False))


@pytest.mark.parametrize("site", [RESIDUAL, MLP, RESIDUAL_IN], ids=str)
def test_what_a_gate_reads_is_not_folded_into(site: Site) -> None:
    """A block that a gate reads keeps its addition as a hook, so that the gate sees what it sees without biases."""
    loaded = loaded_llama()
    vectors = random_directions(1)
    adds = SteeringAction(Add(), RESIDUAL, {layer: vectors[layer] for layer in (0, 1, 2)}, (0.6,))
    gated = SteeringAction(Add(), RESIDUAL, {3: vectors[3]}, (0.6,), gate=gate(1, site, above=0.0))
    with Overlay(loaded, [(adds, gated)], fold=True):
        biased = {i for i, block in enumerate(loaded.layout.blocks) if block.mlp.down_proj.bias is not None}
    assert biased == {0, 2}
    found = [logits(loaded, (adds, gated), fold) for fold in (True, False)]
    torch.testing.assert_close(*found, rtol=2e-5, atol=2e-5)


def test_rows_with_recipes_of_their_own_keep_hooks_and_agree_with_the_fold() -> None:
    loaded = loaded_llama()
    items = random_items(4, 3, 4, 9)
    mixed = generate(loaded, items, max_new_tokens=6, recipes=[ADD, ()], rows=[0, 1, 0, 1])
    alone = generate(loaded, items, max_new_tokens=6, recipes=[ADD])
    assert [mixed[i].ids for i in (0, 2)] == [alone[i].ids for i in (0, 2)]


def test_biases_come_back_whatever_is_raised() -> None:
    loaded = loaded_llama()
    overlay = Overlay(loaded, [ADD], fold=True)
    with overlay, pytest.raises(BadBatch, match="entered already"):
        overlay.__enter__()
    with pytest.raises(RuntimeError, match="inside"), overlay:
        raise RuntimeError("inside")
    assert all(block.mlp.down_proj.bias is None for block in loaded.layout.blocks)
    with overlay:  # and again
        assert all(block.mlp.down_proj.bias is not None for block in loaded.layout.blocks)


def test_parts_called_directly_compute_the_same_and_come_back() -> None:
    model = tiny_llama()
    ids = torch.tensor([[3, 9, 4, 12]])
    before = {name: (type(m), dict(m.__dict__)) for name, m in model.named_modules()}
    seen: list[str] = []
    model.model.layers[1].mlp.register_forward_hook(lambda m, a, o: seen.append("after"))
    model.model.layers[2].register_forward_pre_hook(lambda m, a: seen.append("before"))
    with torch.no_grad():
        wanted = model(input_ids=ids).logits
        with light(model):
            assert torch.equal(model(input_ids=ids).logits, wanted)
        with pytest.raises(RuntimeError, match="inside"), light(model):
            raise RuntimeError("inside")
    assert seen == ["after", "before"] * 2
    for name, module in model.named_modules():
        assert type(module) is before[name][0]
        assert module.__dict__.keys() == before[name][1].keys()


def test_a_forward_of_its_own_and_hooks_on_everything_are_respected() -> None:
    model = tiny_llama()
    calls: list[str] = []
    down = model.model.layers[0].mlp.down_proj
    down.forward = lambda x, keep=down.forward: calls.append("own") or keep(x)  # type: ignore[func-returns-value]
    handle = nn.modules.module.register_module_forward_hook(lambda m, a, o: calls.append("global"))
    try:
        with torch.no_grad(), light(model):
            model(input_ids=torch.tensor([[3, 4]]))
    finally:
        handle.remove()
    assert calls.count("global") > 20
    with torch.no_grad(), light(model):
        model(input_ids=torch.tensor([[3, 4]]))
    assert calls.count("own") == 2


@pytest.mark.parametrize("capacity", [4, 9, 40])
def test_a_layer_with_room_holds_what_the_librarys_holds(capacity: int) -> None:
    model = tiny_llama()
    ours, theirs = DynamicCache(config=model.config), DynamicCache(config=model.config)
    ours.layers = [RoomyLayer(capacity, small=0) for _ in ours.layers]
    generator = torch.Generator().manual_seed(0)
    for step, length in enumerate((3, 1, 1, 2, 1, 1, 1)):
        if step == 3:
            for cache in (ours, theirs):
                cache.batch_select_indices(torch.tensor([1, 0, 1, 2]))
        if step == 5:
            for cache in (ours, theirs):
                cache.crop(-2)
        rows = 3 if step < 3 else 4
        for layer in range(DEPTH):
            new = [torch.randn(rows, 2, length, 6, generator=generator) for _ in range(2)]
            for got, wanted in zip(ours.update(*new, layer), theirs.update(*new, layer), strict=True):
                assert torch.equal(got, wanted)
        assert ours.get_seq_length() == theirs.get_seq_length()
