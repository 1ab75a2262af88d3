"""Gates and schedules of programs: the numbers are those of the library's model and of scikit-learn."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from transformers import AutoModelForCausalLM, AutoTokenizer

from steerlang.api import SteerlangError
from steerlang.engine.errors import OperationError
from steerlang.operations.gating import gate_of
from steerlang.operations.vector import SteeringVector

from .tiny import PAIRS, PROMPTS, program, run


@pytest.fixture(scope="module")
def hugging(project: Path) -> tuple[Any, Any]:
    return AutoModelForCausalLM.from_pretrained(project / "m").eval(), AutoTokenizer.from_pretrained(project / "m")


def states(hugging: tuple[Any, Any], text: str, layer: int) -> torch.Tensor:
    """What block `layer` gives, `[T, D]`, from a hook by hand."""
    model, tokenizer = hugging
    seen: list[torch.Tensor] = []
    handle = model.model.layers[layer].register_forward_hook(lambda _m, _i, out: seen.append(out[0]))
    with torch.inference_mode():
        model(**tokenizer(text, return_tensors="pt"))
    handle.remove()
    return seen[0]


def moved(result: Any, name: str) -> list[bool]:
    """Which prompts a model's logits differ for from the base's."""
    found = []
    for prompt in PROMPTS:
        both = []
        for model_name in ("m", name):
            with result[model_name] as model, torch.inference_mode():
                both.append(model(**result.model("m").tokenizer(prompt, return_tensors="pt")).logits)
        found.append(not torch.equal(*both))
    return found


def halves(numbers: list[float]) -> float:
    """A threshold with some prompts on each side of it and none near."""
    ordered = sorted(numbers)
    gaps = [b - a for a, b in pairwise(ordered)]
    at = max(range(len(gaps)), key=gaps.__getitem__)
    return (ordered[at] + ordered[at + 1]) / 2


@pytest.mark.parametrize("tokens", ["mean", "last"])
def test_a_cosine_opens_for_the_prompts_it_should(
    tokens: str, project: Path, hugging: tuple[Any, Any], tmp_path: Path
) -> None:
    vector = run(project, "", cache=tmp_path)["v"].directions[0]
    read = [states(hugging, p, 0) for p in PROMPTS]
    kept = [s.mean(0) if tokens == "mean" else s[-1] for s in read]
    cosines = [float(torch.nn.functional.cosine_similarity(k, torch.from_numpy(np.array(vector)), dim=0)) for k in kept]
    bound = halves(cosines)
    gate = f"cosine(v, layer = 0, tokens = {tokens}) > {bound!r}" if bound > 0 else (
        f"not (cosine(v, layer = 0, tokens = {tokens}) <= 0 - {-bound!r})"
    )
    found = run(project, f"model k = apply(m, add(v, layers = 1, when = {gate}))", cache=tmp_path)
    assert moved(found, "k") == [c > bound for c in cosines]
    assert len(set(moved(found, "k"))) == 2


def test_a_gate_reads_the_token_its_vector_was_read_at(project: Path, tmp_path: Path) -> None:
    """`as_read`: `last` for a vector of last tokens, the mean for others and for CAST's form."""
    text = """vector w = extract(m, pairs, tokens = mean)
model k = apply(
  m,
  add(v, layers = 1, when = cosine(v, layer = 0) > 0.1 and cosine(0.5 * w, layer = 0) > 0.1),
  add(v, layers = 1, when = cosine(v - w, layer = 0) > 0.1 or cosine(v, layer = 0, form = cast) > 0.1),
)
"""
    (k,) = [c.value for c in program(project, text, cache=tmp_path).compiled.tables["k"].cells]
    tokens = [[gate["reading"]["tokens"] for gate in a["when"]["gates"]] for a in k.node.options["actions"]]
    assert tokens == [["last", "mean"], ["mean", "mean"]]


def test_a_probe_gives_the_probability_of_its_logit() -> None:
    """σ(scale · h·v̂ + intercept) with the numbers of the layer that is read; a vector without them is refused."""
    directions = np.array([[3.0, 4.0], [0.0, 2.0]], dtype=np.float32)
    norms, logits = np.ones(2, dtype=np.float32), np.array([[1.0, 9.0], [2.0, -0.5]], dtype=np.float32)
    probe = SteeringVector((3, 5), directions, norms, {"select": "residual"}, {"select": "last"}, {}, {}, logits=logits)
    reading = {"quantity": "probability", "vector": 0, "layer": 5, "site": {"select": "residual"}, "form": "plain"}
    reading |= {"tokens": "last", "each": "prompt"}
    document = {"is": "compare", "operator": ">", "number": 0.5, "reading": reading}
    gate = gate_of(document, [SteeringVector.of(probe.payload())])
    (read,) = gate.readings
    h = torch.tensor([[0.7, 1.5], [0.0, -1.0]])
    found = read.quantity.of(h, read.direction / read.direction.norm())
    torch.testing.assert_close(found, torch.sigmoid(2 * h[:, 1] - 0.5))
    assert gate.decide({read: found}).tolist() == [True, False]
    with pytest.raises(OperationError, match="no trained probe"):
        gate_of(document, [replace(probe, logits=None)])


def test_a_trained_probe_gives_the_probability_of_the_regression(
    project: Path, hugging: tuple[Any, Any], tmp_path: Path
) -> None:
    """σ(scale · h·v̂ + intercept) is what scikit-learn's fitted regression says of a state, by another solver."""
    result = run(project, "vector p = extract(m, pairs, method = probe)", cache=tmp_path)
    x, y = (torch.stack([states(hugging, pair[side], 0)[-1] for pair in PAIRS]).double().numpy() for side in (0, 1))
    rows = np.concatenate([x, y])
    mean, spread = rows.mean(0), rows.std(0)
    fit = LogisticRegression(solver="newton-cg", max_iter=5000, tol=1e-10)
    fit.fit((rows - mean) / spread, [0] * len(x) + [1] * len(y))
    last = np.stack([states(hugging, p, 0)[-1].numpy() for p in PROMPTS]).astype(float)
    wanted = fit.predict_proba((last - mean) / spread)[:, 1]
    scale, intercept = result["p"].logits[0]
    found = 1 / (1 + np.exp(-(scale * last @ result["p"].directions[0] + intercept)))
    np.testing.assert_allclose(found, wanted, atol=1e-3)
    bound = halves(wanted.tolist())
    text = f"""vector p = extract(m, pairs, method = probe)
model k = apply(m, add(v, layers = 1, when = probe(p, layer = 0) > {bound!r}))
"""
    opened = moved(run(project, text, cache=tmp_path), "k")
    assert opened == [bool(w > bound) for w in wanted]
    assert len(set(opened)) == 2


@pytest.mark.parametrize("ending", ["safetensors", "gguf", "svec", "pt"])
def test_a_probe_that_went_through_a_file_opens_the_same_gates(ending: str, project: Path, tmp_path: Path) -> None:
    makers = {"safetensors": "vector_file", "gguf": "gguf", "svec": "svec", "pt": "pt"}
    extra = ", reader = repeng" if ending == "gguf" else ""
    path = tmp_path / f"p.{ending}"
    text = f"""vector p = extract(m, pairs, method = probe)
export f = {makers[ending]}(p, to = "{path}"{extra})
"""
    run(project, text, cache=tmp_path)
    text = f"""vector p = extract(m, pairs, method = probe)
vector q = load_vector("{path}", model = m)
model k = apply(m, add(v, layers = 1, when = probe(p, layer = 0) > 0.5))
model l = apply(m, add(v, layers = 1, when = probe(q[0], layer = 0) > 0.5))
"""
    found = run(project, text, cache=tmp_path)
    np.testing.assert_array_equal(found["q"].logits, found["p"].logits)
    assert found["q"].logits.shape == (2, 2)
    assert moved(found, "k") == moved(found, "l")


def test_captured_states_of_a_gated_model_are_those_of_each_text(
    project: Path, hugging: tuple[Any, Any], tmp_path: Path
) -> None:
    """Texts of different lengths in one batch: the gate is decided on each, and only its last token is steered."""
    vector = torch.from_numpy(np.array(run(project, "", cache=tmp_path)["v"].directions))
    last = [states(hugging, p, 0)[-1] for p in PROMPTS]
    cosines = [float(torch.nn.functional.cosine_similarity(h, vector[0], dim=0)) for h in last]
    bound = max(halves(cosines), 0.0)
    gate = f"cosine(v, layer = 0, tokens = last) > {bound!r}"
    text = f"""model k = apply(m, add(v, layers = 1, tokens = last_prompt, when = {gate}))
activations kept = capture(k, words, layers = 1, tokens = all)
"""
    found = run(project, text, cache=tmp_path)["kept"]["states"][:, 0]
    wanted = []
    for prompt, cosine in zip(PROMPTS, cosines, strict=True):
        alone = states(hugging, prompt, 1).clone()
        alone[-1] += vector[1] * (cosine > bound)
        wanted.append(alone)
    assert len({c > bound for c in cosines}) == 2
    np.testing.assert_allclose(found, torch.cat(wanted).numpy(), rtol=1e-4, atol=1e-5)


def test_a_schedule_is_the_scale_at_each_token(project: Path, hugging: tuple[Any, Any], tmp_path: Path) -> None:
    """Greedy, token by token without a cache, with the factor of each position worked out by hand."""
    model, tokenizer = hugging
    text = """model k = apply(m, add(v, layers = 0, scale = 3, schedule = cosine(4, floor = 0.25)))
samples x = generate(k, words, max_new_tokens = 7)
"""
    result = run(project, text, cache=tmp_path)
    v = torch.from_numpy(np.array(result["v"].directions[0]))
    for prompt, reply in zip(PROMPTS, result["x"], strict=True):
        ids = tokenizer(prompt)["input_ids"]
        start = len(ids)
        while len(ids) < start + 7 and (len(ids) == start or ids[-1] != 2):
            times = [max(t - start + 1, 0) for t in range(len(ids))]
            factor = torch.tensor([0.25 + 0.75 * (1 + math.cos(math.pi * min(t / 4, 1))) / 2 for t in times])
            handle = model.model.layers[0].register_forward_hook(lambda _m, _i, out, f=factor: out + 3 * f[:, None] * v)
            with torch.inference_mode():
                ids = [*ids, int(model(torch.tensor([ids])).logits[0, -1].argmax())]
            handle.remove()
        assert reply.completion == tokenizer.decode(ids[start:], skip_special_tokens=True)


def test_max_activation_is_the_largest_projection_of_the_states_read(
    project: Path, hugging: tuple[Any, Any], tmp_path: Path
) -> None:
    text = "model k = apply(m, add(v, layers = 0, scale = 0.5, unit = max_activation))"
    result = run(project, text, cache=tmp_path)
    v = torch.from_numpy(np.array(result["v"].directions[0]))
    largest = max(float((states(hugging, t, 0)[-1] @ v / v.norm()).abs()) for pair in PAIRS for t in pair)
    recipe = result.model("k").recipe
    torch.testing.assert_close(recipe[0].directions[0][0], largest * v / v.norm(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("add(v + random_like(v), layers = 0, unit = max_activation)", "SL814"),
        ("ablate(v - v)", "SL811"),
        ("rotate(0 * v)", "SL811"),
        ("add(v, layers = 1, when = cosine(v - v, layer = 0) > 0.1)", "SL811"),
    ],
)
def test_what_only_the_vectors_show_is_an_error_of_the_run(
    written: str, words: str, project: Path, tmp_path: Path
) -> None:
    text = f"model k = apply(m, {written})\nsamples x = generate(k, words, max_new_tokens = 2)"
    result = program(project, text, cache=tmp_path).run()
    assert result.outcome == "failed"
    assert [d.code.id for d in result.diagnostics if d.is_error] == [words]
    assert all(d.help for d in result.diagnostics)


def test_options_that_are_left_out_change_no_key(project: Path, tmp_path: Path) -> None:
    keys = []
    for written in ("add(v)", "add(v, when = none, schedule = constant)"):
        compiled = program(project, f"model k = apply(m, {written})", cache=tmp_path).compiled
        keys.append(compiled.tables["k"].cells[0].value.node.key)
    assert keys[0] == keys[1]


def test_prompts_without_the_text_that_is_steered_are_counted(project: Path, tmp_path: Path) -> None:
    text = 'model k = apply(m, add(v, tokens = at("{}")))\nsamples x = generate([m, k], words, max_new_tokens = 2)'
    some = program(project, text.format("tea"), cache=tmp_path).run()
    assert some.outcome == "done"
    (warned,) = [d for d in some.diagnostics if d.code.id == "SL807"]
    assert warned.message == "`tea`, at which tokens of `x[k]` are steered, is not in 4 of 5 prompts"
    assert not warned.is_error
    none = program(project, text.format("table"), cache=tmp_path).run()
    assert [d.code.id for d in none.diagnostics if d.is_error] == ["SL807"]
    assert none.outcome == "failed"


def test_open_share_is_the_share_of_prompts_a_gate_opens_on(
    project: Path, hugging: tuple[Any, Any], tmp_path: Path
) -> None:
    """Counted by hand from the library's states: of prompts, and of tokens where the gate looks at each."""
    vector = torch.from_numpy(np.array(run(project, "", cache=tmp_path)["v"].directions[0]))
    read = [states(hugging, p, 0) @ vector / vector.norm() for p in PROMPTS]
    bound = halves([float(x[-1]) for x in read])
    highest = halves([float(x.max()) for x in read])
    text = f"""model k = apply(m, add(v, layers = 1, when = projection(v, layer = 0, tokens = last) > {bound!r}))
model t = apply(m, add(v, layers = 1, when = projection(v, layer = 0, each = token) > {highest!r}))
model e = apply(k, add(v, layers = 1, when = projection(v, layer = 0, tokens = last) <= {bound!r}))
metric share = open_share([k, t, e], words)
samples x = generate(k, words, max_new_tokens = 3)
samples plain = generate(m, words, max_new_tokens = 3)
"""
    found = run(project, text, cache=tmp_path)
    opened = [bool(x[-1] > bound) for x in read]
    assert 0 < sum(opened) < len(opened)
    assert found["share"]["k"].scores == tuple(map(float, opened))
    assert found["share"]["t"].scores == tuple(float(x.max() > highest) for x in read)
    assert found["share"]["e"].value == 1.0  # one of two gates is always open
    assert [s.gate_open for s in found["x"]] == opened
    assert [s.gate_open for s in found["plain"]] == [None] * len(PROMPTS)
    meta = found.payload(found.program.compiled.tables["x"].cells[0].value.node).meta
    assert meta["gate"] == {"open": sum(opened), "of": len(opened)}
    assert not [d for d in found.diagnostics if d.code.id == "SL723"]


def test_gates_of_tokens_are_counted_over_the_reply_too(project: Path, tmp_path: Path) -> None:
    """What is counted from one pass over prompt and reply is what moved the reply: closed rows are the base's."""
    text = """model k = apply(m, add(v, layers = 1, scale = 9, when = projection(v, layer = 0, each = token) > 0.5))
samples x = generate(k, words, max_new_tokens = 6)
samples y = generate(m, words, max_new_tokens = 6)
"""
    found = run(project, text, cache=tmp_path)
    for steered, plain in zip(found["x"], found["y"], strict=True):
        assert steered.gate_open or steered.completion == plain.completion


@pytest.mark.parametrize(("gate", "word"), [("< 0", "none"), (">= 0", "all")])
def test_a_gate_that_never_or_always_opens_is_a_warning(gate: str, word: str, project: Path, tmp_path: Path) -> None:
    text = f"""model k = apply(m, add(v, layers = 1, when = cosine(v, layer = 0, form = cast) {gate}))
samples x = generate(k, words, max_new_tokens = 2)
"""
    found = run(project, text, cache=tmp_path)
    (warned,) = [d for d in found.diagnostics if d.code.id == "SL723"]
    assert f"on {word} of 5 prompts" in warned.message


def test_a_model_without_gates_has_no_open_share(project: Path, tmp_path: Path) -> None:
    with pytest.raises(SteerlangError, match="no action of `m` has a gate"):
        program(project, "metric a = open_share(apply(m, add(v)), words)", cache=tmp_path)
