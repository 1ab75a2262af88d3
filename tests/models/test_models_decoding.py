"""The decoding loop: prompts run once for all rows that share them, the checkpoint's settings, the library's inputs."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tiny_models import loaded_llama, random_directions, random_items, tiny_llama

from steerlang.models import (
    RESIDUAL,
    Add,
    LoadedModel,
    ModelError,
    Point,
    Recipe,
    Rotate,
    Sampling,
    SteeringAction,
    TokenisedItem,
    generate,
    wrap,
)
from steerlang.models.gates import Compare, CosineTo, Reading
from steerlang.models.schedules import Cosine, Window
from steerlang.models.scopes import AtText, FromToken, GeneratedTokens, LastPromptToken, TokenScope
from steerlang.models.sharing import share


def scales(scope: TokenScope, *values: float) -> list[Recipe]:
    return [(SteeringAction(Add(), RESIDUAL, random_directions(1), (value,), scope),) for value in values]


def tokens_run(loaded: LoadedModel) -> list[tuple[int, int]]:
    """Records rows and tokens of every pass of the decoder from now on."""
    seen: list[tuple[int, int]] = []
    loaded.layout.decoder.register_forward_pre_hook(
        lambda _, __, kwargs: seen.append(tuple(kwargs["input_ids"].shape)), with_kwargs=True
    )
    return seen


@pytest.mark.parametrize("scope", [GeneratedTokens(), LastPromptToken(), FromToken(30)], ids=str)
@pytest.mark.parametrize("sampled", [False, True])
def test_scales_of_what_comes_after_the_prompt_run_it_once(scope: TokenScope, sampled: bool) -> None:
    loaded = loaded_llama()
    prompts = random_items(3, 4, 14, 20)
    recipes = [*scales(scope, 0.0, 0.4, -0.7), ()]
    rows = [r for r in range(4) for _ in prompts]
    how = Sampling(3, temperature=1.2) if sampled else None
    options: dict[str, Any] = {"max_new_tokens": 7, "end_ids": frozenset({9, 11}), "sampling": how}
    alone = [
        generate(loaded, [item], recipes=[recipes[row]], noise_rows=[i % 3], **options)[0]
        for i, (item, row) in enumerate(zip(prompts * 4, rows, strict=True))
    ]
    seen = tokens_run(loaded)
    together = generate(
        loaded, prompts * 4, recipes=recipes, rows=rows, noise_rows=[0, 1, 2] * 4, **options
    )
    assert together == alone
    longest = max(len(item) for item in prompts)
    assert seen[:2] == [(3, longest - 1), (12, 1)]


def test_samples_of_one_prompt_share_a_steered_prompt() -> None:
    loaded = loaded_llama()
    item = random_items(1, 6, 12, 12)[0]
    recipe: Recipe = (SteeringAction(Rotate(), RESIDUAL, random_directions(2), (0.3,)),)
    options: dict[str, Any] = {"max_new_tokens": 6, "sampling": Sampling(1), "recipes": [recipe]}
    alone = [generate(loaded, [item], noise_rows=[k], **options)[0] for k in range(5)]
    seen = tokens_run(loaded)
    assert generate(loaded, [item] * 5, **options) == alone
    assert seen[:2] == [(1, 11), (5, 1)]


CONDITIONS: dict[str, dict[str, Any]] = {
    "gate": {"gate": Compare(Reading(CosineTo(), Point(RESIDUAL, 0), random_directions(7)[0][0]), ">", 0.0)},
    "gate of the last token": {
        "gate": Compare(Reading(CosineTo(), Point(RESIDUAL, 0), random_directions(7)[0][0], tokens="last"), ">", 0.0)
    },
    "gate at each token": {
        "gate": Compare(Reading(CosineTo(), Point(RESIDUAL, 0), random_directions(7)[0][0], each="token"), ">", 0.0)
    },
    "schedule": {"schedule": Cosine(4)},
    "window": {"schedule": Window(1, 3)},
}


@pytest.mark.parametrize("name", CONDITIONS)
def test_gated_and_scheduled_rows_read_whole_prompts_of_their_own(name: str) -> None:
    """A gate is decided on the whole prompt, so no part of it is run apart; rows are as alone."""
    loaded = loaded_llama()
    prompts = random_items(3, 4, 14, 20)
    directions = {layer: v for layer, v in random_directions(1).items() if layer > 0}
    recipes: list[Recipe] = [
        (SteeringAction(Add(), RESIDUAL, directions, (scale,), GeneratedTokens(), **CONDITIONS[name]),)
        for scale in (0.5, -0.8)
    ]
    rows = [0] * 3 + [1] * 3
    assert share(prompts * 2, recipes, rows) is None
    options: dict[str, Any] = {"max_new_tokens": 6, "end_ids": frozenset()}
    alone = [
        generate(loaded, [item], recipes=[recipes[row]], **options)[0]
        for item, row in zip(prompts * 2, rows, strict=True)
    ]
    assert generate(loaded, prompts * 2, recipes=recipes, rows=rows, **options) == alone


def test_what_is_shared() -> None:
    long, other = TokenisedItem((5,) * 40), TokenisedItem((6,) * 40)
    everywhere = (SteeringAction(Add(), RESIDUAL, random_directions(1), (1.0,)),)
    later, off = scales(GeneratedTokens(), 1.0, 2.0)
    marked = scales(AtText("x"), 1.0)[0]
    assert share([long, long, other], [()], None) == ([0, 2], [0, 0, 1])
    assert share([long, long, long], [everywhere, later, off], [0, 1, 2]) == ([0, 1], [0, 1, 1])
    assert share([long, long], [everywhere, marked], [0, 1]) is None
    assert share([long, other], [()], None) is None
    assert share([TokenisedItem((5,)), *[long] * 4], [()], None) is None  # nothing lies before its last token
    assert share([TokenisedItem((5, 6))] * 3, [()], None) is None  # not worth a pass
    assert share([long, long], scales(FromToken(39), 1.0, 2.0), [0, 1]) == ([0], [0, 0])
    assert share([long, long], scales(FromToken(38), 1.0, 2.0), [0, 1]) is None


SETTINGS: dict[str, dict[str, Any]] = {
    "repetition": {"repetition_penalty": 2.5},
    "n-grams": {"no_repeat_ngram_size": 2},
    "suppressed": {"suppress_tokens": list(range(3, 40)), "begin_suppress_tokens": [41, 45, 50, 52]},
    "shortest": {"min_new_tokens": 4, "eos_token_id": list(range(2, 50))},
    "forced": {"forced_eos_token_id": 2},
    "bad words": {"bad_words_ids": [[k] for k in range(10, 50)]},
}


@pytest.mark.parametrize("name", SETTINGS)
def test_the_settings_of_the_checkpoint_act_as_in_the_library(name: str) -> None:
    model = tiny_llama()
    for key, value in SETTINGS[name].items():
        setattr(model.generation_config, key, value)
    loaded = wrap(model, None)
    items = random_items(5, 7, 2, 9)
    made = generate(loaded, items, max_new_tokens=8)
    for item, result in zip(items, made, strict=True):
        with torch.no_grad():
            wanted = model.generate(
                torch.tensor([item.ids]), max_new_tokens=8, do_sample=False, pad_token_id=0
            )
        assert list(result.ids) == wanted[0, len(item) :].tolist()
    plain = generate(loaded_llama(), items, max_new_tokens=8)
    assert [r.ids for r in made] != [r.ids for r in plain]


def test_settings_that_need_another_prompt_are_refused() -> None:
    model = tiny_llama()
    model.generation_config.guidance_scale = 1.5
    with pytest.raises(ModelError, match="guidance"):
        generate(wrap(model, None), random_items(1), max_new_tokens=2)


@pytest.mark.parametrize(
    "settings",
    [
        {"repetition_penalty": 0},
        {"repetition_penalty": -2},
        {"bad_words_ids": [[10**9]]},
        {"eos_token_id": "x"},
        {"eos_token_id": [1, None]},
    ],
)
def test_settings_that_mean_nothing_are_refused(settings: dict[str, Any]) -> None:
    model = tiny_llama()
    for name, value in settings.items():
        setattr(model.generation_config, name, value)
    with pytest.raises(ModelError, match="the generation settings of the model cannot be used"):
        generate(wrap(model, None), random_items(1), max_new_tokens=2)


@pytest.mark.parametrize("sampled", [False, True])
def test_inputs_prepared_by_the_library_give_the_same_tokens(sampled: bool) -> None:
    ours, theirs = loaded_llama(), loaded_llama()
    object.__setattr__(theirs.layout, "plain_inputs", False)
    options: dict[str, Any] = {
        "max_new_tokens": 9,
        "recipes": [(), *scales(GeneratedTokens(), 0.5)],
        "rows": [0, 1, 0, 1, 1, 0],
        "sampling": Sampling(2, top_k=9) if sampled else None,
        "end_ids": frozenset({7, 9, 20, 31, 44}),
    }
    items = random_items(6, 8)
    assert generate(theirs, items, **options) == generate(ours, items, **options)
