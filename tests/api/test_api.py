"""What `steerlang.api` offers: checking, planning, running, results by name, and models one can enter."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from operations.tiny import HEAD, PAIRS, PROMPTS, program, run

from steerlang.api import Settings, SteerlangError, check, check_text, load
from steerlang.operations.metric import Metric
from steerlang.operations.vector import SteeringVector

TEXT = """sweep s = [0, 1]
model kind = apply(m, add(v, scale = 1.5))
model some = apply(m, add(v, scale = s))
samples x = generate([m, kind], words, max_new_tokens = 5)
samples y = generate(some, words, max_new_tokens = 5)
metric d = distinct(x)
let best = argmax(distinct(y), over = s)
let number_of_things = 3
expect fine = d[kind] >= 0
expect plain = 1 < 2
"""


@pytest.fixture(scope="module")
def done(project: Path) -> Any:
    loaded = program(project, TEXT)
    result = loaded.run(targets=[n for n in loaded.compiled.tables if n not in ("s",)])
    assert result.outcome == "done", result.diagnostics
    return result


def test_results_are_plain_objects_by_name(done: Any) -> None:
    assert isinstance(done["v"], SteeringVector)
    assert isinstance(done["d"]["kind"], Metric)
    assert [s.prompt for s in done["x"]["m"]] == PROMPTS
    assert done["y"][0] == done["x"]["m"]
    assert done["best"] in (0, 1)
    assert done["number_of_things"] == 3
    assert done["fine"] is True
    assert [row["source"] for row in done["pairs"]] == [a for a, _ in PAIRS]
    assert done.ok


def test_a_table_of_results_is_a_mapping_by_point(done: Any) -> None:
    table = done["d"]
    assert list(table) == ["m", "kind"]
    assert len(table) == 2
    assert [a.name for a in table.axes] == ["model"]
    with pytest.raises(KeyError):
        table["nobody"]


def test_expectations_say_what_was_compared(done: Any) -> None:
    fine, plain = done.expectations
    assert (fine.label, fine.holds, fine.operator, fine.right) == ("fine", True, ">=", 0.0)
    assert fine.text == "d[kind] >= 0"
    assert (plain.holds, plain.numbers) == (True, "")


def test_unknown_names_and_what_was_not_carried_out_are_key_errors(done: Any, project: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="nobody"):
        done["nobody"]
    partial = program(project, TEXT, cache=tmp_path).run(targets=["v"])
    with pytest.raises(KeyError, match="x"):
        partial["x"]


def test_an_expectation_that_fails_is_told_with_its_numbers(project: Path, tmp_path: Path) -> None:
    result = program(project, "metric d = distinct(generate(m, words))\nexpect much = d > 2", cache=tmp_path).run()
    assert result.outcome == "done"
    assert not result.ok
    (diagnostic,) = [d for d in result.diagnostics if d.code.id == "SL803"]
    assert diagnostic.primary is not None
    assert diagnostic.primary.span.text == "d > 2"
    assert "> 2 is false" in diagnostic.message


def test_targets_choose_what_runs(project: Path, tmp_path: Path) -> None:
    loaded = program(project, TEXT, cache=tmp_path)
    made = loaded.run(targets=["v"]).results.made
    assert {n.operation for n in made} == {"data.rows", "capture", "extract"}
    with pytest.raises(SteerlangError) as caught:
        loaded.run(targets=["nobody"])
    assert caught.value.diagnostics[0].code.id == "SL201"


def test_a_plan_carries_nothing_out(project: Path, tmp_path: Path) -> None:
    loaded = program(project, TEXT, cache=tmp_path)
    document = loaded.plan().document()
    assert {d["label"] for d in document["definitions"]} >= {"m", "kind", "v"}  # type: ignore[index,union-attr,call-overload]
    assert not (tmp_path / "objects").exists() or not list((tmp_path / "objects").rglob("*.json"))
    loaded.run()
    again = loaded.plan()
    assert again.plan.steps == () or not list(again.plan.steps)


# ---- models ----------------------------------------------------------------------------------------------------------


def weights(model: Any) -> dict[str, torch.Tensor]:
    return {n: t.clone() for n, t in model.state_dict().items()}


def logits(model: Any, tokenizer: Any) -> torch.Tensor:
    with torch.inference_mode():
        return model(**tokenizer(PROMPTS[0], return_tensors="pt")).logits


def greedy_texts(model: Any, tokenizer: Any, count: int) -> list[str]:
    found = []
    for prompt in PROMPTS:
        given = tokenizer(prompt, return_tensors="pt", return_token_type_ids=False)
        ids = model.generate(**given, max_new_tokens=count, do_sample=False)[0, given["input_ids"].shape[1] :]
        found.append(tokenizer.decode(ids, skip_special_tokens=True))
    return found


def test_a_model_that_is_entered_generates_what_the_engine_generated(done: Any) -> None:
    kind = done["kind"]
    with kind as model:
        found = greedy_texts(model, kind.tokenizer, 5)
    assert found == [s.completion for s in done["x"]["kind"]]
    assert found != [s.completion for s in done["x"]["m"]]


def test_the_base_is_the_same_to_the_bit_afterwards(done: Any) -> None:
    base, kind = done["m"], done["kind"]
    with base as model:
        before, plain = weights(model), logits(model, base.tokenizer)
        hooks = sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())
    with kind as model:
        assert not torch.equal(logits(model, kind.tokenizer), plain)
    with base as model:
        assert torch.equal(logits(model, base.tokenizer), plain)
        assert all(torch.equal(t, before[n]) for n, t in model.state_dict().items())
        assert sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules()) == hooks


def test_an_error_inside_leaves_the_base_as_it_was(done: Any) -> None:
    base, kind = done["m"], done["kind"]
    with base as model:
        plain = logits(model, base.tokenizer)
    with pytest.raises(ZeroDivisionError), kind as model:  # noqa: PT012
        logits(model, kind.tokenizer)
        1 / 0  # noqa: B018
    with base as model:
        assert torch.equal(logits(model, base.tokenizer), plain)


def test_a_model_can_be_entered_again_but_not_twice_at_once(done: Any) -> None:
    kind = done["kind"]
    with kind, pytest.raises(RuntimeError):
        kind.__enter__()
    with kind as model:
        assert model is not None


def test_a_model_generates_by_itself(done: Any) -> None:
    assert done["kind"].generate(PROMPTS, max_new_tokens=5) == [s.completion for s in done["x"]["kind"]]
    assert done["m"].generate(PROMPTS[1], max_new_tokens=5) == [done["x"]["m"][1].completion]
    assert done.model("kind").generate(PROMPTS[0], max_new_tokens=5) == [done["x"]["kind"][0].completion]
    with pytest.raises(KeyError):
        done.model("v")


def test_models_of_a_sweep_are_results_by_point(done: Any) -> None:
    assert done["some"][1].generate(PROMPTS, max_new_tokens=5) == [s.completion for s in done["y"][1]]


# ---- loading ---------------------------------------------------------------------------------------------------------


def test_mistakes_are_an_error_with_diagnostics(project: Path) -> None:
    (project / "wrong.steer").write_text(HEAD + "vector w = v + m\n")
    with pytest.raises(SteerlangError) as caught:
        load(project / "wrong.steer")
    assert [d.code.id for d in caught.value.diagnostics] == ["SL301"]
    assert "wrong.steer:6: `+` does not work on a vector and a model [SL301]" in str(caught.value)
    checked = check(project / "wrong.steer")
    assert not checked.ok
    assert [d.code.id for d in checked.diagnostics] == ["SL301"]


def test_parameters_are_given_as_plain_values(project: Path, tmp_path: Path) -> None:
    (project / "parameter.steer").write_text(HEAD + "param p = number(default = 1)\nvector w = p * v\n")
    settings = Settings(cache_dir=tmp_path, device="cpu")
    result = load(project / "parameter.steer", {"p": 3}, settings).run()
    np.testing.assert_allclose(result["w"].directions, 3 * result["v"].directions, rtol=1e-6)
    assert result["p"] == 3


def test_a_text_is_checked_from_its_folder(project: Path) -> None:
    assert check_text(HEAD, project).ok
    assert not check_text(HEAD, project / "nowhere").ok


def test_checking_needs_no_torch(project: Path) -> None:
    import subprocess
    import sys

    (project / "light.steer").write_text(HEAD)
    code = f"""import sys
from steerlang.api import check
assert check({str(project / "light.steer")!r}).ok
print("torch" in sys.modules, "numpy" in sys.modules)
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["False", "False"]


def test_exports_are_written_and_reread(project: Path, tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    text = """samples x = generate(m, words, max_new_tokens = 3)
metric d = distinct(x)
export a = vector_file(v, to = "out/v.safetensors")
export b = samples_file(x, to = "out/x.jsonl")
export c = metric_file(d, to = "out/d.json")
"""
    result = run(project, text, cache=tmp_path)
    assert [p.name for p in result.artifacts] == ["v.safetensors", "x.jsonl", "d.json"]
    tensors = load_file(project / "out/v.safetensors")
    np.testing.assert_array_equal(tensors["layer.1"], result["v"].directions[1])
    assert len((project / "out/x.jsonl").read_text().splitlines()) == len(PROMPTS)
    first = [(project / "out" / n).read_bytes() for n in ("x.jsonl", "d.json")]
    run(project, text, cache=tmp_path)  # its own files may be replaced
    assert [(project / "out" / n).read_bytes() for n in ("x.jsonl", "d.json")] == first


@pytest.mark.parametrize(("scale", "warned"), [(1e30, True), (0.1, False)])
def test_vectors_far_longer_than_the_states_are_warned_of(
    project: Path, tmp_path: Path, scale: float, warned: bool
) -> None:
    text = f"sweep s = [0.01, {scale!r}]\nmodel k = apply(m, add(v, scale = s))\nsamples x = generate(k, words)\n"
    result = program(project, text, cache=tmp_path).run()
    found = [d for d in result.diagnostics if d.code.id == "SL712"]
    assert bool(found) is warned
    if warned:
        assert "`k[s = 1e+30]` adds a vector" in found[0].message
        assert "times as long as the states" in found[0].message


def test_what_is_stored_is_shown_and_written_without_torch(project: Path) -> None:
    text = """model kind = apply(m, add(v, scale = 1.5))
samples x = generate([m, kind], words, max_new_tokens = 5)
metric d = distinct(x)
report page = html(to = "page.html")
export file = vector_file(v, to = "page.safetensors")
export other = gguf(v, to = "page.gguf")
"""
    assert run(project, text).ok
    code = """import sys
from steerlang.api import Settings, load
done = load("main.steer", settings=Settings(cache_dir="cache", device="cpu")).run()
assert done.outcome == "done", done.diagnostics
assert len(done.artifacts) == 3, done.artifacts
print([name for name in ("torch", "transformers") if name in sys.modules])
"""
    found = subprocess.run([sys.executable, "-c", code], cwd=project, capture_output=True, text=True, timeout=120)
    assert (found.stdout.strip(), found.returncode) == ("[]", 0), found.stderr


def test_a_mistyped_target_is_answered_with_the_nearest(project: Path) -> None:
    with pytest.raises(SteerlangError) as refused:
        program(project, TEXT).plan(targets=["fien"])
    assert refused.value.diagnostics[0].help == ("did you mean `fine`?",)
