"""Directions by every method, from every kind of text, through the engine and against computations of our own."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from transformers import PreTrainedTokenizerFast

from steerlang.engine.payload import Payload

from .test_models import greedy, last_states
from .tiny import HEAD, PAIRS, PROMPTS, direct, make_project, program, run, states

LATER = ["please", "no", "thanks", "tea", "go"]


@pytest.fixture(scope="module")
def hugging(project: Path) -> tuple[Any, Any]:
    return direct(project)


def sides(hugging: tuple[Any, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Source and target states at the last token `[n, layers, width]`."""
    return last_states(hugging, [p[0] for p in PAIRS]), last_states(hugging, [p[1] for p in PAIRS])


def stored(result: Any, name: str) -> Payload:
    """What the store holds of a definition."""
    payload = result.payload(result.program.compiled.tables[name].cells[0].value.node)
    assert payload is not None
    return payload


# ---- methods -------------------------------------------------------------------------------------------------------


def test_a_probe_is_a_regression_on_standardised_states(
    project: Path, hugging: tuple[Any, Any], tmp_path: Path
) -> None:
    vector = run(project, "vector w = extract(m, pairs, method = probe(c = 0.5))", cache=tmp_path)["w"]
    x, y = sides(hugging)
    for layer in range(2):
        rows = np.concatenate([x[:, layer], y[:, layer]]).astype(float)
        scaler = StandardScaler().fit(rows)
        fit = LogisticRegression(C=0.5, solver="newton-cg", tol=1e-10)
        fit.fit(scaler.transform(rows), np.r_[np.zeros(len(x)), np.ones(len(y))])
        normal = fit.coef_[0] / scaler.scale_
        np.testing.assert_allclose(vector.directions[layer], normal / np.linalg.norm(normal), atol=2e-3)
    assert vector.method["options"] == {"c": 0.5}
    assert (vector.max_projections > 0).all()


def test_a_discriminant_through_the_engine(project: Path, hugging: tuple[Any, Any], tmp_path: Path) -> None:
    vector = run(project, "vector w = extract(m, pairs, method = lda(shrinkage = 0.5))", cache=tmp_path)["w"]
    x, y = (s.astype(float) for s in sides(hugging))
    for layer in range(2):
        a, b = x[:, layer], y[:, layer]
        within = np.concatenate([a - a.mean(0), b - b.mean(0)])
        plain = within.T @ within / len(within)
        covariance = 0.5 * plain + 0.5 * np.trace(plain) / 16 * np.eye(16)
        wanted = np.linalg.solve(covariance, b.mean(0) - a.mean(0))
        np.testing.assert_allclose(vector.directions[layer], wanted, rtol=2e-2, atol=2e-3 * np.abs(wanted).max())


@pytest.mark.parametrize("method", ["mean_difference", "pca", "icv", "probe", "lda", "lat"])
def test_every_method_reports_on_itself(method: str, project: Path, tmp_path: Path) -> None:
    many = [f'["{a} {w}", "{b} {w}"]' for a, b in PAIRS for w in LATER]
    text = f"vector w = extract(m, pairs([{', '.join(many)}]), method = {method}, tokens = mean)"
    vector = run(project, text, cache=tmp_path)["w"]
    for name in ("direction_norm", "state_norm", "cosine_to_mean_difference", "split_half_cosine", "held_out_auc"):
        assert np.isfinite(vector.report[name]).all(), name
    assert all(0 <= share <= 1 + 1e-6 for share in vector.report["variance_explained"])
    assert all(0 <= a <= 1 for a in vector.report["held_out_auc"])
    assert vector.max_projections.shape == (2,)
    # Five texts a side in the hundred: what tells them apart is in the words, so every method does better than chance.
    assert min(vector.report["held_out_auc"]) > 0.6


def test_the_largest_projection_is_over_all_states_read(
    project: Path, hugging: tuple[Any, Any], tmp_path: Path
) -> None:
    vector = run(project, "", cache=tmp_path)["v"]
    x, y = sides(hugging)
    for layer in range(2):
        unit = vector.directions[layer] / np.linalg.norm(vector.directions[layer])
        wanted = max(abs(float(h @ unit)) for h in (*x[:, layer], *y[:, layer]))
        assert vector.max_projections[layer] == pytest.approx(wanted, rel=1e-4)


def test_methods_share_the_captures(project: Path, tmp_path: Path) -> None:
    methods = ("pca", "probe", "lda", "lat")
    text = "\n".join(f"vector w{i} = extract(m, pairs, method = {m})" for i, m in enumerate(methods))
    steps = [s for s in program(project, text, cache=tmp_path).plan().plan.steps if s.operation == "capture"]
    assert [len(s.nodes) for s in steps] == [2]


# ---- from activations ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["pca", "probe", "lda", "lat", "mean_difference"])
def test_activations_give_what_the_model_and_its_pairs_give(method: str, project: Path, tmp_path: Path) -> None:
    text = f"""data polite = jsonl("pairs.jsonl", text = "polite")
data rude = jsonl("pairs.jsonl", text = "rude")
activations target = capture(m, polite, tokens = mean, layers = 1, site = mlp)
activations source = capture(m, rude, tokens = mean, layers = 1, site = mlp)
vector w = extract(target, source, method = {method}, seed = 3)
vector u = extract(m, pairs, method = {method}, tokens = mean, layers = 1, site = mlp, seed = 3)
"""
    result = run(project, text, cache=tmp_path)
    np.testing.assert_array_equal(result["w"].directions, result["u"].directions)
    assert (result["w"].tokens, result["w"].site, result["w"].layers) == ({"select": "mean"}, {"select": "mlp"}, (1,))
    assert result["w"].report == result["u"].report


def test_sides_of_different_sizes(project: Path, hugging: tuple[Any, Any], tmp_path: Path) -> None:
    text = 'vector w = extract(capture(m, words), capture(m, ["no", "go away"]))'
    found = run(project, text, cache=tmp_path)["w"].directions
    wanted = last_states(hugging, PROMPTS).mean(0) - last_states(hugging, ["no", "go away"]).mean(0)
    np.testing.assert_allclose(found, wanted, atol=2e-5)


def test_sides_are_taken_as_they_were_found(project: Path, hugging: tuple[Any, Any], tmp_path: Path) -> None:
    """Of the same rows, one side in some and the other in others; a method of pairs has none, and says so."""
    text = """activations tea   = capture(m, words, tokens = at("tea"))
activations yes   = capture(m, words, tokens = at("yes"))
"""
    found = run(project, text + "vector w = extract(tea, yes)", cache=tmp_path)["w"]
    tea, yes = "give me tea", "yes"  # what the model has read by then
    wanted = last_states(hugging, [tea]).mean(0) - last_states(hugging, [yes]).mean(0)
    np.testing.assert_allclose(found.directions, wanted, atol=2e-5)
    failed = program(project, text + "vector w = extract(tea, yes, method = pca)", cache=tmp_path).run()
    assert "no pair has the token on both sides" in [d.message for d in failed.diagnostics]


def test_a_token_that_is_nowhere_spares_what_else_is_read_in_the_pass(project: Path, tmp_path: Path) -> None:
    text = """activations lost  = capture(m, words, tokens = at("zebra"))
activations found = capture(m, words, tokens = at("tea"))
"""
    failed = program(project, text, cache=tmp_path).run()
    assert [(d.code.id, d.place) for d in failed.diagnostics if d.severity.value == "error"] == [("SL807", "lost")]
    assert failed["found"]["states"].shape[0] == len(PROMPTS)


# ---- sites ---------------------------------------------------------------------------------------------------------


def test_heads_side_by_side(project: Path, hugging: tuple[Any, Any], tmp_path: Path) -> None:
    text = """activations h = capture(m, words, site = heads)
vector w = extract(m, pairs, site = heads)
model  k = apply(m, add(w, site = heads, scale = 2))
samples s = generate(k, words, max_new_tokens = 5)
"""
    result = run(project, text, cache=tmp_path)
    model, tokenizer = hugging
    given: list[torch.Tensor] = []
    hooks = [
        b.self_attn.o_proj.register_forward_pre_hook(lambda _, a: given.append(a[0][0, -1].clone()))
        for b in model.model.layers
    ]
    with torch.inference_mode():
        for prompt in PROMPTS:
            model(**tokenizer(prompt, return_tensors="pt"))
    for hook in hooks:
        hook.remove()
    wanted = torch.stack(given).reshape(len(PROMPTS), 2, -1)
    np.testing.assert_allclose(result["h"]["states"], wanted, atol=2e-5)
    # Steering the heads is steering what the projection gives, through its weight.
    pushed = [
        b.self_attn.o_proj.weight.detach() @ torch.from_numpy(np.array(v)) * 2
        for b, v in zip(model.model.layers, result["w"].directions, strict=True)
    ]
    hooks = [
        b.self_attn.o_proj.register_forward_hook(lambda _m, _i, o, p=p: o + p)
        for b, p in zip(model.model.layers, pushed, strict=True)
    ]
    try:
        expected = [tokenizer.decode(greedy(hugging, p, 5), skip_special_tokens=True) for p in PROMPTS]
    finally:
        for hook in hooks:
            hook.remove()
    assert [s.completion for s in result["s"]] == expected


def test_sites_without_layers(project: Path, hugging: tuple[Any, Any], tmp_path: Path) -> None:
    text = """activations e = capture(m, words, site = embedding)
activations n = capture(m, words, site = final_norm)
activations last = capture(m, words, layers = last)
vector w = extract(m, pairs, site = embedding)
samples s = generate(apply(m, add(w, site = embedding, scale = 3)), words, max_new_tokens = 4)
"""
    result = run(project, text, cache=tmp_path)
    model, tokenizer = hugging
    ids = [tokenizer(p)["input_ids"] for p in PROMPTS]
    table = model.model.embed_tokens.weight.detach()
    np.testing.assert_allclose(result["e"]["states"][:, 0], torch.stack([table[i[-1]] for i in ids]), atol=1e-6)
    with torch.inference_mode():
        normed = torch.stack([model.model(input_ids=torch.tensor([i]))[0][0, -1] for i in ids])
    np.testing.assert_allclose(result["n"]["states"][:, 0], normed, atol=2e-5)
    # The last block's output is not the library's last hidden state: that one has passed the final norm.
    assert np.abs(result["last"]["states"][:, 0] - normed.numpy()).max() > 0.01
    assert result["w"].layers == (0,)


def test_a_module_by_name_in_each_layer(project: Path, hugging: tuple[Any, Any], tmp_path: Path) -> None:
    text = 'activations a = capture(m, words, site = module("model.layers.{l}.mlp.act_fn"))'
    found = run(project, text, cache=tmp_path)["a"]["states"]
    seen: list[torch.Tensor] = []
    model, tokenizer = hugging
    hooks = [b.mlp.act_fn.register_forward_hook(lambda _m, _i, o: seen.append(o[0, -1])) for b in model.model.layers]
    with torch.inference_mode():
        model(**tokenizer(PROMPTS[2], return_tensors="pt"))
    for hook in hooks:
        hook.remove()
    np.testing.assert_allclose(found[2], torch.stack(seen), atol=2e-5)


# ---- generated text ------------------------------------------------------------------------------------------------


def generated_states(hugging: tuple[Any, Any], prompt: str, reply: list[int]) -> torch.Tensor:
    """Outputs of the blocks `[layers, tokens, width]` over the prompt and what was generated, token by token with a
    cache: the states as they are while the model generates."""
    model, tokenizer = hugging
    found: list[list[torch.Tensor]] = [[], []]
    hooks = [
        b.register_forward_hook(lambda _m, _i, o, n=n: found[n].append((o[0] if isinstance(o, tuple) else o)[0]))
        for n, b in enumerate(model.model.layers)
    ]
    with torch.inference_mode():
        made = model(**tokenizer(prompt, return_tensors="pt"), use_cache=True)
        for token in reply:
            made = model(input_ids=torch.tensor([[token]]), past_key_values=made.past_key_values, use_cache=True)
    for hook in hooks:
        hook.remove()
    return torch.stack([torch.cat(f) for f in found])


SELECTED = {
    "first": lambda n, k: [n],
    "last": lambda n, k: [n + k - 1],
    "mean": lambda n, k: range(n, n + k),
    "index(2)": lambda n, k: [n + 2],
    "from_end(2)": lambda n, k: [n + k - 2],
    "span(0, 1)": lambda n, k: [n, n + 1],
    "assistant": lambda n, k: range(n, n + k),
}


@pytest.mark.parametrize("tokens", sorted(SELECTED))
def test_selectors_look_at_the_new_tokens_alone(
    tokens: str, project: Path, hugging: tuple[Any, Any], tmp_path: Path
) -> None:
    text = f"activations a = capture(m, words, during = generation, tokens = {tokens}, max_new_tokens = 6)"
    found = stored(run(project, text, cache=tmp_path), "a")
    for row, prompt in enumerate(PROMPTS):
        reply = [t for t in greedy(hugging, prompt, 6) if t != 2]
        start = len(hugging[1](prompt)["input_ids"])
        places = list(SELECTED[tokens](start, len(reply)))
        if not all(start <= p < start + len(reply) for p in places):
            places = []  # a span is there as a whole or not at all
        assert found.meta["found"][row] == bool(places)
        if places:
            states_ = generated_states(hugging, prompt, reply)
            np.testing.assert_allclose(found.tensors["states"][row], states_[:, list(places)].mean(1), atol=5e-5)


def test_words_are_searched_in_the_new_text_and_their_absence_is_counted(
    project: Path, hugging: tuple[Any, Any], tmp_path: Path
) -> None:
    replies = [[t for t in greedy(hugging, p, 6) if t != 2] for p in PROMPTS]
    texts = [hugging[1].decode(r) for r in replies]
    word = texts[0].split()[0]  # the first word generated: the prompt's last position predicts it
    text = f"""activations at   = capture(m, words, during = generation, tokens = at("{word}"), max_new_tokens = 6)
activations says = capture(m, words, during = generation, tokens = predicting("{word}"), max_new_tokens = 6)
"""
    result = run(project, text, cache=tmp_path)
    for row, prompt in enumerate(PROMPTS):
        words = texts[row].split()
        assert stored(result, "at").meta["found"][row] == (word in words)
        if word in words:
            start = len(hugging[1](prompt)["input_ids"]) + words.index(word)
            whole = generated_states(hugging, prompt, replies[row])
            np.testing.assert_allclose(result["at"]["states"][row], whole[:, start], atol=5e-5)
            np.testing.assert_allclose(result["says"]["states"][row], whole[:, start - 1], atol=5e-5)
        else:
            assert not result["at"]["states"][row].any()
    missing = sum(word not in t.split() for t in texts)
    assert 0 < missing < len(PROMPTS)
    said = [d for d in result.diagnostics if d.code.id == "SL807"]
    assert [d.message.split(" texts")[0] for d in said] == [
        f"`{n}` holds {len(PROMPTS) - missing} of {len(PROMPTS)}" for n in ("at", "says")
    ]


def test_a_word_that_no_text_has_is_an_error(project: Path, tmp_path: Path) -> None:
    text = 'activations a = capture(m, words, during = generation, tokens = at("elephant"))'
    result = program(project, text, cache=tmp_path).run()
    assert [d.code.id for d in result.diagnostics if d.is_error] == ["SL807"]
    assert "any of 5 texts" in result.diagnostics[0].message


def test_states_of_a_steered_model_while_it_generates(
    project: Path, hugging: tuple[Any, Any], tmp_path: Path
) -> None:
    """Steered from the last prompt token on: read in one pass, the states are those of generating step by step."""
    text = """model k = apply(m, add(v, scale = 2, layers = 0, tokens = generated))
activations a = capture(k, words, during = generation, tokens = mean, max_new_tokens = 4)
samples s = generate(k, words, max_new_tokens = 4)
"""
    result = run(project, text, cache=tmp_path)
    push = 2 * torch.from_numpy(np.array(result["v"].directions[0]))
    model, tokenizer = hugging
    for row, (prompt, sample) in enumerate(zip(PROMPTS, result["s"], strict=True)):
        ids = tokenizer(prompt)["input_ids"]
        reply = tokenizer(sample.completion, add_special_tokens=False)["input_ids"]
        seen: list[torch.Tensor] = []

        def steer(_m: Any, _i: Any, o: Any, start: int = len(ids) - 1) -> Any:
            o = o[0] if isinstance(o, tuple) else o
            return torch.cat([o[:, :start], o[:, start:] + push], 1)

        hooks = [
            model.model.layers[0].register_forward_hook(steer),
            model.model.layers[1].register_forward_hook(lambda _m, _i, o, s=seen: s.append(o[0])),
        ]
        with torch.inference_mode():
            model(input_ids=torch.tensor([ids + reply]))
        for hook in hooks:
            hook.remove()
        if reply:
            np.testing.assert_allclose(result["a"]["states"][row, 1], seen[0][len(ids) :].mean(0), atol=5e-5)


def test_samples_may_be_read_as_they_are(project: Path, tmp_path: Path) -> None:
    text = """samples s = generate(m, words, max_new_tokens = 6)
activations a = capture(m, s, tokens = mean)
activations b = capture(m, words, during = generation, tokens = mean, max_new_tokens = 6)
"""
    compiled = program(project, text, cache=tmp_path).compiled
    (a,), (b,) = (compiled.tables[n].cells for n in "ab")
    assert a.value.node.key == b.value.node.key


# ---- chats ---------------------------------------------------------------------------------------------------------

OPENS = "{% if add_generation_prompt %}a {% endif %}"
PLAIN = "{% for m in messages %}{{ m.role[0] }} {{ m.content }} door {% endfor %}" + OPENS
MARKED = (
    "{% for m in messages %}{{ m.role[0] }} {% if m.role == 'assistant' %}{% generation %}{{ m.content }} door "
    "{% endgeneration %}{% else %}{{ m.content }} door {% endif %}{% endfor %}" + OPENS
)
# Writes something before a reply that is there, and nothing where it is to come.
PARTING = (
    "{% for m in messages %}{{ m.role[0] }} {% if m.role == 'assistant' %}yes yes {% endif %}"
    "{{ m.content }} door {% endfor %}" + OPENS
)


def chat_project(folder: Path, template: str) -> Path:
    make_project(folder)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder / "m")
    tokenizer.chat_template = template
    tokenizer.save_pretrained(folder / "m")
    rows = ({"ask": "help me", "rude": a, "polite": b} for a, b in PAIRS)
    (folder / "chats.jsonl").write_text("\n".join(json.dumps(r) for r in rows) + "\n")
    return folder


@pytest.mark.parametrize(
    ("template", "before", "more"), [(PLAIN, "u help me door a", 0), (MARKED, "u help me door a", 1),
                                     (PARTING, "u help me door a yes yes", 0)],
    ids=["told apart by the prompt", "marked by the template", "opened otherwise"],
)  # fmt: skip
def test_the_assistants_tokens(template: str, before: str, more: int, tmp_path: Path) -> None:
    folder = chat_project(tmp_path, template)
    text = """data chats = jsonl("chats.jsonl", prompt = "ask", source = "rude", target = "polite", chat = true)
vector w = extract(m, chats, tokens = assistant)
vector l = extract(m, chats, tokens = last)
"""
    result = run(folder, text)
    model, tokenizer = direct(folder)
    bare = partial(tokenizer, add_special_tokens=False)
    sides_ = []
    for side in (0, 1):
        means = []
        for pair in PAIRS:
            said = len(pair[side].split())
            whole = states(model, bare, f"{before} {pair[side]} door ")
            start = len(before.split())
            means.append(whole[:, start : start + said + more].mean(1))
        sides_.append(torch.stack(means).mean(0))
    np.testing.assert_allclose(result["w"].directions, sides_[1] - sides_[0], atol=5e-5)
    assert not np.allclose(result["w"].directions, result["l"].directions, atol=1e-3)


def test_chats_are_answered_without_the_reply_they_have(tmp_path: Path) -> None:
    folder = chat_project(tmp_path, PLAIN)
    text = 'data chats = jsonl("chats.jsonl", prompt = "ask", text = "rude", chat = true)\n'
    result = run(folder, text + "samples s = generate(m, chats, max_new_tokens = 3)")
    ids = direct(folder)[1]("u help me door a ", add_special_tokens=False)["input_ids"]
    assert all(row["prompt_ids"] == ids for row in stored(result, "s").rows)


def test_a_template_that_rewrites_replies_is_refused(tmp_path: Path) -> None:
    folder = chat_project(tmp_path, PLAIN.replace("{{ m.content }}", "{{ m.content | upper }}"))
    text = """data chats = jsonl("chats.jsonl", prompt = "ask", source = "rude", target = "polite", chat = true)
vector w = extract(m, chats, tokens = assistant)
"""
    result = program(folder, text).run()
    assert [d.code.id for d in result.diagnostics if d.is_error] == ["SL807"]
    assert "does not write the reply as it stands" in result.diagnostics[0].message


# ---- what cannot be made -------------------------------------------------------------------------------------------


def test_sides_that_read_the_same_give_no_direction(project: Path, tmp_path: Path) -> None:
    result = program(project, "vector w = extract(m, pairs, tokens = first)", cache=tmp_path).run()
    assert [d.code.id for d in result.diagnostics if d.is_error] == ["SL811"]


def test_a_method_that_finds_no_variation_names_the_layer(project: Path, tmp_path: Path) -> None:
    for method in ("pca", "probe", "lda", "lat"):
        text = f"vector w = extract(m, pairs, tokens = first, method = {method}, layers = 1)"
        result = program(project, text, cache=tmp_path).run()
        (found,) = [d for d in result.diagnostics if d.is_error]
        assert found.code.id == "SL806"
        assert found.message.startswith("at layer 1, "), found.message


def overflowing(folder: Path, size: float, factor: float) -> Path:
    """A project whose token `door` has an embedding as large as numbers get, and whose first MLP adds a good deal."""
    make_project(folder)
    weights = load_file(folder / "m" / "model.safetensors")
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder / "m")
    weights["model.embed_tokens.weight"][tokenizer.convert_tokens_to_ids("door")] = size
    weights["model.layers.0.mlp.down_proj.weight"] *= factor
    save_file(weights, folder / "m" / "model.safetensors", metadata={"format": "pt"})
    return folder


def test_states_that_are_not_finite_are_named_by_layer_and_row(tmp_path: Path) -> None:
    folder = overflowing(tmp_path, 65_000, 1000)
    result = program(folder, "", head=HEAD.replace('hf("m")', 'hf("m", dtype = float16)')).run()
    (found,) = [d for d in result.diagnostics if d.is_error]
    assert found.code.id == "SL802"
    assert found.message == "the state of row 5 (source) at residual of layer 0 is not finite"  # the pair with `door`


def test_states_whose_length_is_not_finite_are_named_by_layer(tmp_path: Path) -> None:
    result = program(overflowing(tmp_path, 3e38, 1), "").run()
    (found,) = [d for d in result.diagnostics if d.is_error]
    assert found.code.id == "SL802"
    assert "at layer 0" in found.message


def test_pairs_without_the_token_are_left_out_and_counted(
    project: Path, hugging: tuple[Any, Any], tmp_path: Path
) -> None:
    made = 'pairs([["go tea now", "tea please"], ["no", "tea"], ["tea", "tea thanks"]])'
    text = f'vector w = extract(m, {made}, tokens = at("tea"))'
    result = run(project, text, cache=tmp_path)
    assert (result["w"].provenance["pairs"], result["w"].provenance["left_out"]) == (2, 1)
    wanted = (states(*hugging, "tea please")[:, 1] + states(*hugging, "tea thanks")[:, 1]) / 2
    wanted = wanted - (states(*hugging, "go tea now")[:, 2] + states(*hugging, "tea")[:, 1]) / 2
    np.testing.assert_allclose(result["w"].directions, wanted, atol=5e-5)
    assert any("made of 2 of 3 pairs" in d.message for d in result.diagnostics)
