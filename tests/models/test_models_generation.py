"""Generation: the library's tokens, rows as if alone, seeded noise, why a row ended."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare
from tiny_models import STEADY, byte_tokenizer, loaded_llama, random_directions, random_items, tiny_llama
from torch import Tensor

from steerlang.models import (
    MLP,
    RESIDUAL,
    Add,
    CaptureRequest,
    LoadedModel,
    ModelError,
    Overlay,
    Point,
    Recipe,
    Rotate,
    Sampling,
    ScoredText,
    SteeringAction,
    TokenisedItem,
    capture,
    generate,
    log_likelihoods,
    mean_kl,
    tokenise,
    wrap,
)
from steerlang.models.errors import BadBatch, NoTokens, TooLong, UnusableLogits
from steerlang.models.positions import Last
from steerlang.models.sampling import sample
from steerlang.models.scopes import AtText, GeneratedTokens, PromptTokens

RECIPES: list[Recipe] = [
    (),
    (SteeringAction(Add(), RESIDUAL, random_directions(1), (0.4,), GeneratedTokens()),),
    (SteeringAction(Rotate(), MLP, random_directions(2, 2), (0.3, -0.4)),),
    (SteeringAction(Add("keep"), RESIDUAL, random_directions(3), (0.9,), PromptTokens()),),
]


def library(
    loaded: LoadedModel, item: TokenisedItem, steps: int, recipe: Recipe = (), **options: Any
) -> list[int]:
    with Overlay(loaded, [recipe]), torch.no_grad():
        ids = torch.tensor([item.ids])
        made = loaded.model.generate(ids, max_new_tokens=steps, do_sample=False, pad_token_id=0, **options)
    return list(made[0, len(item) :].tolist())


def test_greedy_is_the_librarys_with_and_without_steering(llama: LoadedModel) -> None:
    items = random_items(8, 1)
    rows = [i % 4 for i in range(8)]
    made = generate(llama, items, max_new_tokens=9, recipes=RECIPES, rows=rows, batch_tokens=70)
    for item, row, result in zip(items, rows, made, strict=True):
        assert list(result.ids) == library(llama, item, 9, RECIPES[row])


# Always the same examples: about one random run in fifty meets two tokens within rounding of each other.
@settings(STEADY, max_examples=15, derandomize=True)
@given(seed=st.integers(0, 1000), budget=st.sampled_from([1, 40, 4096]), sampled=st.booleans())
def test_a_batch_is_its_rows_alone(llama: LoadedModel, seed: int, budget: int, sampled: bool) -> None:
    items = random_items(5, seed)
    how = Sampling(seed=seed, temperature=1.3, top_p=0.9, top_k=30) if sampled else None
    rows = [(seed + i) % 4 for i in range(5)]
    options = {"max_new_tokens": 6, "recipes": RECIPES, "sampling": how}
    together = generate(llama, items, rows=rows, batch_tokens=budget, **options)
    for i, item in enumerate(items):
        alone = generate(llama, [item], rows=[rows[i]], noise_rows=[i], **options)[0]
        assert together[i] == alone


def test_end_tokens_end_a_row_and_finished_rows_leave_the_batch(llama: LoadedModel) -> None:
    """Every token that the first row makes at its second step ends a row; others go on."""
    items = random_items(6, 2)
    free = generate(llama, items, max_new_tokens=8, end_ids=frozenset())
    end = free[0].ids[1]
    made = generate(llama, items, max_new_tokens=8, end_ids=frozenset({end}))
    for before, after in zip(free, made, strict=True):
        if end in before.ids:
            upto = before.ids.index(end) + 1
            assert after.ids == before.ids[:upto]
            assert after.finish == "end"
        else:
            assert after.ids == before.ids
            assert after.finish == "length"
    assert {result.finish for result in made} == {"end", "length"}


def test_finished_rows_leave_recipes_and_masks_in_step(llama: LoadedModel) -> None:
    items = random_items(8, 3)
    rows = [i % 4 for i in range(8)]
    free = generate(llama, items, max_new_tokens=10, recipes=RECIPES, rows=rows, end_ids=frozenset())
    ends = frozenset(result.ids[k] for k, result in enumerate(free[:5], start=1))
    made = generate(llama, items, max_new_tokens=10, recipes=RECIPES, rows=rows, end_ids=ends)
    for before, after in zip(free, made, strict=True):
        first = next((k for k, token in enumerate(before.ids) if token in ends), 9)
        assert after.ids == before.ids[: first + 1]


def test_end_tokens_come_from_the_generation_settings(llama: LoadedModel) -> None:
    assert llama.end_ids == {2}
    model = tiny_llama()
    model.generation_config.eos_token_id = [5, 9]
    assert wrap(model, None).end_ids == {5, 9}
    model.generation_config.eos_token_id = model.config.eos_token_id = None
    assert wrap(model, None).end_ids == frozenset()
    assert wrap(model, byte_tokenizer()).end_ids == {2}


def test_noise_is_of_seed_row_and_step(llama: LoadedModel) -> None:
    items = [random_items(1, 4, 5, 5)[0]] * 4
    first = generate(llama, items, max_new_tokens=8, sampling=Sampling(seed=1), end_ids=frozenset())
    assert first == generate(llama, items, max_new_tokens=8, sampling=Sampling(seed=1), end_ids=frozenset())
    assert len({result.ids for result in first}) == 4
    assert first != generate(llama, items, max_new_tokens=8, sampling=Sampling(seed=2), end_ids=frozenset())
    same = generate(
        llama,
        items,
        max_new_tokens=8,
        sampling=Sampling(seed=1),
        noise_rows=[3, 3, 0, 1],
        end_ids=frozenset(),
    )
    assert [r.ids for r in same] == [first[3].ids, first[3].ids, first[0].ids, first[1].ids]
    longer = generate(llama, items, max_new_tokens=12, sampling=Sampling(seed=1), end_ids=frozenset())
    assert [r.ids[:8] for r in longer] == [r.ids for r in first]


def test_sampled_frequencies_are_the_models_probabilities() -> None:
    logits = torch.tensor([2.0, 0.0, -1.0, 1.0, -torch.inf])
    u = torch.rand(20_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for how, wanted in (
        (Sampling(0), logits.softmax(-1)),
        (Sampling(0, temperature=2.0), (logits / 2).softmax(-1)),
        (Sampling(0, top_k=2), torch.tensor([2.0, -torch.inf, -torch.inf, 1.0, -torch.inf]).softmax(-1)),
    ):
        counts = torch.bincount(sample(logits.expand(20_000, 5), how, u), minlength=5)
        expected = wanted.double()
        assert counts[expected == 0].sum() == 0
        kept = expected > 0
        assert chisquare(counts[kept].numpy(), 20_000 * expected[kept].numpy(), sum_check=False).pvalue > 1e-3


def kept_tokens(logits: Tensor, **options: Any) -> set[int]:
    u = torch.linspace(0, 1 - 1e-9, 500, dtype=torch.float64)
    return set(sample(logits.expand(500, -1), Sampling(0, **options), u).tolist())


def test_top_p_keeps_the_shortest_list_that_reaches_p() -> None:
    logits = torch.tensor([0.1, 0.4, 0.2, 0.3]).log()
    assert kept_tokens(logits, top_p=0.39) == {1}
    assert kept_tokens(logits, top_p=0.41) == {1, 3}
    assert kept_tokens(logits, top_p=0.69) == {1, 3}
    assert kept_tokens(logits, top_p=0.95) == {0, 1, 2, 3}
    assert kept_tokens(logits, top_k=3) == {1, 2, 3}
    assert kept_tokens(logits, top_k=2, top_p=0.5) == {1}  # of the two that are left, the first holds 4/7
    assert kept_tokens(torch.zeros(6), top_k=3) == {0, 1, 2}  # ties by id


@pytest.mark.parametrize("wrong", [{"temperature": 0.0}, {"top_p": 0.0}, {"top_p": 1.1}, {"top_k": -1}])
def test_what_is_no_sampling(wrong: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match="sampling with"):
        Sampling(0, **wrong)


def test_text_is_decoded_without_special_tokens() -> None:
    tokenizer = byte_tokenizer()
    torch.manual_seed(0)
    model = tiny_llama()
    model.resize_token_embeddings(len(tokenizer))
    with torch.no_grad():
        model.lm_head.weight.normal_(0, 0.5)
    loaded = wrap(model, tokenizer)
    assert tokenizer.padding_side == "left"
    prompts = tokenise(tokenizer, ["hello you", "well"])
    at = (SteeringAction(Add(), RESIDUAL, random_directions(1), (2.0,), AtText("you")),)
    made = generate(loaded, prompts, max_new_tokens=12, recipes=[(), at], rows=[1, 1])
    plain = generate(loaded, prompts, max_new_tokens=12)
    assert made[0] != plain[0]
    assert made[1] == plain[1]  # has no "you"
    for result in made:
        assert "<" not in result.text
        assert result.text == tokenizer.decode(list(result.ids), skip_special_tokens=True)


def test_what_is_refused(llama: LoadedModel) -> None:
    items = random_items(2)
    with pytest.raises(BadBatch, match="at least one"):
        generate(llama, items, max_new_tokens=0)
    with pytest.raises(BadBatch, match="1 rows for 2 prompts"):
        generate(llama, items, max_new_tokens=1, recipes=RECIPES, rows=[0])
    with pytest.raises(BadBatch, match="which prompt takes which"):
        generate(llama, items, max_new_tokens=1, recipes=RECIPES)
    with pytest.raises(NoTokens, match="row 1"):
        generate(llama, [items[0], TokenisedItem(())], max_new_tokens=1)
    assert generate(llama, [], max_new_tokens=1) == []


def test_a_model_that_cannot_be_padded_on_the_left_gets_rows_of_one_length() -> None:
    loaded = loaded_llama()
    object.__setattr__(loaded.layout, "left_padding", False)
    masks: list[Any] = []
    loaded.layout.decoder.register_forward_pre_hook(
        lambda _, __, kwargs: masks.append(kwargs["attention_mask"]), with_kwargs=True
    )
    items = random_items(6, 5, 3, 5)
    made = generate(loaded, items, max_new_tokens=3)
    assert all(mask is None for mask in masks)
    assert [list(r.ids) for r in made] == [library(loaded, item, 3) for item in items]


def test_logits_that_are_not_finite_are_an_error() -> None:
    loaded = loaded_llama()
    items = [TokenisedItem((5, 6)), TokenisedItem((7, 6, 5)), TokenisedItem((8,))]
    far = {0: torch.full((1, 24), 3e38)}
    off: Recipe = ()
    on: Recipe = (SteeringAction(Add(), RESIDUAL, far, (10.0,)),)
    for sampling in (None, Sampling(0)):
        with pytest.raises(UnusableLogits, match="row 1"):
            generate(loaded, items, max_new_tokens=2, recipes=[off, on], rows=[0, 1, 0], sampling=sampling)
    texts = [ScoredText(item, (5, 6)) for item in items]
    with pytest.raises(UnusableLogits, match="row 2"):
        log_likelihoods(loaded, texts, recipes=[off, on], rows=[0, 0, 1])
    with pytest.raises(UnusableLogits, match="row 2"):
        mean_kl(loaded, texts, recipes=[off, on], rows=[0, 0, 1])


def test_texts_longer_than_the_model_has_positions(llama: LoadedModel) -> None:
    long = TokenisedItem((5,) * 100)
    with pytest.raises(TooLong, match="row 1 needs 129 tokens, the model has positions for 128"):
        generate(llama, [TokenisedItem((5,)), long], max_new_tokens=30)
    assert len(generate(llama, [long], max_new_tokens=29, end_ids=frozenset())[0].ids) == 29
    with pytest.raises(TooLong):
        log_likelihoods(llama, [ScoredText(long, (6,) * 29)])
    with pytest.raises(TooLong):
        capture(llama, [TokenisedItem((5,) * 129)], [CaptureRequest((0,), (Point(RESIDUAL, 0),), Last())])
