"""Controls and choosing, through whole programs: each control is what it says it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from steerlang.api import Settings, check_text
from steerlang.functions import registry
from steerlang.graph.node import walk

from .tiny import HEAD, PROMPTS, direct, program, run

STEERED = "model kind = apply(m, add(v, scale = 2.0))\n"


def errors(folder: Path, text: str) -> list[str]:
    found = check_text(HEAD + text, folder=folder, settings=Settings(cache_dir=folder / "cache"))
    return [f"{d.code.id} {d.message}" for d in found.diagnostics if d.is_error]


def test_controls_are_the_base_the_model_a_prompt_and_random_directions(project: Path, tmp_path: Path) -> None:
    text = STEERED + """
samples all  = generate(controls(kind, random = 2, prompt = "please", seed = 5), words, max_new_tokens = 4)
samples some = generate([m, kind], words, max_new_tokens = 4)
model   by_hand = apply(m, add(random_like(v, seed = 6), scale = 2.0))
samples drawn = generate(by_hand, words, max_new_tokens = 4)
samples told  = generate(m, texts(["please\\ngood day", "please\\nI will not"]), max_new_tokens = 4)
metric  d     = distinct(all)
metric  high  = random_high(d)
metric  low   = random_low(d)
"""
    found = run(project, text, cache=tmp_path)
    every = found["all"]
    assert list(every) == ["unsteered", "kind", "prompted", "random_1", "random_2"]
    assert every["unsteered"] == found["some"]["m"]
    assert every["kind"] == found["some"]["kind"]
    assert every["random_2"] == found["drawn"]
    assert every["random_1"] != every["random_2"]
    assert [s.completion for s in every["prompted"]][:2] == [s.completion for s in found["told"]]
    assert [s.prompt for s in every["prompted"]] == PROMPTS
    values = [found["d"][f"random_{i}"].value for i in (1, 2)]
    assert (found["high"].value, found["low"].value) == (max(values), min(values))


def test_random_directions_have_the_length_of_those_they_stand_for(project: Path) -> None:
    text = "vector u = extract(m, pairs, tokens = mean)\n"
    text += "model both = apply(m, add([v, u], scale = [1, 2]), ablate(v))\n"
    loaded = program(project, text + "samples x = generate(controls(both, random = 1, seed = 3), words)")
    node = loaded.compiled.tables["x"].cells[-1].value.node.inputs[0]
    drawn = [n for n in walk([node]) if n.operation == "vector.random_like"]
    # `v` is one vector wherever it is used, so its stand-in is one direction; `u` has another.
    assert [n.options["seed"] for n in drawn] == [3, 100_003]
    assert [n.inputs[0].key for n in drawn] == [loaded.compiled.tables[x].cells[0].value.node.key for x in ("v", "u")]
    given = loaded.compiled.tables["both"].cells[0].value.node
    strip = lambda actions: [{k: a[k] for k in ("operator", "layers", "scales")} for a in actions]  # noqa: E731
    assert strip(node.options["actions"]) == strip(given.options["actions"])


def test_controls_of_a_sweep_keep_its_axis(project: Path) -> None:
    text = "sweep s = [0.0, 1.0]\nmodel k = apply(m, add(v, scale = s))\n"
    found = run(project, text + "samples x = generate(controls(k, random = 1), words, max_new_tokens = 2)")["x"]
    assert [a.name for a in found.axes] == ["model", "s"]
    assert found["k", 0.0] == found["unsteered", 1.0] == found["random_1", 0.0]


def test_a_prompted_model_is_told_before_each_prompt(project: Path) -> None:
    model, tokenizer = direct(project)
    text = 'model told = prompted(m, "kindly {text} now")\nsamples x = generate(told, words, max_new_tokens = 3)'
    for sample in run(project, text)["x"]:
        ids = tokenizer(f"kindly {sample.prompt} now", return_tensors="pt", return_token_type_ids=False)
        wanted = model.generate(**ids, max_new_tokens=3, do_sample=False)[0, ids["input_ids"].shape[1] :]
        assert sample.completion == tokenizer.decode(wanted, skip_special_tokens=True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("samples x = generate(controls(m), words)", "SL302 `m` is not steered"),
        (STEERED + "samples x = generate(controls(kind, random = 0), words)", "SL401 `0` is out of bounds for `random"),
        (STEERED + "sweep n = [1, 2]\nmodel x = controls(kind, random = n)", "SL302 `random` decides"),
        (STEERED + "model c = controls(kind)\nsamples x = generate(controls(c), words)", "SL302 these are several"),
        (STEERED + "metric x = random_high(distinct(generate(kind, words)))", "SL302 this metric was not measured"),
        (STEERED + 'metric x = kl_from(prompted(kind, "a"), words, base = m)', "SL302 a prompted model only generates"),
        ('vector u = extract(prompted(m, "a"), pairs)', "SL302 a prompted model only generates"),
        ('model x = prompted(m, " ")', "SL302 the prompt is empty"),
        ('model x = prompted(prompted(m, "a"), "b")', "SL302 this model is prompted already"),
        ("metric x = largest([])", "SL402 the list is empty"),
    ],
)
def test_what_makes_no_sense_is_an_error(project: Path, text: str, message: str) -> None:
    found = errors(project, text)
    assert found, text
    assert found[0].startswith(message), found


# ---- choosing --------------------------------------------------------------------------------------------------------

SWEEP = """
vector a = unit(v)
vector b = random_like(a, seed = 1)
sweep  w = [a, b]
metric moved = kl_from(apply(m, add(w, scale = 3)), words, base = m)
"""


def test_a_selected_vector_is_the_one_the_metric_is_best_for(project: Path) -> None:
    text = SWEEP + """
vector high  = select(w, by = moved, over = w)
vector low   = select(w, by = moved, over = w, order = smallest)
let    point = argmax(moved, over = w)
vector same  = w[w = point]
metric again = kl_from(apply(m, add(high, scale = 3)), words, base = m)
"""
    found = run(project, text)
    values = {name: found["moved"][name].value for name in ("a", "b")}
    best, worst = sorted(values, key=lambda n: -values[n])
    np.testing.assert_array_equal(found["high"].directions, found[best].directions)
    np.testing.assert_array_equal(found["low"].directions, found[worst].directions)
    np.testing.assert_array_equal(found["same"].directions, found["high"].directions)
    assert found["again"].value == pytest.approx(values[best])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (SWEEP + "vector x = select(v, by = moved, over = w)", "SL302 the vector does not depend on `w`"),
        (SWEEP + "sweep o = [1]\nvector x = select(w, by = moved, over = o)", "SL302 the vector does not depend on"),
        (
            "sweep w = [v[0..0], v[1..1]]\nmetric d = kl_from(apply(m, add(w)), words, base = m)\n"
            "vector x = select(w, by = d, over = w)",
            "SL313 one of these vectors is chosen while running, and they are of different layers",
        ),
    ],
)
def test_vectors_that_cannot_be_chosen_among(project: Path, text: str, message: str) -> None:
    assert errors(project, text)[0].startswith(message)


def test_a_choice_that_fails_leaves_expectations_unjudged(project: Path, tmp_path: Path) -> None:
    text = SWEEP + """
let    point = argmax(moved, over = w, where = moved < -1)
expect first = moved[w = point] > 0
expect plain = moved[w = a] > 0
"""
    result = program(project, text, cache=tmp_path).run(keep_going=True)
    assert result.outcome == "failed"
    assert {e.label: e.holds for e in result.expectations} == {"first": None, "plain": True}
    codes = [d.code.id for d in result.diagnostics if d.is_error]
    assert codes == ["SL806"]


def test_every_expanding_function_is_never_lowered_itself() -> None:
    for function in registry().functions.values():
        # `random_like` is itself where no count is given.
        if function.expand is not None and function.name != "random_like":
            call: Any = type("Call", (), {"function": function})
            with pytest.raises(AssertionError, match="means other expressions"):
                function.lower(call, None)  # type: ignore[arg-type]


def test_gates_read_the_vector_and_not_its_stand_in(project: Path) -> None:
    text = "model k = apply(m, add(v, layers = 1, when = cosine(v, layer = 0) > 0.1, schedule = window(0, 2)))\n"
    loaded = program(project, text + "samples x = generate(controls(k, random = 1), words, max_new_tokens = 2)")
    given = loaded.compiled.tables["k"].cells[0].value.node
    node = loaded.compiled.tables["x"].cells[-1].value.node.inputs[0]
    (before,), (after,) = given.options["actions"], node.options["actions"]
    assert {k: v for k, v in after.items() if k != "vectors"} == {k: v for k, v in before.items() if k != "vectors"}
    read = given.inputs[1]
    assert node.inputs[1] == read
    assert [node.inputs[1 + i].operation for i in after["vectors"]] == ["vector.random_like"]
    assert loaded.run().outcome == "done"
