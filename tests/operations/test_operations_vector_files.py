"""Vectors through files: the same steering afterwards, refusals for other models, and agreement with repeng itself."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from steerlang.api import Settings, SteerlangError, check_text
from steerlang.operations.vector import SteeringVector

from .tiny import HEAD, PROMPTS, direct, program, run

FILES = """
export own   = vector_file(v, to = "out/v.safetensors")
export gguf  = gguf(v, to = "out/v.gguf", reader = repeng)
export svec  = svec(v, to = "out/v.svec")
export torch = pt(v, to = "out/v.pt")
"""


@pytest.fixture
def here(project: Path, tmp_path: Path) -> Path:
    """A copy of the project in which a run has written the vector in every format."""
    shutil.copytree(project, tmp_path / "p", ignore=shutil.ignore_patterns("cache", "out"))
    run(tmp_path / "p", FILES)
    return tmp_path / "p"


def same(a: SteeringVector, b: SteeringVector) -> None:
    one, two = a.payload(), b.payload()
    assert json.dumps(one.meta, sort_keys=True) == json.dumps(two.meta, sort_keys=True)
    for name, tensor in one.tensors.items():
        np.testing.assert_array_equal(two.tensors[name], tensor)


@pytest.mark.parametrize("ending", ["safetensors", "gguf", "svec", "pt"])
def test_a_vector_that_went_through_a_file_is_the_vector(here: Path, ending: str) -> None:
    text = f"""
vector w = load_vector("out/v.{ending}", model = m)
model a = apply(m, add(v, scale = 0.5, unit = residual))
model b = apply(m, add(w, scale = 0.5, unit = residual))
metric moved = kl_from([a, b], words, base = m)
vector sum = v - w
"""
    found = run(here, text)
    same(found["v"], found["w"])
    assert found["moved"]["a"].value == found["moved"]["b"].value > 0
    np.testing.assert_array_equal(found["sum"].directions, 0)


def test_reading_a_vector_file_needs_no_second_look(here: Path) -> None:
    text = 'vector w = load_vector("out/v.gguf", model = m)\nmetric n = kl_from(apply(m, add(w)), words, base = m)'
    run(here, text)
    again = program(here, text).run()
    assert not again.results.made
    (here / "out" / "v.gguf").write_bytes((here / "out" / "v.gguf").read_bytes()[:-64] + b"\1" * 64)
    plan = program(here, text).plan().plan
    assert {str(e.reason) for e in plan.entries if e.label == "w"} == {"input changed: out/v.gguf"}


def errors(folder: Path, text: str) -> list[str]:
    found = check_text(HEAD + text, folder=folder, settings=Settings(cache_dir=folder / "cache"))
    return [f"{d.code.id} {d.message}" for d in found.diagnostics if d.is_error]


def test_a_vector_of_another_model_is_refused_before_weights_load(here: Path) -> None:
    text = 'model o = hf("other")\nvector w = load_vector("out/v.safetensors", model = o)'
    (message,) = errors(here, text)
    assert message.startswith("SL313 the vector in `out/v.safetensors` was read from `m` (")
    assert "this is `other`" in message
    assert errors(here, text.replace("model = o)", "model = o, across = true)")) == []
    with pytest.raises(SteerlangError, match="was read from `m`"):
        program(here, text)


def test_a_foreign_vector_knows_no_norms(here: Path) -> None:
    path = here / "out" / "v.svec"
    found = json.loads(path.read_text())
    path.write_text(json.dumps({k: v for k, v in found.items() if k != "steerlang"}))
    text = 'vector w = load_vector("out/v.svec", model = m)\nmodel k = apply(m, add(w, unit = residual))'
    assert [m[:5] for m in errors(here, text)] == ["SL525"]
    text = 'vector w = load_vector("out/v.svec", model = m)\nexpect x = kl_from(apply(m, add(w)), words, base = m) > 0'
    made = program(here, text).run(targets=["v", "w", "x"])
    assert made["w"].method["options"] == {"format": "svec", "hint": "llama"}
    assert made["w"].model["id"] == "m"
    np.testing.assert_array_equal(made["w"].directions, made["v"].directions)


def test_numbers_that_are_not_finite_end_the_run_with_one_message(here: Path) -> None:
    data = (here / "out" / "v.gguf").read_bytes()
    (here / "out" / "v.gguf").write_bytes(data[:-4] + np.float32(np.nan).tobytes())
    result = program(here, 'vector w = load_vector("out/v.gguf", model = m)').run()
    (diagnostic,) = [d for d in result.diagnostics if d.is_error]
    assert (diagnostic.code.id, "not finite at layer 1" in diagnostic.message) == ("SL802", True)
    assert diagnostic.primary is not None


def test_a_changed_file_is_noticed_during_the_run(here: Path) -> None:
    loaded = program(here, 'vector w = load_vector("out/v.pt", model = m)')
    torch.save({0: torch.zeros(16)}, here / "out" / "v.pt")
    (diagnostic,) = [d for d in loaded.run().diagnostics if d.is_error]
    assert "has changed since the run began" in diagnostic.message


# ---- other tools, where they are installed ---------------------------------------------------------------------------

REPENG = os.environ.get("STEERLANG_PEERS", "")

_SCRIPT = """
import json, sys, warnings
import numpy
numpy.float_ = getattr(numpy, "float_", numpy.float64)  # repeng 0.4 names what numpy 2 no longer has
import torch
from repeng import ControlModel, ControlVector
from transformers import AutoModelForCausalLM, AutoTokenizer
folder, file, out, coefficient = sys.argv[1:5]
model = AutoModelForCausalLM.from_pretrained(folder).eval()
tokenizer = AutoTokenizer.from_pretrained(folder)
vector = ControlVector.import_gguf(file)
model = ControlModel(model, sorted(vector.directions))
model.set_control(vector, float(coefficient))
with torch.inference_mode():
    rows = [model(**tokenizer(t, return_tensors="pt")).logits[0].tolist() for t in json.loads(sys.argv[5])]
vector.export_gguf(out)
print(json.dumps(rows))
"""


def repeng_logits(folder: Path, file: Path, out: Path, coefficient: float) -> list[Any]:
    path = os.pathsep.join(filter(None, (REPENG, os.environ.get("PYTHONPATH", ""))))
    command = [sys.executable, "-c", _SCRIPT, str(folder), str(file), str(out), str(coefficient), json.dumps(PROMPTS)]
    found = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path}, check=False)
    if "No module named 'repeng'" in found.stderr or "No module named 'gguf'" in found.stderr:
        pytest.skip("repeng is not here: name the folder it is installed in with STEERLANG_PEERS")
    assert found.returncode == 0, found.stderr
    return list(json.loads(found.stdout.splitlines()[-1]))


@pytest.mark.slow
def test_repeng_steers_as_we_do_with_our_file_and_we_with_its(here: Path) -> None:
    theirs = repeng_logits(here / "m", here / "out" / "v.gguf", here / "out" / "repeng.gguf", 1.5)
    text = 'vector w = load_vector("out/repeng.gguf", model = m)\nmodel k = apply(m, add(w, scale = 1.5))'
    text += "\nmodel b = apply(m, add(v, scale = 1.5))"
    found = program(here, text).run(targets=["w", "v", "k", "b"])
    for name in ("k", "b"):
        model = found.model(name)
        with model as steered, torch.inference_mode():
            ours = [steered(**model.tokenizer(t, return_tensors="pt")).logits[0] for t in PROMPTS]
        for mine, other in zip(ours, theirs, strict=True):
            torch.testing.assert_close(mine, torch.tensor(other), atol=1e-5, rtol=1e-5)
    base, tokenizer = direct(here)
    plain = base(**tokenizer(PROMPTS[0], return_tensors="pt")).logits[0]
    assert (plain - torch.tensor(theirs[0])).abs().max() > 1e-2


# ---- steered models as one vector ------------------------------------------------------------------------------------


def test_a_steered_model_as_a_file_adds_what_its_actions_add(here: Path) -> None:
    text = """
vector u = extract(m, pairs, tokens = mean)
model  k = apply(apply(m, add([v, u], scale = [0.5, -0.25])), add(v, layers = 1, scale = 0.1, unit = residual))
"""
    run(here, f'{text}export f = gguf(k, to = "out/k.gguf", reader = repeng)\n')
    text += 'vector w = load_vector("out/k.gguf", model = m)\nmodel again = apply(m, add(w))\n'
    text += "metric moved = kl_from([k, again], words, base = m)"
    found = program(here, text).run(targets=["v", "u", "w", "moved"])
    v, u = found["v"], found["u"]
    wanted = 0.5 * v.directions - 0.25 * u.directions
    wanted[1] += 0.1 * v.directions[1] / v.norms[1] * v.state_norms[1]
    np.testing.assert_allclose(found["w"].directions, wanted, rtol=1e-5, atol=1e-6)
    assert found["moved"]["again"].value == pytest.approx(found["moved"]["k"].value, rel=1e-4)


def test_what_a_file_cannot_hold_of_a_steered_model_is_said(here: Path) -> None:
    text = 'model k = apply(m, add(v, tokens = generated, norm = keep))\nexport f = gguf(k, to = "out/k.gguf")'
    found = check_text(HEAD + text, folder=here, settings=Settings(cache_dir=here / "cache"))
    (loss,) = [d for d in found.diagnostics if d.code.id == "SL725"]
    said = " ".join((loss.message, *loss.notes))
    assert loss.severity.value == "warning"
    for what in ("`tokens = generated` is lost", "`norm = keep` is lost", "layer 0 left out"):
        assert what in said
    for action in ("rotate(v)", "ablate(v)"):
        wrong = f'model k = apply(m, {action})\nexport f = gguf(k, to = "out/k.gguf")'
        assert "is no addition" in errors(here, wrong)[0]
    assert "is not steered" in errors(here, 'export f = svec(m, to = "out/k.svec")')[0]


def test_gates_and_schedules_are_lost_in_files(here: Path) -> None:
    text = "model k = apply(m, add(v, layers = 1, when = cosine(v, layer = 0) > 0.1, schedule = window(0, 2)))\n"
    found = check_text(HEAD + text + 'export f = gguf(k, to = "out/k.gguf")', folder=here)
    (loss,) = [d for d in found.diagnostics if d.code.id == "SL725"]
    assert "the gate (`when`) is lost" in " ".join((loss.message, *loss.notes))
    assert "the schedule is lost" in " ".join((loss.message, *loss.notes))
