"""Programs on models that are more than a text decoder: with eyes, and with an encoder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from architectures.wider_zoo import build
from operations.tiny import make_folder
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer, T5Config

from steerlang.api import Settings, check_text, load
from steerlang.api.results import Run
from steerlang.graph.facts import DiskFacts, ModelFacts, ModelReference

HEAD = """steerlang 1
model  m     = hf("m")
data   pairs = jsonl("pairs.jsonl", source = "a", target = "b")
data   words = lines("words.txt")
"""
STEERED = """vector  v = extract(m, pairs)
model   k = apply(m, add(v, scale = 2))
samples s = generate([m, k], words, max_new_tokens = 4)
"""
PAIRS = [("go away now", "please go away"), ("no", "no thanks"), ("door", "door please")]
WORDS = ["good day", "I will not give me tea", "no"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    make_folder(tmp_path / "words")
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / "pairs.jsonl").write_text("\n".join(json.dumps({"a": a, "b": b}) for a, b in PAIRS))
    (tmp_path / "words.txt").write_text("\n".join(WORDS))
    return tmp_path


def save(model: Any, project: Path) -> Path:
    model.save_pretrained(project / "m")
    for file in (project / "words").glob("*token*"):
        shutil.copy(file, project / "m" / file.name)
    return project / "m"


def run(project: Path, text: str, head: str = HEAD) -> Run:
    (project / "main.steer").write_text(head + text)
    program = load(project / "main.steer", settings=Settings(cache_dir=project / "cache", device="cpu"))
    result = program.run()
    assert result.outcome == "done", [(d.code.id, d.message) for d in result.diagnostics]
    return result


def errors(project: Path, text: str) -> list[str]:
    found = check_text(HEAD + text, folder=project, settings=Settings(cache_dir=project / "cache"))
    return [f"{d.code.id} {d.message}" for d in found.diagnostics if d.is_error]


@pytest.mark.parametrize("name", ["gemma3", "llava", "qwen2_vl", "paligemma"])
@pytest.mark.parametrize("task", ["", ", task = causal"])
def test_a_model_with_eyes_is_steered_where_it_writes(name: str, task: str, project: Path) -> None:
    folder = save(build(name), project)
    text = STEERED + "metric moved = kl_from(k, words, base = m)\nmetric ppl = perplexity(words, by = m)\n"
    result = run(project, text, HEAD.replace('hf("m")', f'hf("m"{task})'))
    assert result["moved"].value > 1e-3
    facts = DiskFacts().model(ModelReference(str(folder)))
    assert isinstance(facts, ModelFacts)
    assert not facts.encodes
    assert len(result["v"].layers) == facts.layers == 3


@pytest.mark.parametrize("name", ["t5", "bart"])
def test_a_model_with_an_encoder_is_steered_in_its_decoder(name: str, project: Path) -> None:
    """The unsteered replies are the library's, token for token."""
    folder = save(build(name), project)
    result = run(project, STEERED)
    model = AutoModelForSeq2SeqLM.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    for sample, prompt in zip(result["s"]["m"], WORDS, strict=True):
        ids = model.generate(**tokenizer(prompt, return_tensors="pt"), max_new_tokens=4, do_sample=False, num_beams=1)
        assert sample.completion == tokenizer.decode(ids[0], skip_special_tokens=True)
    with result["k"] as steered, torch.inference_mode():
        given = tokenizer(WORDS[1], return_tensors="pt")
        found = steered(**given, decoder_input_ids=given["input_ids"]).logits
    with torch.inference_mode():
        wanted = model(**given, decoder_input_ids=given["input_ids"]).logits
    assert np.abs((found - wanted).numpy()).max() > 1e-2


def test_what_a_model_with_an_encoder_does_not_do_is_said_before_it_is_loaded(project: Path) -> None:
    save(build("t5"), project)
    for text in (
        "metric x = perplexity(words, by = m)",
        "metric x = kl_from(apply(m, add(extract(m, pairs))), words, base = m)",
        'metric x = logit_difference(m, words, target = "tea", source = "no")',
        "vector x = extract(m, pairs, method = function_vector(shots = 1))",
    ):
        assert [e[:5] for e in errors(project, text)] == ["SL515"], text
    assert errors(project, STEERED) == []


def test_layers_are_counted_in_the_decoder(project: Path) -> None:
    config = T5Config(
        vocab_size=30, d_model=16, d_kv=8, d_ff=24, num_layers=1, num_decoder_layers=3, num_heads=2,
        decoder_start_token_id=0, eos_token_id=2, pad_token_id=0,
    )  # fmt: skip
    save(AutoModelForSeq2SeqLM.from_config(config), project)
    assert errors(project, "vector v = extract(m, pairs, layers = 2)") == []
    assert errors(project, "vector v = extract(m, pairs, layers = 3)") != []
    assert run(project, STEERED)["v"].layers == (0, 1, 2)
