"""Bad programs, files and models: each ends in one clear diagnostic with a code and a place, never in a traceback."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from operations.tiny import HEAD
from safetensors.torch import load_file, save_file

from steerlang.api import Settings, SteerlangError, check, load
from steerlang.diagnostics import Diagnostic


def diagnostics(folder: Path, text: str, cache: Path) -> tuple[Diagnostic, ...]:
    """Everything said about a program when it is run; SL900 or an exception of another kind is a failure here."""
    path = folder / "bad.steer"
    path.write_text(text)
    settings = Settings(cache_dir=cache, device="cpu", offline=True)
    try:
        found = load(path, settings=settings).run().diagnostics
    except SteerlangError as error:
        found = error.diagnostics
    return tuple(d for d in found if d.is_error)


def only(folder: Path, text: str, cache: Path) -> Diagnostic:
    found = diagnostics(folder, text, cache)
    assert len(found) == 1, [(d.code.id, d.message) for d in found]
    assert found[0].primary is not None or found[0].place
    return found[0]


# ---- models ----------------------------------------------------------------------------------------------------------


def _weights(folder: Path, change: Callable[[dict[str, torch.Tensor]], None]) -> None:
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})


def _config(folder: Path, **changes: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def truncated(folder: Path) -> None:
    data = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(data[: len(data) // 2])


def not_a_number(folder: Path) -> None:
    _weights(folder, lambda t: t["model.layers.1.mlp.up_proj.weight"].view(-1).__setitem__(0, float("nan")))


def pickled(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    torch.save({"a": torch.zeros(2)}, folder / "pytorch_model.bin")


def tensor_missing(folder: Path) -> None:
    _weights(folder, lambda t: t.__delitem__("model.layers.1.mlp.up_proj.weight"))


def wrong_shape(folder: Path) -> None:
    _weights(folder, lambda t: t.update({"model.layers.1.mlp.up_proj.weight": torch.zeros(3, 16)}))


def remote_code(folder: Path) -> None:
    _config(folder, model_type="mine", architectures=["Mine"], auto_map={"AutoModelForCausalLM": "mine.Mine"})
    (folder / "mine.py").write_text("raise SystemExit(3)")


def no_config(folder: Path) -> None:
    (folder / "config.json").unlink()


def broken_config(folder: Path) -> None:
    (folder / "config.json").write_text("{")


def no_tokenizer(folder: Path) -> None:
    for path in folder.glob("tokenizer*"):
        path.unlink()


def broken_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").write_text('{"a":')


def no_layers(folder: Path) -> None:
    _config(folder, num_hidden_layers=0)


def empty_weights(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"")


MODELS: dict[str, tuple[Callable[[Path], None], set[str]]] = {
    f.__name__: (f, codes)
    for f, codes in (
        (truncated, {"SL505"}),
        (not_a_number, {"SL802"}),
        (pickled, {"SL506"}),
        (tensor_missing, {"SL505"}),
        (wrong_shape, {"SL505"}),
        (remote_code, {"SL508"}),
        (no_config, {"SL504", "SL505", "SL501"}),
        (broken_config, {"SL505"}),
        (no_tokenizer, {"SL505"}),
        (broken_tokenizer, {"SL505"}),
        (no_layers, {"SL505"}),
        (empty_weights, {"SL505"}),
    )
}


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_damaged_model(name: str, project: Path, tmp_path: Path) -> None:
    damage, codes = MODELS[name]
    if not (project / name).exists():
        shutil.copytree(project / "m", project / name)
        damage(project / name)
    found = only(project, HEAD.replace('hf("m")', f'hf("{name}")'), tmp_path)
    assert found.code.id in codes, found.message


@pytest.mark.parametrize(
    ("id", "code"),
    [("./nobody", "SL501"), ("/nowhere/at/all", "SL501"), ("some/model", "SL503"), ("../../m", "SL502"), ("", "SL501")],
)
def test_a_model_that_is_not_there(id: str, code: str, project: Path, tmp_path: Path) -> None:
    assert only(project, HEAD.replace('hf("m")', f'hf("{id}")'), tmp_path).code.id == code


# ---- data ------------------------------------------------------------------------------------------------------------

DATA = {
    "one bad row": (b'{"rude": "a", "polite": "b"}\n{"rude": "a", "polite": 3}\n', "SL452", ":2"),
    "a broken line": (b'{"rude": "a", "polite": "b"}\n{"rude": "a", "poli\n', "SL452", ":2"),
    "an empty text": (b'{"rude": "a", "polite": "b"}\n{"rude": "", "polite": "c"}\n', "SL452", ":2"),
    "another column": (b'{"rude": "a", "kind": "b"}\n', "SL451", ""),
    "no rows": (b"", "SL453", ""),
    "another encoding": ('{"rude": "é", "polite": "b"}\n'.encode("latin-1"), "SL452", ":1"),
    "a zero byte": (b'{"rude": "a", "polite": "b"}\n\0\n', "SL504", ""),
    "no table": (b"[1, 2]\n", "SL452", ":1"),
}


@pytest.mark.parametrize("name", sorted(DATA))
def test_a_bad_data_file(name: str, project: Path, tmp_path: Path) -> None:
    content, code, line = DATA[name]
    (project / "bad.jsonl").write_bytes(content)
    found = only(project, HEAD.replace("pairs.jsonl", "bad.jsonl"), tmp_path)
    assert found.code.id == code, found.message
    assert (found.place or "").endswith(f"bad.jsonl{line}")
    assert found.primary is not None


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("../../etc/passwd", "SL502"),
        ("nobody.jsonl", "SL501"),
        ("m", "SL504"),
        ("http://x.org/a.jsonl", "SL501"),
        ("", "SL501"),
    ],
)
def test_a_path_that_leads_nowhere(path: str, code: str, project: Path, tmp_path: Path) -> None:
    assert only(project, HEAD.replace("pairs.jsonl", path), tmp_path).code.id == code


# ---- programs --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe\x00",
        b"steerlang 1\0",
        b"steerlang 9\nmodel m = x",
        b"model m = hf()",
        b"steerlang 1\nmodel m = hf(",
        b"steerlang 1\n)))",
        b"steerlang 1\nmodel = = =",
        b'steerlang 1\nmodel m = hf("m\n',
        b"steerlang 1\r\rmodel m = 3",
        "steerlang 1\nmodel м = hf(“m”)".encode(),
        b"steerlang 1\nvector v = " + b"(" * 5000,
        b"steerlang 1\nlet a = " + b"1+" * 3000 + b"1",
        b"\x00" * 100,
        b"{}" * 1000,
    ],
)
def test_a_malformed_program(data: bytes, project: Path) -> None:
    (project / "malformed.steer").write_bytes(data)
    found = check(project / "malformed.steer").diagnostics
    assert 1 <= len([d for d in found if d.is_error]) <= 4
    assert all(d.code.id != "SL900" for d in found)
    with pytest.raises(SteerlangError):
        load(project / "malformed.steer")


def test_a_program_that_is_not_there(project: Path) -> None:
    assert [d.code.id for d in check(project / "nobody.steer").diagnostics] == ["SL501"]
    assert [d.code.id for d in check(project).diagnostics] == ["SL504"]


FAILS = {
    'vector w = extract(m, pairs, tokens = at("zebra"))': "SL807",
    'metric w = logit_difference(m, words, target = "no", source = "no way")': "SL806",
    "vector w = unit(v - v)": "SL811",
    "samples w = generate(m, words, max_new_tokens = 100)": "SL401",
    'vector w = extract(m, pairs([["no", "no"], ["yes", "yes"]]), method = pca)': "SL806",
    'vector w = extract(hf("other"), pairs, site = module("model.layers.{l}.nobody"))': "SL805",
    "samples w = generate(m, sample(split(words, fraction = 0.5, part = first), k = 4))": "SL401",
}


@pytest.mark.parametrize("text", sorted(FAILS))
def test_a_step_that_fails_says_where_it_is_written(text: str, project: Path, tmp_path: Path) -> None:
    found = only(project, HEAD + text, tmp_path)
    assert found.code.id == FAILS[text], found.message
    assert found.primary is not None
    assert found.primary.span.text == "w"
    assert found.help


# ---- what is written -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("theirs.safetensors", b"hello"),
        ("hers.safetensors", b""),
        ("his.safetensors", b"\x08" + b"\0" * 7 + b"{}      "),
    ],
)
def test_files_of_others_are_not_replaced_unasked(name: str, content: bytes, project: Path, tmp_path: Path) -> None:
    (project / name).write_bytes(content)
    found = only(project, HEAD + f'export e = vector_file(v, to = "{name}")', tmp_path)
    assert found.code.id == "SL507"
    assert (project / name).read_bytes() == content
    assert diagnostics(project, HEAD + f'export e = vector_file(v, to = "{name}", overwrite = true)', tmp_path) == ()
    assert (project / name).read_bytes() != content


def test_a_folder_where_a_file_is_to_be(project: Path, tmp_path: Path) -> None:
    (project / "folder.safetensors").mkdir(exist_ok=True)
    assert only(project, HEAD + 'export e = vector_file(v, to = "folder.safetensors")', tmp_path).code.id == "SL507"


def test_a_file_where_a_folder_is_to_be(project: Path, tmp_path: Path) -> None:
    found = only(project, HEAD + 'export e = vector_file(v, to = "pairs.jsonl/v.safetensors")', tmp_path)
    assert found.code.id == "SL806"


def test_nothing_is_written_outside_the_project(project: Path, tmp_path: Path) -> None:
    assert only(project, HEAD + 'export e = vector_file(v, to = "../v.safetensors")', tmp_path).code.id == "SL502"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_cache_that_cannot_be_written(project: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir(mode=0o500)
    assert only(project, HEAD, cache).code.id == "SL510"


def test_a_cache_that_is_a_file(project: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.write_text("")
    assert only(project, HEAD, cache).code.id == "SL510"


def test_a_damaged_result_is_made_again(project: Path, tmp_path: Path) -> None:
    assert diagnostics(project, HEAD, tmp_path) == ()
    for path in tmp_path.rglob("tensors.safetensors"):
        path.chmod(0o644)
        path.write_bytes(path.read_bytes()[:-4] + b"abcd")
    assert diagnostics(project, HEAD, tmp_path) == ()
