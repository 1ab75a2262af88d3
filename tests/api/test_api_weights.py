"""Programs that edit weights, from text to files: steered and measured edits, exports that other libraries load."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from operations.tiny import direct, make_folder, program
from transformers import AutoModelForCausalLM, AutoTokenizer

from steerlang.api import SteerlangError
from steerlang.weights.verifying import verify

HEAD = """steerlang 1
model  m     = hf("m")
model  other = hf("other")
data   pairs = jsonl("pairs.jsonl", source = "rude", target = "polite")
data   words = lines("prompts.txt")
taskvector t = other - m
model  both  = m + 0.4 * t
"""


def load(project: Path, text: str, **options: Any) -> Any:
    return program(project, text, head=HEAD, **options)


def done(project: Path, text: str, targets: tuple[str, ...] | None = None) -> Any:
    run = load(project, text).run(targets)
    assert run.outcome == "done", [d.message for d in run.diagnostics]
    return run


@pytest.fixture(scope="module")
def exported(project: Path) -> Path:
    run = done(project, 'export out = checkpoint(both, to = "exported", max_shard_size = 2KiB)')
    assert not [d.message for d in run.diagnostics if d.is_error]
    return project / "exported"


def test_an_export_loads_and_has_the_weights_it_should(exported: Path, project: Path) -> None:
    base, tuned = (direct(project, name)[0].state_dict() for name in ("m", "other"))
    model = AutoModelForCausalLM.from_pretrained(exported)
    tokenizers = (AutoTokenizer.from_pretrained(exported), direct(project)[1])
    ids = [tokenizer("please help").input_ids for tokenizer in tokenizers]
    assert ids[0] == ids[1]
    for name, tensor in model.state_dict().items():
        torch.testing.assert_close(tensor, base[name] + 0.4 * (tuned[name] - base[name]), rtol=1e-6, atol=1e-6)


def test_an_export_is_whole_and_says_what_it_is(exported: Path, project: Path) -> None:
    assert verify(exported) == ()
    assert len(list(exported.glob("*.safetensors"))) > 2
    receipt = json.loads((exported / "receipt.json").read_text())
    inputs = json.dumps(receipt["inputs"])
    node = load(project, "").compiled.graph.roots["both"]
    assert all(n.options["identity"] in inputs for n in node.inputs)
    card = (exported / "README.md").read_text()
    assert "taskvector t = other - m" in card
    assert f"base_model: {json.dumps(str(project / 'm'))}" in card
    assert "Added to the base: 0.4 × t\n" in card
    names = {p.name for p in exported.iterdir()}
    assert {"config.json", "tokenizer.json", "model.safetensors.index.json", "receipt.json"} <= names


@pytest.mark.parametrize("what", ["a file of somebody else", "another export"])
def test_a_folder_that_is_not_empty_is_left_alone(what: str, project: Path, tmp_path: Path, exported: Path) -> None:
    folder = project / f"full-{what[:2].strip()}"
    folder.mkdir()
    (folder / "notes.txt").write_text(what)
    text = f'export out = checkpoint(both, to = "{folder.name}")'
    with pytest.raises(SteerlangError) as refused:
        load(project, text)
    (problem,) = [d for d in refused.value.diagnostics if d.is_error]
    assert problem.code.id == "SL507", problem
    assert folder.name in problem.message
    assert problem.primary is not None
    assert [p.name for p in folder.iterdir()] == ["notes.txt"]


def test_a_folder_that_is_filled_before_it_is_written_is_left_alone(project: Path) -> None:
    loaded = load(project, 'export out = checkpoint(both, to = "filled")')
    folder = project / "filled"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    run = loaded.run()
    assert [d.code.id for d in run.diagnostics if d.is_error] == ["SL507"]
    assert [p.name for p in folder.iterdir()] == ["notes.txt"]
    assert not run.ok


@pytest.mark.parametrize("form", ["weights", "adapter"])
def test_a_steered_model_does_not_replace_a_folder_either(form: str, project: Path) -> None:
    text = """vector v = extract(m, pairs)
model kind = apply(m, add(v, layers = 1))
export out = checkpoint(kind, to = "other", form = {})"""
    with pytest.raises(SteerlangError) as refused:
        load(project, text.format(form))
    assert [d.code.id for d in refused.value.diagnostics if d.is_error] == ["SL507"]


def test_it_is_replaced_when_told(project: Path) -> None:
    folder = project / "replaced"
    folder.mkdir()
    (folder / "notes.txt").write_text("old")
    done(project, 'export out = checkpoint(both, to = "replaced", overwrite = true, dtype = bfloat16)')
    assert not (folder / "notes.txt").exists()
    assert next(AutoModelForCausalLM.from_pretrained(folder).parameters()).dtype == torch.bfloat16


def test_coefficient_0_is_the_base(project: Path) -> None:
    text = """model same = m + 0 * t
samples x = generate([m, same, both], words, max_new_tokens = 5)
metric p = perplexity(x, by = m)
export out = checkpoint(same, to = "same")
"""
    run = done(project, text, targets=("x", "p", "out"))
    assert run["x"]["same"] == run["x"]["m"]
    assert run["x"]["both"] != run["x"]["m"]
    assert run["p"]["same"].value == run["p"]["m"].value
    base, same = direct(project)[0].state_dict(), direct(project, "same")[0].state_dict()
    assert all(torch.equal(base[name], same[name]) for name in base)


def test_an_edited_model_is_read_steered_and_measured(project: Path) -> None:
    text = """vector v = extract(both, pairs)
model kind = apply(both, add(v, scale = 2))
samples x = generate([both, kind], words, max_new_tokens = 5)
metric d = distinct(x)
"""
    run = done(project, text)
    assert run["v"].directions.shape == (2, 16)
    assert run["x"]["kind"] != run["x"]["both"]
    with run.model("kind") as model:
        assert model.config.num_hidden_layers == 2
    assert run.model("both").generate("good day", 3)


def test_samples_of_an_edited_model_are_those_of_its_export(project: Path, exported: Path) -> None:
    run = done(project, """model again = hf("exported")
samples x = generate([both, again], words, max_new_tokens = 5)
""")
    assert run["x"]["both"] == run["x"]["again"]


def test_a_vector_of_the_base_needs_to_be_told(project: Path) -> None:
    text = "vector v = extract(m, pairs)\nmodel kind = apply(both, add(v{}))\nsamples x = generate(kind, words)\n"
    with pytest.raises(SteerlangError, match=r"was read from `m`.*this steers `m edited`"):
        load(project, text.format(""))
    done(project, text.format(", across = true").replace("words)", "words, max_new_tokens = 3)"))


def test_a_plan_counts_tensors(project: Path) -> None:
    view = load(project, 'model some = m + blockwise(set(glob("**.mlp.**"), 1)) * t\nsamples x = generate(some, words)')
    lines = {e.label: e.lines for e in view.plan().explanations}
    assert lines["some"][0] == "blockwise(…) × t"
    assert "computed" in lines["some"][1]
    assert "copied" in lines["some"][1]
    assert lines["t"] == ("other - m",)


def test_a_plan_says_how_vectors_are_composed_and_learned(project: Path) -> None:
    text = """model third = hf("third")
taskvector u = third - m
taskvector merged = compose([t, u], coefficients = [1.0, 0.4], method = ties(density = 0.5))
coefficients c = learn([t, u], on = m, data = words, objective = language_model, steps = 3, blocks = by_layer())
model learned = m + compose([t, u], coefficients = c)
model x = m + merged
samples s = generate([learned, x], words)
"""
    make_folder(project / "third", seed=4)
    lines = {e.label: e.lines for e in load(project, text).plan().explanations}
    assert lines["merged"][0] == "ties, density = 0.5, normalize = count, scope = tensor: 1 × t + 0.4 × u"
    assert lines["x"][0] == lines["merged"][0]
    assert lines["learned"][0] == "linear: c × t + c × u"
    assert lines["c"] == (
        "learn for t, u on m, objective language_model", "5 blocks, 10 coefficients",
        "data words, steps 3, lr 0.1, batch_size 128",
    )  # fmt: skip


def test_tables_call_task_vectors_by_their_definitions(project: Path) -> None:
    text = "samples x = generate(both, words, max_new_tokens = 2)"
    run = done(project, text)
    assert [v["name"] for v in run.weights()["both"]["numbers"]["vectors"]] == ["t"]
    keys = {load(project, text).compiled.graph.roots["both"].key}
    renamed = HEAD.replace("taskvector t =", "taskvector tt =").replace("* t", "* tt")
    again = program(project, text, head=renamed)
    assert {again.compiled.graph.roots["both"].key} == keys
    assert [v["name"] for v in again.run().weights()["both"]["numbers"]["vectors"]] == ["tt"]


def test_a_pattern_that_matches_nothing_is_found_before_a_run(project: Path) -> None:
    with pytest.raises(SteerlangError, match="self_atn"):
        load(project, 'model some = m + blockwise(set(glob("**.self_atn.**"), 1)) * t')


def test_what_is_exported_is_called_after_its_definition(project: Path) -> None:
    text = """vector zz = extract(m, pairs)
export aa = vector_file(zz, to = "aa.safetensors")
"""
    plan = load(project, text).plan().plan
    assert [e.label for e in plan.entries if e.node.operation == "extract"] == ["zz"]


def test_a_plan_counts_what_learned_coefficients_leave_alone(project: Path) -> None:
    text = """coefficients c = learn(
  t, on = m, data = words, objective = language_model, steps = 1, blocks = by_module(include = glob("**.mlp.**")),
)
model some = m + c * t
samples x = generate(some, words)
"""
    edits = load(project, text).plan().edits["some"]
    names = direct(project)[0].state_dict()
    assert set(edits.computed) == {n for n in names if ".mlp." in n}
    assert set(edits.copied) >= {n for n in names if ".norm" in n}
