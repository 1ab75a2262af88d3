"""Activation addition by position, and steering at positions and at the assistant's reply, against hooks by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from steerlang.api import SteerlangError
from steerlang.models.prompts import marks_of
from steerlang.models.scopes import AssistantTokens, PassView
from steerlang.models.tokens import TokenisedItem

from .tiny import program, run

BEFORE, AFTER = "please give me tea now", "go away give me door"
PROMPT = "I will not go away good day"


@pytest.fixture(scope="module")
def hugging(project: Path) -> tuple[Any, Any]:
    return AutoModelForCausalLM.from_pretrained(project / "m").eval(), AutoTokenizer.from_pretrained(project / "m")


def read(hugging: tuple[Any, Any], text: str, layer: int) -> torch.Tensor:
    """What block `layer` gives, `[T, D]`."""
    model, tokenizer = hugging
    seen: list[torch.Tensor] = []
    handle = model.model.layers[layer].register_forward_hook(lambda _m, _i, out: seen.append(out[0].clone()))
    with torch.inference_mode():
        model(**tokenizer(text, return_tensors="pt"))
    handle.remove()
    return seen[0]


def logits_with(hugging: tuple[Any, Any], layer: int, delta: torch.Tensor) -> torch.Tensor:
    """The logits of the prompt with `delta [T, D]` added to what block `layer` gives."""
    model, tokenizer = hugging
    handle = model.model.layers[layer].register_forward_hook(lambda _m, _i, out: out + delta)
    with torch.inference_mode():
        logits: torch.Tensor = model(**tokenizer(PROMPT, return_tensors="pt")).logits
    handle.remove()
    return logits


def logits_of(result: Any, name: str) -> torch.Tensor:
    with result[name] as model, torch.inference_mode():
        found: torch.Tensor = model(**result.model("m").tokenizer(PROMPT, return_tensors="pt")).logits
    return found


def test_each_position_has_its_own_difference(project: Path, tmp_path: Path, hugging: tuple[Any, Any]) -> None:
    text = f"""
    data one = pairs([["{BEFORE}", "{AFTER}"]])
    model by = apply(m, activation_addition(m, one, layers = 1, positions = [1, 2, 4], scale = 1.5))
    samples out = generate(by, words, max_new_tokens = 2)
    """
    result = run(project, text, cache=tmp_path)
    difference = read(hugging, AFTER, 1) - read(hugging, BEFORE, 1)
    delta = torch.zeros(8, 16)
    for position in (1, 2, 4):
        delta[position] = 1.5 * difference[position]
    torch.testing.assert_close(logits_of(result, "by"), logits_with(hugging, 1, delta), rtol=1e-5, atol=1e-5)


def test_several_pairs_are_averaged(project: Path, tmp_path: Path, hugging: tuple[Any, Any]) -> None:
    text = f"""
    data two = pairs([["{BEFORE}", "{AFTER}"], ["good day", "no thanks"]])
    model by = apply(m, activation_addition(m, two, layers = 0, positions = [2]))
    samples out = generate(by, words, max_new_tokens = 2)
    """
    result = run(project, text, cache=tmp_path)
    first = read(hugging, AFTER, 0)[2] - read(hugging, BEFORE, 0)[2]
    second = read(hugging, "no thanks", 0)[2] - read(hugging, "good day", 0)[2]
    delta = torch.zeros(8, 16)
    delta[2] = (first + second) / 2
    torch.testing.assert_close(logits_of(result, "by"), logits_with(hugging, 0, delta), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("tokens", "positions"), [("index(3)", [3]), ("span(2, 5)", [2, 3, 4, 5]), ("index(40)", [])])
def test_steering_at_positions(
    project: Path, tmp_path: Path, hugging: tuple[Any, Any], tokens: str, positions: list[int]
) -> None:
    text = f"""
    model by = apply(m, add(v, layers = 1, scale = 2.0, tokens = {tokens}))
    samples out = generate(by, words, max_new_tokens = 3)
    """
    result = run(project, text, cache=tmp_path)
    delta = torch.zeros(8, 16)
    delta[positions] = 2.0 * torch.tensor(result["v"].at((1,)).directions[0])
    torch.testing.assert_close(logits_of(result, "by"), logits_with(hugging, 1, delta), rtol=1e-5, atol=1e-5)


def test_a_position_that_no_prompt_of_the_pair_has_is_an_error(project: Path, tmp_path: Path) -> None:
    text = """
    data one = pairs([["good day", "no thanks"]])
    model by = apply(m, activation_addition(m, one, layers = 1, positions = [1, 9]))
    samples out = generate(by, words, max_new_tokens = 2)
    """
    failed = program(project, text, cache=tmp_path).run(targets=["out"])
    assert "SL807" in {d.code.id for d in failed.diagnostics}


def test_a_position_is_named_once(project: Path, tmp_path: Path) -> None:
    text = """
    data one = pairs([["good day", "no thanks"]])
    model by = apply(m, activation_addition(m, one, layers = 1, positions = [1, 1]))
    """
    with pytest.raises(SteerlangError) as refused:
        program(project, text, cache=tmp_path).run()
    assert "named twice" in refused.value.diagnostics[0].message


def test_the_assistant_begins_where_its_first_token_is_produced() -> None:
    """In a conversation that is read at the token before the reply, else at the last token of the prompt."""
    scope, device = AssistantTokens(), torch.device("cpu")
    items = [TokenisedItem((1, 5, 6, 7, 8), assistant=(3, 4)), TokenisedItem((1, 5, 6, 7, 8))]
    marks = {s: at[:, None] for s, at in marks_of([scope], items, device).items()}
    positions = torch.arange(5).expand(2, 5)
    answer = scope.answer(PassView(positions, torch.tensor([[5], [5]]), False, marks))
    assert isinstance(answer, torch.Tensor)
    assert answer.tolist() == [[False, False, True, True, True], [False, False, False, False, True]]


def test_in_generation_assistant_is_generated(project: Path, tmp_path: Path) -> None:
    text = """
    model one = apply(m, add(v, layers = 1, scale = 3.0, tokens = assistant))
    model two = apply(m, add(v, layers = 1, scale = 3.0, tokens = generated))
    samples out = generate([m, one, two], words, max_new_tokens = 6)
    """
    out = run(project, text, cache=tmp_path)["out"]
    said = {name: [sample.completion for sample in out[name]] for name in ("m", "one", "two")}
    assert said["one"] == said["two"] != said["m"]
