"""Function vectors and task vectors of examples against the papers' definitions written out with plain hooks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from steerlang.operations.in_context import Exercise, exercises

from .tiny import direct, program, run, states

TASK = [("tea", "door"), ("go", "away"), ("yes", "no"), ("good", "day"), ("please", "thanks"), ("help", "me")]
ROWS = [{"source": s, "target": t} for s, t in TASK]
DATA = "data task = pairs([" + ", ".join(f'["{s}", "{t}"]' for s, t in TASK) + "])\n"
FORM = {"form": "{source} and {target}", "separator": " now ", "shots": 2, "prompts": 7}
WRITTEN = 'shots = 2, prompts = 7, form = "{source} and {target}", separator = " now "'


@pytest.fixture(scope="module")
def hugging(project: Path) -> tuple[Any, Any]:
    return direct(project)


def test_prompts_are_examples_and_a_query() -> None:
    answers = dict(TASK)
    made = exercises(ROWS, FORM, 3)
    assert len(made) == 7
    for one in made:
        *examples, query = one.true.split(" now ")
        assert query == one.alone
        assert query.endswith(" and")
        assert one.answer == " " + answers[query.removesuffix(" and")]
        shown = [e.split(" and ") for e in examples]
        assert len(shown) == 2
        assert all(answers[s] == t for s, t in shown)
        words = [s for s, _ in shown] + [query.removesuffix(" and")]
        assert len(set(words)) == 3
        shuffled = [e.split(" and ") for e in one.shuffled.split(" now ")[:-1]]
        assert [s for s, _ in shuffled] == [s for s, _ in shown]
        assert all(answers[s] != t for s, t in shuffled)
        assert one.shuffled.split(" now ")[-1] == query
    assert len({one.true for one in made}) > 1


def test_prompts_are_functions_of_seed_and_number_alone() -> None:
    assert exercises(ROWS, {**FORM, "prompts": 3}, 3) == exercises(ROWS, FORM, 3)[:3]
    assert exercises(ROWS, FORM, 4) != exercises(ROWS, FORM, 3)


def head_outputs(hugging: tuple[Any, Any], text: str) -> torch.Tensor:
    """What the output projection of each block is given at the last token `[layers, width]`."""
    model, tokenizer = hugging
    found: list[torch.Tensor] = []
    hooks = [
        b.self_attn.o_proj.register_forward_pre_hook(lambda _, a: found.append(a[0][0, -1].clone()))
        for b in model.model.layers
    ]
    with torch.inference_mode():
        model(**tokenizer(text, return_tensors="pt"))
    for hook in hooks:
        hook.remove()
    return torch.stack(found)


def answer_probability(
    hugging: tuple[Any, Any], text: str, token: int, patch: tuple[int, slice, torch.Tensor] | None = None
) -> float:
    model, tokenizer = hugging
    hooks = []
    if patch is not None:
        layer, part, value = patch

        def change(_m: Any, args: Any) -> Any:
            changed = args[0].clone()
            changed[0, -1, part] = value[part]
            return (changed,)

        hooks = [model.model.layers[layer].self_attn.o_proj.register_forward_pre_hook(change)]
    with torch.inference_mode():
        logits = model(**tokenizer(text, return_tensors="pt")).logits[0, -1]
    for hook in hooks:
        hook.remove()
    return float(logits.softmax(-1)[token])


def first_token(hugging: tuple[Any, Any], one: Exercise) -> int:
    return int(hugging[1](one.answer, add_special_tokens=False)["input_ids"][0])


def test_a_function_vector_is_the_sum_of_what_the_top_heads_write(
    project: Path, hugging: tuple[Any, Any], tmp_path: Path
) -> None:
    text = DATA + f"vector f = extract(m, task, method = function_vector(heads = 2, {WRITTEN}), seed = 3)"
    vector = run(project, text, cache=tmp_path)["f"]
    made = exercises(ROWS, FORM, 3)
    mean = torch.stack([head_outputs(hugging, one.true) for one in made]).mean(0)
    effects = {}
    for layer in range(2):
        for head in range(2):
            part = slice(8 * head, 8 * head + 8)
            gains = [
                answer_probability(hugging, one.shuffled, first_token(hugging, one), (layer, part, mean[layer]))
                - answer_probability(hugging, one.shuffled, first_token(hugging, one))
                for one in made
            ]
            effects[layer, head] = float(np.mean(gains))
    top = sorted(effects, key=lambda place: -effects[place])[:2]
    assert [(layer, head) for layer, head, _ in vector.provenance["heads"]] == top
    np.testing.assert_allclose([e for *_, e in vector.provenance["heads"]], [effects[t] for t in top], atol=1e-6)
    wanted = torch.zeros(16)
    for layer, head in top:
        part = slice(8 * head, 8 * head + 8)
        wanted += hugging[0].model.layers[layer].self_attn.o_proj.weight.detach()[:, part] @ mean[layer, part]
    assert vector.layers == (0,)  # a third of two blocks
    np.testing.assert_allclose(vector.directions[0], wanted, atol=2e-5)
    likely = [answer_probability(hugging, one.true, first_token(hugging, one)) for one in made]
    assert vector.provenance["answer_probability"]["examples"] == pytest.approx(np.mean(likely), rel=1e-4)


def test_all_heads_together_write_the_mean_output_of_attention(
    project: Path, hugging: tuple[Any, Any], tmp_path: Path
) -> None:
    method = f"function_vector(heads = 4, {WRITTEN})"
    text = DATA + f"vector f = extract(m, task, method = {method}, seed = 3, layers = 0..1)"
    vector = run(project, text, cache=tmp_path)["f"]
    model, tokenizer = hugging
    added: list[torch.Tensor] = []
    hooks = [b.self_attn.register_forward_hook(lambda _m, _i, o: added.append(o[0][0, -1])) for b in model.model.layers]
    made = exercises(ROWS, FORM, 3)
    with torch.inference_mode():
        for one in made:
            model(**tokenizer(one.true, return_tensors="pt"))
    for hook in hooks:
        hook.remove()
    wanted = torch.stack(added).sum(0) / len(made)
    for direction in vector.directions:
        np.testing.assert_allclose(direction, wanted, atol=2e-5)


def test_a_task_vector_is_the_state_before_the_answer(
    project: Path, hugging: tuple[Any, Any], tmp_path: Path
) -> None:
    text = DATA + f"vector t = extract(m, task, method = task_vector_icl({WRITTEN}), seed = 3)"
    vector = run(project, text, cache=tmp_path)["t"]
    found = torch.stack([states(*hugging, one.true)[:, -1] for one in exercises(ROWS, FORM, 3)])
    np.testing.assert_allclose(vector.directions, found.mean(0), atol=2e-5)
    np.testing.assert_allclose(vector.state_norms, found.norm(dim=-1).mean(0), rtol=1e-4)
    halves = torch.nn.functional.cosine_similarity(found[:3].mean(0), found[3:].mean(0), dim=-1)
    np.testing.assert_allclose(vector.report["split_half_cosine"], halves, atol=1e-5)
    unit = torch.nn.functional.normalize(found.mean(0), dim=-1)
    largest = (found * unit).sum(-1).abs().amax(0)
    np.testing.assert_allclose(vector.max_projections, largest, rtol=1e-4)


def test_a_task_vector_patched_in_is_the_examples_own_answer(
    project: Path, hugging: tuple[Any, Any], tmp_path: Path
) -> None:
    """In the last block, the state of the last token alone decides the next one."""
    method = 'task_vector_icl(shots = 3, form = "{source} and {target}")'
    text = DATA + f"""vector t = extract(m, task, method = {method}, seed = 5)
model  k = apply(m, replace(t, layers = last, tokens = last_prompt))
samples s = generate(k, words, max_new_tokens = 1)
"""
    result = run(project, text, cache=tmp_path)
    (one,) = exercises(ROWS, {"form": "{source} and {target}", "separator": "\n", "shots": 3, "prompts": 1}, 5)
    model, tokenizer = hugging
    with torch.inference_mode():
        wanted = int(model(**tokenizer(one.true, return_tensors="pt")).logits[0, -1].argmax())
    rows = result.payload(result.program.compiled.tables["s"].cells[0].value.node).rows
    assert {tuple(row["completion_ids"]) for row in rows} == {(wanted,)}


def test_examples_for_a_steered_model(project: Path, hugging: tuple[Any, Any], tmp_path: Path) -> None:
    text = DATA + f"""model  k = apply(m, add(v, scale = 2, layers = 0, tokens = last_prompt))
vector t = extract(k, task, method = task_vector_icl({WRITTEN}), seed = 3)
"""
    result = run(project, text, cache=tmp_path)
    push = 2 * torch.from_numpy(np.array(result["v"].directions[0]))
    found = torch.stack([states(*hugging, one.true)[0, -1] for one in exercises(ROWS, FORM, 3)]) + push
    np.testing.assert_allclose(result["t"].directions[0], found.mean(0), atol=2e-5)


def test_examples_that_do_not_help_are_said(project: Path, tmp_path: Path) -> None:
    """A random model learns nothing from examples; over four seeds some must come out on either side."""
    said = []
    for seed in range(4):
        text = DATA + f"vector f = extract(m, task, method = function_vector(heads = 1, {WRITTEN}), seed = {seed})"
        result = run(project, text, cache=tmp_path)
        likely = result["f"].provenance["answer_probability"]
        warned = any(d.code.id == "SL715" for d in result.diagnostics)
        assert warned == (likely["examples"] <= likely["shuffled"])
        said.append(warned)
    assert any(said)


def test_more_examples_than_positions(project: Path, tmp_path: Path) -> None:
    rows = ", ".join(f'["tea {"and " * 30}{i}", "no"]' for i in range(4))
    text = f"vector t = extract(m, pairs([{rows}]), method = task_vector_icl(shots = 3))"
    result = program(project, text, cache=tmp_path).run()
    (found,) = [d for d in result.diagnostics if d.is_error]
    assert found.code.id == "SL401"
    assert found.message.startswith("a prompt of 3 examples has ")
    assert found.message.endswith(" and the model has 64 positions")
