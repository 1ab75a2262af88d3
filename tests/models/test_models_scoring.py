"""Likelihoods and divergences: the plain formula on one text at a time."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_models import loaded_llama, random_directions, random_items

from steerlang.models import (
    RESIDUAL,
    Add,
    LoadedModel,
    Overlay,
    Recipe,
    ScoredText,
    SteeringAction,
    TokenisedItem,
    heads,
    log_likelihoods,
    mean_kl,
    next_token_logits,
)
from steerlang.models.errors import BadBatch, NoTokens
from steerlang.models.scopes import GeneratedTokens, PromptTokens

ON: Recipe = (SteeringAction(Add(), RESIDUAL, random_directions(1), (0.5,), GeneratedTokens()),)
BEFORE: Recipe = (SteeringAction(Add(), RESIDUAL, random_directions(2), (0.5,), PromptTokens()),)
RECIPES: list[Recipe] = [(), ON, BEFORE]


def some_texts(seed: int, count: int = 7) -> list[ScoredText]:
    prompts, rest = random_items(count, seed), random_items(count, seed + 1)
    return [ScoredText(p, r.ids) for p, r in zip(prompts, rest, strict=True)]


def log_probabilities(loaded: LoadedModel, text: ScoredText, recipe: Recipe) -> torch.Tensor:
    """Next-token log-probabilities ``[C, V]`` at the positions that predict the completion."""
    with Overlay(loaded, [recipe]) as overlay, torch.no_grad():
        overlay.begin(prompt_lengths=[len(text.prompt)])
        logits = loaded.model(input_ids=torch.tensor([text.ids])).logits[0]
    return logits[len(text.prompt) - 1 : -1].double().log_softmax(-1)


@pytest.mark.parametrize("budget", [1, 60, 4096])
def test_likelihood_is_the_sum_over_the_completion(llama: LoadedModel, budget: int) -> None:
    texts = some_texts(1)
    rows = [i % 3 for i in range(len(texts))]
    scored = log_likelihoods(llama, texts, recipes=RECIPES, rows=rows, batch_tokens=budget)
    for i, text in enumerate(texts):
        table = log_probabilities(llama, text, RECIPES[rows[i]])
        wanted = table.gather(1, torch.tensor(text.completion)[:, None]).sum()
        assert scored.total[i] == pytest.approx(float(wanted), rel=1e-5)
        assert scored.tokens[i] == len(text.completion)


def test_the_scope_matters_where_it_should(llama: LoadedModel) -> None:
    """Steering what is generated changes the first completion token already; the base is not touched."""
    texts = [ScoredText(TokenisedItem((5, 6, 7)), (8,))]
    base, on = log_likelihoods(llama, texts), log_likelihoods(llama, texts, recipes=[ON])
    assert abs(base.total[0] - on.total[0]) > 1e-2


def test_whole_texts_score_all_tokens_but_the_first(llama: LoadedModel) -> None:
    item = random_items(1, 3, 6, 6)[0]
    whole = ScoredText.whole(item)
    with torch.no_grad():
        loss = llama.model(input_ids=torch.tensor([item.ids]), labels=torch.tensor([item.ids])).loss
    assert log_likelihoods(llama, [whole]).total[0] == pytest.approx(-5 * float(loss), rel=1e-5)


def test_chunks_of_the_vocabulary_projection_change_nothing(
    llama: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = some_texts(4)
    whole = log_likelihoods(llama, texts)
    sizes: list[int] = []
    handle = llama.model.lm_head.register_forward_hook(lambda _, args, __: sizes.append(args[0].shape[0]))
    monkeypatch.setattr(heads, "CHUNK_ELEMENTS", 61 * 4)
    chunked = log_likelihoods(llama, texts)
    handle.remove()
    np.testing.assert_allclose(chunked.total, whole.total, rtol=1e-5)
    assert max(sizes) == 4
    assert sum(sizes) == sum(len(t.completion) for t in texts)


def test_next_token_logits(llama: LoadedModel) -> None:
    items = random_items(6, 5)
    rows = [i % 3 for i in range(6)]
    made = next_token_logits(llama, items, recipes=RECIPES, rows=rows, batch_tokens=30)
    for i, item in enumerate(items):
        with Overlay(llama, [RECIPES[rows[i]]]), torch.no_grad():
            wanted = llama.model(input_ids=torch.tensor([item.ids])).logits[0, -1]
        np.testing.assert_allclose(made[i], wanted.numpy(), rtol=1e-4, atol=1e-4)


def test_mean_kl_is_of_base_to_steered(llama: LoadedModel) -> None:
    texts = some_texts(6)
    rows = [i % 3 for i in range(len(texts))]
    made = mean_kl(llama, texts, recipes=RECIPES, rows=rows, batch_tokens=80)
    for i, text in enumerate(texts):
        p, q = (log_probabilities(llama, text, recipe) for recipe in ((), RECIPES[rows[i]]))
        assert made[i] == pytest.approx(float((p.exp() * (p - q)).sum(-1).mean()), rel=1e-4, abs=1e-7)
    assert all(made[i] == 0.0 for i in range(0, len(texts), 3))


def test_empty_completions_and_prompts(llama: LoadedModel) -> None:
    nothing = ScoredText(TokenisedItem((5, 6)), ())
    scored = log_likelihoods(llama, [nothing, *some_texts(7, 2)])
    assert (scored.total[0], scored.tokens[0]) == (0.0, 0)
    assert log_likelihoods(llama, [nothing]).total.tolist() == [0.0]
    assert np.isnan(mean_kl(llama, [nothing], recipes=[ON])[0])
    with pytest.raises(NoTokens, match="row 1"):
        log_likelihoods(llama, [nothing, ScoredText(TokenisedItem(()), (5,))])
    with pytest.raises(BadBatch, match="which text takes which"):
        log_likelihoods(llama, [nothing], recipes=RECIPES)
    with pytest.raises(BadBatch, match="2 rows for 1"):
        log_likelihoods(llama, [nothing], recipes=RECIPES, rows=[0, 1])


def test_the_head_of_the_model_is_used_when_it_does_more_than_project() -> None:
    """With the promise of a plain projection withdrawn, the model's own forward gives the same logits."""
    loaded = loaded_llama()
    texts = some_texts(8)
    plain = log_likelihoods(loaded, texts)
    object.__setattr__(loaded.layout, "head_is_linear", False)
    np.testing.assert_allclose(log_likelihoods(loaded, texts).total, plain.total, rtol=1e-6)
    assert loaded.model.model is loaded.layout.decoder
