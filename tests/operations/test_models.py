"""Reading, steering, generating and scoring through the engine, against the library called directly."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from steerlang.operations.metric import Metric

from .tiny import PAIRS, PROMPTS, direct, program, run, states


@pytest.fixture(scope="module")
def hugging(project: Path) -> tuple[Any, Any]:
    return direct(project)


def last_states(hugging: tuple[Any, Any], texts: list[str]) -> np.ndarray:
    """`[texts, layers, width]` at the last token."""
    return np.stack([states(*hugging, t)[:, -1].numpy() for t in texts])


def test_captured_states_are_those_of_the_library(project: Path, hugging: tuple[Any, Any], tmp_path: Path) -> None:
    text = """activations last  = capture(m, words)
activations mean  = capture(m, words, tokens = mean, layers = 1)
activations every = capture(m, words, tokens = all, layers = 0)
activations at    = capture(m, words, tokens = at("no"))
"""
    result = run(project, text, cache=tmp_path)
    np.testing.assert_allclose(result["last"]["states"], last_states(hugging, PROMPTS), atol=2e-5)
    every = [states(*hugging, t) for t in PROMPTS]
    mean = torch.stack([s[1].mean(0) for s in every])[:, None]
    np.testing.assert_allclose(result["mean"]["states"], mean, atol=2e-5)
    np.testing.assert_allclose(result["every"]["states"][:, 0], torch.cat([s[0] for s in every]), atol=2e-5)


def test_a_direction_is_the_difference_of_means(project: Path, hugging: tuple[Any, Any], tmp_path: Path) -> None:
    vector = run(project, "", cache=tmp_path)["v"]
    source, target = (last_states(hugging, [p[i] for p in PAIRS]) for i in (0, 1))
    np.testing.assert_allclose(vector.directions, target.mean(0) - source.mean(0), atol=2e-5)
    norms = np.linalg.norm(np.concatenate([source, target]), axis=-1).mean(0)
    np.testing.assert_allclose(vector.state_norms, norms, rtol=1e-4)
    assert (vector.layers, vector.site, vector.tokens) == ((0, 1), {"select": "residual"}, {"select": "last"})
    assert vector.model["id"] == "m"
    assert vector.provenance["pairs"] == len(PAIRS)


def test_directions_from_activations_and_from_the_model_are_the_same(project: Path, tmp_path: Path) -> None:
    text = """activations target = capture(m, jsonl("pairs.jsonl", text = "polite"))
activations source = capture(m, jsonl("pairs.jsonl", text = "rude"))
vector w = extract(target, source)
"""
    result = run(project, text, cache=tmp_path)
    np.testing.assert_allclose(result["w"].directions, result["v"].directions, atol=1e-6)


def test_pca_is_the_first_singular_vector(project: Path, hugging: tuple[Any, Any], tmp_path: Path) -> None:
    found = run(project, "vector w = extract(m, pairs, method = pca)", cache=tmp_path)["w"].directions
    delta = last_states(hugging, [p[1] for p in PAIRS]) - last_states(hugging, [p[0] for p in PAIRS])
    for layer in range(2):
        axis = np.linalg.svd(delta[:, layer].astype(float))[2][0]
        axis *= np.sign(axis @ delta[:, layer].mean(0))
        np.testing.assert_allclose(found[layer], axis, atol=1e-4)


# ---- steering --------------------------------------------------------------------------------------------------------


def steered(hugging: tuple[Any, Any], text: str, change: Callable[[int, torch.Tensor], torch.Tensor]) -> torch.Tensor:
    """Logits `[tokens, vocabulary]` of a text with each block's output changed, by hooks of our own."""
    model, tokenizer = hugging

    def hook(layer: int) -> Any:
        return lambda _m, _i, o: (change(layer, o[0]), *o[1:]) if isinstance(o, tuple) else change(layer, o)

    hooks = [b.register_forward_hook(hook(i)) for i, b in enumerate(model.model.layers)]
    with torch.inference_mode():
        logits = model(**tokenizer(text, return_tensors="pt")).logits[0]
    for one in hooks:
        one.remove()
    return logits


ACTIONS: dict[str, tuple[str, Callable[[torch.Tensor, torch.Tensor, float], torch.Tensor]]] = {
    "add": ("add(v, scale = 0.7)", lambda h, v, n: h + 0.7 * v),
    "unit": ("add(v, scale = 0.7, unit = unit)", lambda h, v, n: h + 0.7 * v / v.norm()),
    "residual": ("add(v, scale = 0.7, unit = residual)", lambda h, v, n: h + 0.7 * n * v / v.norm()),
    "keep": (
        "add(v, scale = 0.7, norm = keep)",
        lambda h, v, n: (h + 0.7 * v) * h.norm(dim=-1, keepdim=True) / (h + 0.7 * v).norm(dim=-1, keepdim=True),
    ),
    "ablate": ("ablate(v)", lambda h, v, n: h - (h @ v / (v @ v))[..., None] * v),
    "two": ("add(v, scale = 0.5), add(v, scale = 0.2)", lambda h, v, n: h + 0.7 * v),
}


@pytest.mark.parametrize("name", sorted(ACTIONS))
def test_a_steered_model_is_the_formula_applied_by_hand(
    name: str, project: Path, hugging: tuple[Any, Any], tmp_path: Path
) -> None:
    written, formula = ACTIONS[name]
    result = run(project, f"model k = apply(m, {written})", cache=tmp_path)
    vector = result["v"]

    def change(layer: int, h: torch.Tensor) -> torch.Tensor:
        return formula(h, torch.from_numpy(np.array(vector.directions[layer])), float(vector.state_norms[layer]))

    expected = steered(hugging, PROMPTS[2], change)
    with result["k"] as model, torch.inference_mode():
        found = model(**hugging[1](PROMPTS[2], return_tensors="pt")).logits[0]
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_steering_by_nothing_changes_nothing(project: Path, tmp_path: Path) -> None:
    text = """model none_at_all = apply(m, add(v, scale = 0))
samples x = generate([m, none_at_all], words, max_new_tokens = 6)
metric far = kl_from(none_at_all, words, base = m)
"""
    result = run(project, text, cache=tmp_path)
    assert result["x"]["m"] == result["x"]["none_at_all"]
    assert result["far"].value == pytest.approx(0, abs=1e-9)


# ---- generating ------------------------------------------------------------------------------------------------------


def greedy(hugging: tuple[Any, Any], prompt: str, count: int, change: Any = None) -> list[int]:
    """Token after token, without a cache."""
    model, tokenizer = hugging
    ids = tokenizer(prompt)["input_ids"]
    start = len(ids)
    hooks = [
        b.register_forward_hook(lambda _m, _i, o, n=i: change(n, o) if change else None)
        for i, b in enumerate(model.model.layers)
    ]
    with torch.inference_mode():
        while len(ids) < start + count and (len(ids) == start or ids[-1] != 2):
            ids = [*ids, int(model(torch.tensor([ids])).logits[0, -1].argmax())]
    for hook in hooks:
        hook.remove()
    return ids[start:]


def replies(result: Any, name: str) -> list[str]:
    return [s.completion for s in result[name]]


def test_greedy_samples_are_those_of_the_library(project: Path, hugging: tuple[Any, Any], tmp_path: Path) -> None:
    result = run(project, "samples x = generate(m, words, max_new_tokens = 7)", cache=tmp_path)
    expected = [hugging[1].decode(greedy(hugging, p, 7), skip_special_tokens=True) for p in PROMPTS]
    assert replies(result, "x") == expected
    assert [s.prompt for s in result["x"]] == PROMPTS


def test_steered_greedy_samples_are_those_of_hooks_by_hand(
    project: Path, hugging: tuple[Any, Any], tmp_path: Path
) -> None:
    text = "model k = apply(m, add(v, scale = 1.5))\nsamples x = generate(k, words, max_new_tokens = 7)"
    result = run(project, text, cache=tmp_path)
    v = torch.from_numpy(np.array(result["v"].directions))
    change = lambda layer, h: h + 1.5 * v[layer]  # noqa: E731
    expected = [hugging[1].decode(greedy(hugging, p, 7, change), skip_special_tokens=True) for p in PROMPTS]
    assert replies(result, "x") == expected


def test_a_batch_is_its_prompts_one_by_one(project: Path, tmp_path: Path) -> None:
    sampled = "method = sample(temperature = 1.5), seed = 4, max_new_tokens = 6"
    singles = "\n".join(f'samples x{i} = generate(m, ["{p}"], {sampled})' for i, p in enumerate(PROMPTS))
    result = run(project, f"samples x = generate(m, words, max_new_tokens = 6)\n{singles}", cache=tmp_path)
    greedy_singles = "\n".join(
        f'samples x{i} = generate(m, ["{p}"], max_new_tokens = 6)' for i, p in enumerate(PROMPTS)
    )
    alone = run(project, greedy_singles, cache=tmp_path)
    assert replies(result, "x") == [replies(alone, f"x{i}")[0] for i in range(len(PROMPTS))]


def test_variants_in_one_batch_are_each_alone(project: Path, tmp_path: Path) -> None:
    together = """sweep s = [0, 0.5, 1, 2]
samples x = generate(apply(m, add(v, scale = s), rotate(v, scale = s, across = true)), words, max_new_tokens = 6)
metric  y = perplexity(x, by = m)
"""
    swept = run(project, together, cache=tmp_path / "a")
    for scale in ("0", "0.5", "1", "2"):
        alone = together.replace("[0, 0.5, 1, 2]", f"[{scale}]")
        single = run(project, alone, cache=tmp_path / scale)
        (point,) = single["x"]
        assert single["x"][point] == swept["x"][point]
        assert single["y"][point].value == pytest.approx(swept["y"][point].value, rel=1e-5)


def test_sampling_depends_on_the_seed(project: Path, tmp_path: Path) -> None:
    text = "sweep k = [1, 1 + 1]\nsamples x = generate(m, words, method = sample(temperature = 3), seed = k)"
    result = run(project, text, cache=tmp_path)["x"]
    one, two = result.values()
    assert one != two


# ---- scoring ---------------------------------------------------------------------------------------------------------


def log_probabilities(hugging: tuple[Any, Any], ids: list[int]) -> torch.Tensor:
    with torch.inference_mode():
        return hugging[0](torch.tensor([ids])).logits[0].double().log_softmax(-1)


def test_perplexity_of_texts(project: Path, hugging: tuple[Any, Any], tmp_path: Path) -> None:
    found = run(project, "metric x = perplexity(words, by = m)", cache=tmp_path)["x"]
    loss, count = 0.0, 0
    for prompt in PROMPTS:
        ids = hugging[1](prompt)["input_ids"]
        table = log_probabilities(hugging, ids)
        loss -= sum(float(table[i, ids[i + 1]]) for i in range(len(ids) - 1))
        count += len(ids) - 1
    assert found.value == pytest.approx(np.exp(loss / count), rel=1e-5)
    assert found.interval[0] <= found.value <= found.interval[1]
    assert found.count == len(PROMPTS)


def test_perplexity_of_replies_counts_the_replies_alone(
    project: Path, hugging: tuple[Any, Any], tmp_path: Path
) -> None:
    text = 'model other = hf("other")\nsamples x = generate(m, words, max_new_tokens = 5)\n'
    result = run(
        project, text + "metric y = perplexity(x, by = m)\nmetric z = perplexity(x, by = other)", cache=tmp_path
    )
    for name, judge in (("y", hugging), ("z", direct(project, "other"))):
        loss, count = 0.0, 0
        for prompt in PROMPTS:
            ids = hugging[1](prompt)["input_ids"]
            reply = greedy(hugging, prompt, 5)
            table = log_probabilities(judge, ids + reply)
            loss -= sum(float(table[len(ids) - 1 + i, t]) for i, t in enumerate(reply))
            count += len(reply)
        assert result[name].value == pytest.approx(np.exp(loss / count), rel=1e-4), name


@pytest.mark.parametrize("positions", ["all", "last"])
def test_divergence_from_the_base(positions: str, project: Path, hugging: tuple[Any, Any], tmp_path: Path) -> None:
    text = f"model k = apply(m, add(v, scale = 2))\nmetric x = kl_from(k, words, base = m, positions = {positions})"
    result = run(project, text, cache=tmp_path)
    v = torch.from_numpy(np.array(result["v"].directions))
    values = []
    for prompt in PROMPTS:
        p = log_probabilities(hugging, hugging[1](prompt)["input_ids"])
        q = steered(hugging, prompt, lambda n, h: h + 2 * v[n]).double().log_softmax(-1)
        each = (p.exp() * (p - q)).sum(-1)
        values.append(float(each[-1] if positions == "last" else each[:-1].mean()))
    assert result["x"].value == pytest.approx(np.mean(values), rel=1e-3)
    np.testing.assert_allclose(result["x"].scores, values, rtol=1e-3)


def test_difference_of_logits(project: Path, hugging: tuple[Any, Any], tmp_path: Path) -> None:
    text = 'model k = apply(m, add(v))\nmetric x = logit_difference([m, k], words, target = "please", source = "no")'
    result = run(project, text, cache=tmp_path)
    please, no = hugging[1].convert_tokens_to_ids(["please", "no"])
    v = torch.from_numpy(np.array(result["v"].directions))
    for name, scale in (("m", 0.0), ("k", 1.0)):
        logits = [steered(hugging, p, lambda n, h, s=scale: h + s * v[n])[-1] for p in PROMPTS]
        expected = [float(row[please] - row[no]) for row in logits]
        np.testing.assert_allclose(result["x"][name].scores, expected, atol=1e-4)
        assert isinstance(result["x"][name], Metric)


# ---- the engine ------------------------------------------------------------------------------------------------------


def test_a_second_run_makes_nothing(project: Path, tmp_path: Path) -> None:
    text = "model {0} = apply(m, add(v))\nsamples x = generate([m, {0}], words, max_new_tokens = 3)"
    text += "\nmetric y = distinct(x)"
    first = run(project, text.format("k"), cache=tmp_path)
    again = run(project, "# another remark\n" + text.format("renamed"), cache=tmp_path)
    assert len(first.results.made) > 5
    assert again.results.made == ()
    assert first["y"]["k"] == again["y"]["renamed"]


def test_a_changed_scale_makes_what_depends_on_it_again_and_nothing_else(project: Path, tmp_path: Path) -> None:
    text = "model k = apply(m, add(v, scale = {}))\nsamples x = generate([m, k], words, max_new_tokens = 3)"
    text += "\nmetric y = distinct(x)"
    run(project, text.format(1), cache=tmp_path)
    again = run(project, text.format(2), cache=tmp_path)
    assert sorted(n.operation for n in again.results.made) == ["generate", "metric.distinct"]


def test_all_captures_on_a_model_are_one_pass(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import LlamaModel

    calls: list[int] = []
    original = LlamaModel.forward
    text = """vector a = extract(m, pairs, method = pca)
vector b = extract(m, pairs, layers = 0, tokens = mean)
vector c = extract(m, pairs([["no", "yes"], ["now", "please"]]), layers = 1)
activations d = capture(m, words, tokens = first)
"""
    loaded = program(project, text, cache=tmp_path)

    def counted(self: Any, *args: Any, **options: Any) -> Any:
        calls.append(1)
        return original(self, *args, **options)

    run_result = loaded.run(targets=["d"])  # the model is loaded, and proven, before calls are counted
    assert run_result.outcome == "done"
    monkeypatch.setattr(LlamaModel, "forward", counted)
    result = loaded.run()
    monkeypatch.undo()
    assert result.outcome == "done"
    reads = [n for n in result.results.made if n.operation == "capture"]
    assert len(reads) == 6
    loading = _calls_to_load(project, tmp_path / "probe", monkeypatch)
    assert len(calls) - loading == 1


def _calls_to_load(project: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """How often the decoder runs while a model is loaded: it is probed."""
    from transformers import LlamaModel

    from steerlang.models.loading import load

    calls: list[int] = []
    original = LlamaModel.forward
    monkeypatch.setattr(LlamaModel, "forward", lambda s, *a, **o: (calls.append(1), original(s, *a, **o))[1])
    load(project / "m", dtype="float32", device="cpu")
    monkeypatch.undo()
    return len(calls)
