"""Steering: laws that hold for every recipe, rows that differ, scopes, and no trace afterwards."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_models import DEPTH, STEADY, WIDTH, loaded_llama, random_directions, random_items
from torch import Tensor

from steerlang.models import (
    ATTENTION,
    EMBEDDING,
    FINAL_NORM,
    MLP,
    RESIDUAL,
    RESIDUAL_IN,
    Ablate,
    Add,
    CaptureRequest,
    Clamp,
    LoadedModel,
    Operator,
    Overlay,
    Point,
    Recipe,
    Replace,
    Rotate,
    Site,
    SteeringAction,
    TokenisedItem,
    capture,
    module_site,
    points,
)
from steerlang.models.errors import BadBatch, LayerOutOfRange, ModelError, WidthMismatch
from steerlang.models.positions import All
from steerlang.models.scopes import (
    AllTokens,
    AtText,
    FromToken,
    GeneratedTokens,
    LastPromptToken,
    PromptTokens,
    TokenScope,
)

OPERATORS: list[Operator] = [
    Add(),
    Add("keep"),
    Add("cap"),
    Rotate(),
    Rotate("none"),
    Ablate(),
    Clamp(1.5),
    Replace(),
]
SITES = [RESIDUAL, RESIDUAL_IN, ATTENTION, MLP, EMBEDDING, FINAL_NORM, module_site("model.layers.{l}.mlp")]
SCOPES: list[TokenScope] = [AllTokens(), PromptTokens(), GeneratedTokens(), FromToken(3), LastPromptToken()]

operators, sites, scopes = st.sampled_from(OPERATORS), st.sampled_from(SITES), st.sampled_from(SCOPES)
scales = st.floats(-2, 2, width=32).filter(lambda s: s == 0 or abs(s) > 0.01)


@st.composite
def actions(draw: st.DrawFn) -> SteeringAction:
    operator, site = draw(operators), draw(sites)
    count = 1 if isinstance(operator, Clamp | Replace) else draw(st.integers(1, 3))
    layers = (
        (0,)
        if site.kind in ("embedding", "final_norm")
        else tuple(draw(st.sets(st.integers(0, 3), min_size=1)))
    )
    vectors = random_directions(draw(st.integers(0, 99)), count, layers)
    return SteeringAction(operator, site, vectors, tuple(draw(scales) for _ in range(count)), draw(scopes))


recipes = st.lists(actions(), max_size=3).map(tuple)


def logits(loaded: LoadedModel, ids: Tensor, recipe: Recipe | None = None) -> Tensor:
    with torch.no_grad():
        if recipe is None:
            return loaded.model(input_ids=ids).logits
        with Overlay(loaded, [recipe]):
            return loaded.model(input_ids=ids).logits


def fail_after(_: object) -> None:
    raise ZeroDivisionError


def some_ids(rows: int, length: int = 6, seed: int = 0) -> Tensor:
    return torch.randint(3, 61, (rows, length), generator=torch.Generator().manual_seed(seed))


@settings(STEADY, max_examples=40)
@given(recipe=recipes)
def test_scale_0_is_the_base_to_the_bit(llama: LoadedModel, recipe: Recipe) -> None:
    ids = some_ids(2)
    off = tuple(
        SteeringAction(a.operator, a.site, a.directions, tuple(0.0 for _ in a.scales), a.tokens)
        for a in recipe
    )
    nothing = tuple(
        SteeringAction(a.operator, a.site, {k: 0 * v for k, v in a.directions.items()}, a.scales, a.tokens)
        for a in recipe
    )
    base = logits(llama, ids)
    assert torch.equal(logits(llama, ids, off), base)
    assert torch.equal(logits(llama, ids, nothing), base)


@settings(STEADY, max_examples=40)
@given(batch=st.lists(recipes, min_size=1, max_size=4), seed=st.integers(0, 99))
def test_rows_with_recipes_of_their_own_are_as_if_alone(
    llama: LoadedModel, batch: list[Recipe], seed: int
) -> None:
    """Row-wise = one by one, for any operators, sites, scopes and order; an unsteered row is the base to the bit."""
    kinds = [*batch, ()]
    rows = [i % len(kinds) for i in range(2 * len(kinds))]
    ids = some_ids(len(rows), seed=seed)
    with Overlay(llama, kinds, rows), torch.no_grad():
        together = llama.model(input_ids=ids).logits
    base = logits(llama, ids)
    for row, kind in enumerate(rows):
        alone = logits(llama, ids[row : row + 1], kinds[kind])[0]
        torch.testing.assert_close(together[row], alone, rtol=1e-3, atol=1e-3)
        if not kinds[kind]:
            assert torch.equal(together[row], base[row])


@settings(STEADY, max_examples=30)
@given(recipe=recipes)
def test_the_base_is_bit_identical_afterwards(llama: LoadedModel, recipe: Recipe) -> None:
    ids = some_ids(2)
    base = logits(llama, ids)
    logits(llama, ids, recipe)
    with pytest.raises(ZeroDivisionError), Overlay(llama, [recipe]):
        fail_after(llama.model(input_ids=ids))
    assert torch.equal(logits(llama, ids), base)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in llama.model.modules())


def test_keep_preserves_norms_in_the_model(llama: LoadedModel) -> None:
    item = random_items(1, 1, 8, 8)[0]
    request = [CaptureRequest((0,), points(RESIDUAL, range(DEPTH)), All())]
    for operator in (Add("keep"), Rotate()):
        recipe = (SteeringAction(operator, RESIDUAL, random_directions(2, layers=(1,)), (3.0,)),)
        plain = torch.from_numpy(capture(llama, [item], request)[0].states)
        with Overlay(llama, [recipe]):
            moved = torch.from_numpy(capture(llama, [item], request)[0].states)
        torch.testing.assert_close(moved[:, 1].norm(dim=-1), plain[:, 1].norm(dim=-1), rtol=1e-5, atol=1e-5)
        assert (moved[:, 1] - plain[:, 1]).norm() > 1


def test_free_additions_at_one_place_are_one_hook_and_one_sum(llama: LoadedModel) -> None:
    first, second = random_directions(3), random_directions(4)
    both = tuple(SteeringAction(Add(), RESIDUAL, d, (s,)) for d, s in ((first, 0.5), (second, -0.25)))
    summed = {layer: 0.5 * first[layer] - 0.25 * second[layer] for layer in first}
    ids = some_ids(2)
    with Overlay(llama, [both]):
        blocks = llama.layout.blocks
        assert [len(block._forward_hooks) for block in blocks] == [1] * DEPTH
        assert not llama.layout.decoder._forward_pre_hooks
    one = (SteeringAction(Add(), RESIDUAL, summed, (1.0,)),)
    torch.testing.assert_close(logits(llama, ids, both), logits(llama, ids, one), rtol=1e-5, atol=1e-5)


def test_actions_act_in_the_order_written(llama: LoadedModel) -> None:
    v = random_directions(5, layers=(2,))
    add, ablate = SteeringAction(Add(), RESIDUAL, v, (2.0,)), SteeringAction(Ablate(), RESIDUAL, v, (1.0,))
    item = random_items(1, 2, 5, 5)[0]
    request = [CaptureRequest((0,), points(RESIDUAL, (2,)), All())]
    unit = v[2][0] / v[2][0].norm()
    along = {}
    for name, recipe in (("add first", (add, ablate)), ("ablate first", (ablate, add))):
        with Overlay(llama, [recipe]):
            along[name] = torch.from_numpy(capture(llama, [item], request)[0].states)[:, 0] @ unit
    torch.testing.assert_close(along["add first"], torch.zeros(5), rtol=0, atol=1e-4)
    torch.testing.assert_close(
        along["ablate first"], torch.full((5,), float(2 * v[2].norm())), rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize(
    ("scope", "wanted"),
    [
        (AllTokens(), [0, 1, 2, 3, 4, 5, 6]),
        (PromptTokens(), [0, 1, 2, 3]),
        (GeneratedTokens(), [3, 4, 5, 6]),
        (LastPromptToken(), [3]),
        (FromToken(5), [5, 6]),
        (FromToken(0), [0, 1, 2, 3, 4, 5, 6]),
        (AtText("two"), [2]),
        (AtText("nowhere"), []),
    ],
    ids=str,
)
@pytest.mark.parametrize("padding", ["none", "left", "right"])
def test_scopes_steer_the_positions_they_say(
    llama: LoadedModel, scope: TokenScope, wanted: list[int], padding: str
) -> None:
    """A prompt of 4 tokens and 3 more, alone or beside a longer row."""
    short, long = some_ids(1, 7, 3)[0], some_ids(1, 9, 4)[0]
    v = random_directions(6, layers=(0,))
    seen: list[Tensor] = []
    marks = (
        {scope: torch.tensor([2 if scope == AtText("two") else -2, -2])}
        if isinstance(scope, AtText)
        else None
    )
    ids, mask, start = short[None], None, 0
    if padding != "none":
        gap = torch.zeros(2, dtype=torch.long)
        row = torch.cat([gap, short] if padding == "left" else [short, gap])
        ids, start = torch.stack([row, long]), 2 if padding == "left" else 0
        mask = torch.ones_like(ids)
        mask[0, : 2 if padding == "left" else None] = 0
        if padding == "right":
            mask[0, :7] = 1
    outputs = {}
    for name, recipe in (("plain", ()), ("steered", (SteeringAction(Add(), RESIDUAL, v, (1.0,), scope),))):
        with Overlay(llama, [recipe]) as overlay, torch.no_grad():
            handle = llama.layout.blocks[0].register_forward_hook(lambda _, __, out: seen.append(out.clone()))
            at = None if marks is None else {k: m[: ids.shape[0]] for k, m in marks.items()}
            overlay.begin(prompt_lengths=[4, 6][: ids.shape[0]], marks=at)
            llama.model(input_ids=ids, attention_mask=mask)
            handle.remove()
        outputs[name] = seen.pop()[0, start : start + 7]
    moved = (outputs["steered"] - outputs["plain"]).norm(dim=-1) > 1e-6
    assert moved.nonzero()[:, 0].tolist() == wanted


def test_cached_steps_of_any_scope_match_one_whole_pass(llama: LoadedModel) -> None:
    ids, prompt = some_ids(2, 8, 9), 5
    for scope in SCOPES:
        recipe = (SteeringAction(Rotate(), MLP, random_directions(7), (0.8,), scope),)
        with Overlay(llama, [recipe]) as overlay, torch.no_grad():
            overlay.begin(prompt_lengths=[prompt, prompt])
            whole = llama.model(input_ids=ids, use_cache=False).logits
            overlay.begin()
            first = llama.model(input_ids=ids[:, :prompt], use_cache=True)
            steps = [first.logits]
            for t in range(prompt, 8):
                steps.append(llama.model(ids[:, t : t + 1], past_key_values=first.past_key_values).logits)
        torch.testing.assert_close(torch.cat(steps, 1), whole, rtol=1e-4, atol=1e-4)


def test_a_new_sequence_begins_by_itself(llama: LoadedModel) -> None:
    """Two plain calls under one overlay are two prompts, though the second is longer by one token."""
    recipe = (SteeringAction(Add(), RESIDUAL, random_directions(8), (1.0,), LastPromptToken()),)
    first, second = some_ids(1, 4, 1), some_ids(1, 5, 2)
    alone = logits(llama, second, recipe)
    with Overlay(llama, [recipe]), torch.no_grad():
        llama.model(input_ids=first)
        assert torch.equal(llama.model(input_ids=second).logits, alone)


@pytest.mark.parametrize("use_cache", [True, False])
def test_beams_of_the_library(llama: LoadedModel, use_cache: bool) -> None:
    """Rows repeated for beams take the recipe and the prompt length of their row."""
    kinds: list[Recipe] = [
        (),
        (SteeringAction(Add(), RESIDUAL, random_directions(9), (0.5,), GeneratedTokens()),),
        (SteeringAction(Rotate(), MLP, random_directions(9), (0.3,), PromptTokens()),),
    ]
    ids = some_ids(3, 6, 5)
    options = {
        "max_new_tokens": 4,
        "num_beams": 3,
        "do_sample": False,
        "use_cache": use_cache,
        "eos_token_id": None,
    }
    with Overlay(llama, kinds, rows=[0, 1, 2]), torch.no_grad():
        together = llama.model.generate(ids, **options)
    for row, kind in enumerate(kinds):
        with Overlay(llama, [kind]), torch.no_grad():
            alone = llama.model.generate(ids[row : row + 1], **options)
        assert together[row].tolist() == alone[0].tolist()


def test_an_overlay_can_be_entered_again_and_inside_another(llama: LoadedModel) -> None:
    ids = some_ids(2)
    one = Overlay(llama, [(SteeringAction(Add(), RESIDUAL, random_directions(10, layers=(0,)), (1.0,)),)])
    two = (SteeringAction(Add(), RESIDUAL, random_directions(11, layers=(3,)), (1.0,)),)
    wanted = logits(llama, ids, (*one._recipes[0], *two))
    for _ in range(2):
        with one, Overlay(llama, [two]), torch.no_grad():
            torch.testing.assert_close(llama.model(input_ids=ids).logits, wanted)
    with pytest.raises(BadBatch, match="entered"), one, one:
        pass
    assert not any(m._forward_hooks for m in llama.model.modules())


def test_overlays_on_half_precision_keep_the_dtype() -> None:
    loaded = loaded_llama()
    loaded.model.bfloat16()
    object.__setattr__(loaded.layout, "dtype", torch.bfloat16)
    recipe = tuple(
        SteeringAction(op, RESIDUAL, random_directions(1), (0.5,), GeneratedTokens()) for op in (*OPERATORS,)
    )
    assert logits(loaded, some_ids(2), recipe).dtype == torch.bfloat16


def test_what_is_refused(llama: LoadedModel) -> None:
    v = random_directions(0)
    with pytest.raises(WidthMismatch, match="width 25 cannot act on residual of layer 1, which has width 24"):
        Overlay(llama, [(SteeringAction(Add(), RESIDUAL, {1: torch.ones(1, WIDTH + 1)}, (1.0,)),)])
    with pytest.raises(WidthMismatch, match="width 40"):
        Overlay(llama, [(SteeringAction(Add(), module_site("model.layers.{l}.mlp.act_fn"), v, (1.0,)),)])
    with pytest.raises(LayerOutOfRange):
        Overlay(llama, [(SteeringAction(Add(), RESIDUAL, {4: v[0]}, (1.0,)),)])
    with pytest.raises(BadBatch, match="2 scales"):
        SteeringAction(Add(), RESIDUAL, v, (1.0, 2.0))
    with pytest.raises(BadBatch, match="takes one vector"):
        SteeringAction(Clamp(0.0), RESIDUAL, random_directions(0, 2), (1.0, 1.0))
    with pytest.raises(BadBatch, match="without recipes"):
        Overlay(llama, [])
    on = (SteeringAction(Add(), RESIDUAL, v, (1.0,)),)
    with pytest.raises(BadBatch, match="recipe 2 of 2"):
        Overlay(llama, [on, ()], rows=[0, 2])
    with pytest.raises(BadBatch, match="which row takes which"), Overlay(llama, [on, ()]):
        llama.model(input_ids=some_ids(2))
    with pytest.raises(BadBatch, match="batch of 3"), Overlay(llama, [on, ()], rows=[0, 1]):
        llama.model(input_ids=some_ids(3))
    at = (SteeringAction(Add(), RESIDUAL, v, (1.0,), AtText("x")),)
    with pytest.raises(BadBatch, match="without knowing where it is"), Overlay(llama, [at]):
        llama.model(input_ids=some_ids(1))
    some = (SteeringAction(Add(), RESIDUAL, v, (1.0,), PromptTokens()),)
    with pytest.raises(ModelError, match="attention mask"), Overlay(llama, [some]):
        llama.model(input_ids=some_ids(1), attention_mask=torch.zeros(1, 1, 6, 6))
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in llama.model.modules())


def test_steering_the_embedding_is_steering_what_enters_block_0(llama: LoadedModel) -> None:
    v, item = random_directions(1, layers=(0,)), TokenisedItem((5, 6, 7))
    places = [CaptureRequest((0,), (Point(EMBEDDING), Point(RESIDUAL_IN, 0)), All())]
    plain = capture(llama, [item], places)[0].states
    with Overlay(llama, [(SteeringAction(Add(), Site("embedding"), v, (2.0,)),)]):
        moved = capture(llama, [item], places)[0].states
    torch.testing.assert_close(torch.from_numpy(moved - plain), 2 * v[0].expand(3, 2, WIDTH))


def test_rows_keep_the_order_of_their_own_recipe(llama: LoadedModel) -> None:
    """Recipes with the same actions in another order, at one place, side by side."""
    v = random_directions(5, layers=(1,))
    add = SteeringAction(Add(), RESIDUAL, v, (2.0,))
    ablate = SteeringAction(Ablate(), RESIDUAL, v, (1.0,))
    keep = SteeringAction(Add("keep"), RESIDUAL, random_directions(6, layers=(1,)), (1.0,))
    kinds = [(add, ablate), (ablate, add), (ablate,), (keep, ablate, keep), (ablate, keep, add, ablate), ()]
    ids = some_ids(1).expand(len(kinds), -1)
    with Overlay(llama, kinds, range(len(kinds))), torch.no_grad():
        together = llama.model(input_ids=ids).logits
    for row, kind in enumerate(kinds):
        torch.testing.assert_close(together[row], logits(llama, ids[:1], kind)[0], rtol=1e-4, atol=1e-4)
    assert not torch.allclose(together[0], together[1], atol=1e-2)


@pytest.mark.parametrize(
    "sites", [(MLP, module_site("model.layers.{l}.mlp")), (EMBEDDING, RESIDUAL_IN)], ids=str
)
def test_two_names_of_one_place_keep_the_order_written(llama: LoadedModel, sites: tuple[Site, Site]) -> None:
    v = random_directions(1, layers=(0,))
    kinds: list[Recipe] = [
        (SteeringAction(Clamp(1.5), one, v, (1.0,)), SteeringAction(Add(), other, v, (1.0,)))
        for one, other in (sites, sites[::-1])
    ]
    kinds.append(
        (SteeringAction(Add(), sites[0], v, (1.0,)), SteeringAction(Clamp(1.5), sites[1], v, (1.0,)))
    )
    ids = some_ids(1).expand(3, -1)
    with Overlay(llama, kinds, [0, 1, 2]), torch.no_grad():
        together = llama.model(input_ids=ids).logits
    torch.testing.assert_close(together[0], together[1])
    assert not torch.allclose(together[0], together[2], atol=1e-2)
    for row, kind in enumerate(kinds):
        torch.testing.assert_close(together[row], logits(llama, ids[:1], kind)[0], rtol=1e-4, atol=1e-4)
