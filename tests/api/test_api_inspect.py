"""`inspect`: vectors in files and in programs, as text, as JSON, as plots."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from importlib import util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from operations.test_algebra import A, vector
from operations.tiny import HEAD, direct, make_project

from steerlang.cli.main import cli
from steerlang.exports.files import write_export

Steer = Callable[..., Result]
OPTIONS = {"layers": [1, 2, 5], "shift": 0, "architecture": "controlvector", "model_type": "llama"}


@pytest.fixture
def steer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Steer:
    """Runs one command line with a store of its own."""
    monkeypatch.setenv("STEERLANG_CACHE_DIR", str(tmp_path / "cache"))
    return lambda *arguments: CliRunner().invoke(cli, list(arguments))


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_export(A.payload(), tmp_path / "a.safetensors")
    write_export(vector(7).payload(), tmp_path / "b.gguf", False, "gguf", OPTIONS)
    return tmp_path


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_project(tmp_path_factory.mktemp("inspect"))
    text = HEAD + "sweep r = [1, 2]\nvector other = random_like(v, seed = r)\nexpect never = 1 > 2\n"
    (folder / "p.steer").write_text(text)
    return folder


def inspected(steer: Steer, *arguments: str) -> dict[str, Any]:
    result = steer("inspect", *arguments, "--format", "json")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document["format"] == "steerlang.inspect"
    return dict(document)


def test_numbers_are_those_of_the_vector(files: Path, steer: Steer) -> None:
    found = inspected(steer, "a.safetensors", "b.gguf")
    one, two = found["vectors"]
    norms = np.linalg.norm(A.directions, axis=1)
    assert (one["name"], one["layers"]) == ("a.safetensors", [1, 2, 5])
    np.testing.assert_allclose(one["norms"], norms, rtol=1e-6)
    np.testing.assert_allclose(one["shares"], norms / A.state_norms, rtol=1e-6)
    unit = A.directions / norms[:, None]
    np.testing.assert_allclose(one["cosines"], unit @ unit.T, atol=1e-6)
    assert one["facts"]["model id"] == "m"
    (pair,) = found["between"]
    b = vector(7).directions
    wanted = (unit * b).sum(axis=1) / np.linalg.norm(b, axis=1)
    np.testing.assert_allclose(pair["cosines"], wanted, atol=1e-6)
    assert (pair["first"], pair["second"], two["layers"]) == ("a.safetensors", "b.gguf", [1, 2, 5])


def test_text_shows_a_row_for_each_layer(files: Path, steer: Steer) -> None:
    result = steer("inspect", "a.safetensors", "b.gguf")
    assert result.exit_code == 0
    assert "cosines between vectors" in result.stdout
    assert f"{100 * A.norms[2] / A.state_norms[2]:.3g}%" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 100


def test_a_direction_without_length_has_no_cosine(files: Path, steer: Steer) -> None:
    directions = A.directions.copy()
    directions[1] = 0
    write_export(A.derived(directions, {"name": "x"}).payload(), files / "z.safetensors")
    (found,) = inspected(steer, "z.safetensors")["vectors"]
    assert found["cosines"][1] == [None, None, None]
    assert found["cosines"][0][0] == pytest.approx(1)
    assert steer("inspect", "z.safetensors").exit_code == 0


def test_vectors_of_a_program_are_made_and_nothing_else_runs(project: Path, steer: Steer) -> None:
    path = str(project / "p.steer")
    found = inspected(steer, path)
    assert [v["name"] for v in found["vectors"]] == ["v", "other[r = 1]", "other[r = 2]"]
    assert len(found["between"]) == 3
    assert found["vectors"][0]["quality"]["direction_norm"] == pytest.approx(found["vectors"][0]["norms"])
    (one,) = inspected(steer, path, "other[r = 2]")["vectors"]
    assert one["name"] == "other[r = 2]"


def test_tokens_are_those_the_unembedding_gives(project: Path, steer: Steer) -> None:
    """With the RMS norm of a Llama: the largest of W_U (γ ⊙ v)."""
    (found,) = inspected(steer, str(project / "p.steer"), "v", "--tokens", "3")["vectors"]
    model, tokenizer = direct(project)
    rows = np.asarray(inspected_directions(project))
    gain = model.model.norm.weight.detach().numpy()
    scores = (rows * gain) @ model.lm_head.weight.detach().numpy().T
    scores /= np.sqrt((rows**2).mean(axis=1, keepdims=True))
    for layer, tokens in enumerate(found["tokens"]):
        best = np.argsort(-scores[layer])[:3]
        assert [t["token"] for t in tokens["raised"]] == [tokenizer.decode([i]) for i in best]
        np.testing.assert_allclose([t["score"] for t in tokens["raised"]], scores[layer][best], rtol=1e-3, atol=1e-4)
        worst = np.argsort(scores[layer])[:3]
        assert [t["token"] for t in tokens["lowered"]] == [tokenizer.decode([i]) for i in worst]


def inspected_directions(project: Path) -> Any:
    from steerlang.api import Settings, load

    run = load(project / "p.steer", settings=Settings(cache_dir=project / "cache")).run(targets=["v"])
    return run["v"].directions


def test_the_model_of_a_file_is_named(project: Path, steer: Steer, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(project)
    write_export(A.payload(), tmp_path / "a.safetensors")
    result = steer("inspect", str(tmp_path / "a.safetensors"), "--tokens", "2")
    assert (result.exit_code, "SL631" in result.output) == (2, True)
    result = steer("inspect", str(tmp_path / "a.safetensors"), "--tokens", "2", "--model", "m")
    assert (result.exit_code, "SL513" in result.output) == (1, True)
    config = {"model_type": "vit", "architectures": ["ViTForImageClassification"], "id2label": {"0": "a", "1": "b"}}
    shutil.copytree(project / "m", tmp_path / "seeing")
    (tmp_path / "seeing" / "config.json").write_text(json.dumps(config))
    result = steer("inspect", str(tmp_path / "a.safetensors"), "--tokens", "2", "--model", str(tmp_path / "seeing"))
    assert (result.exit_code, "SL515" in result.output) == (1, True), result.output


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("nothing.gguf",), 1, "SL501"),
        (("a.safetensors", "nothing.gguf"), 1, "SL501"),
        (("a.safetensors", "--plot", "x.jpg"), 2, "SL631"),
        (("p.steer", "--model", "m"), 2, "SL631"),
    ],
)
def test_what_is_wrong_is_said(files: Path, steer: Steer, arguments: tuple[str, ...], code: int, words: str) -> None:
    result = steer("inspect", *arguments)
    assert (result.exit_code, words in result.output) == (code, True), result.output
    assert "Traceback" not in result.output


def test_unknown_names_are_answered_with_those_there_are(project: Path, steer: Steer) -> None:
    result = steer("inspect", str(project / "p.steer"), "w")
    assert (result.exit_code, "SL201" in result.output, "`v`" in result.output) == (1, True, True)
    assert "is no vector" in steer("inspect", str(project / "p.steer"), "pairs").output


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_plots_are_drawn(files: Path, steer: Steer, ending: str) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not here")
    plot = files / "deep" / f"x.{ending}"
    result = steer("inspect", "a.safetensors", "b.gguf", "--plot", str(plot))
    assert result.exit_code == 0, result.output
    first = plot.read_bytes()
    assert first.startswith({"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[ending])
    if ending == "svg":
        assert b"cosines between vectors" in first
        steer("inspect", "a.safetensors", "b.gguf", "--plot", str(plot))
        assert plot.read_bytes() == first


def test_plots_show_lengths_cosines_and_the_report() -> None:
    """What is drawn, read back from the axes."""
    pytest.importorskip("matplotlib", reason="matplotlib is not here")
    from matplotlib.figure import Figure

    from steerlang.reports import plots
    from steerlang.reports.gathering import vector_table
    from steerlang.reports.inspection import Inspection, between, inspected

    report = {"held_out_auc": [0.5, 0.75, None], "split_half_cosine": None, "direction_norm": [1.0, 2.0, 3.0]}
    a = A.derived(A.directions, {"name": "x"})
    named = {"a": type(a)(**{**vars(a), "report": report}), "b": vector(3)}
    vectors = [inspected(vector_table(n, v), v.directions) for n, v in named.items()]
    pairs = between(list(named), [v.layers for v in named.values()], [v.directions for v in named.values()])
    found = Inspection(tuple(vectors), tuple(pairs))
    axes = Figure().add_subplot()
    plots._lengths(axes, found)
    np.testing.assert_allclose(axes.lines[0].get_ydata(), A.norms, rtol=1e-6)
    np.testing.assert_allclose(axes.lines[2].get_ydata(), A.state_norms, rtol=1e-6)
    axes = Figure().add_subplot()
    plots._quality(axes, found)
    assert [list(line.get_xdata()) for line in axes.lines[:1]] == [[1, 2]]
    axes = Figure().add_subplot()
    plots._layers(axes, found)
    assert math.isclose(axes.images[0].get_array()[1, 1], 1.0, rel_tol=1e-6)


def test_without_matplotlib_a_plot_is_refused_before_anything_runs(
    files: Path, steer: Steer, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = util.find_spec
    monkeypatch.setattr(
        "steerlang.cli.verbs.inspect.find_spec", lambda name: None if name == "matplotlib" else before(name)
    )
    result = steer("inspect", "a.safetensors", "--plot", "x.png")
    assert (result.exit_code, "SL512" in result.output, "steerlang[plots]" in result.output) == (3, True, True)
    assert not (files / "x.png").exists()


@pytest.mark.parametrize("ending", ["gguf", "svec", "pt"])
def test_diff_reads_vectors_of_other_tools(tmp_path: Path, steer: Steer, ending: str) -> None:
    options = {**OPTIONS, "layers": list(A.layers)}
    ours, theirs = tmp_path / "a.safetensors", tmp_path / f"b.{ending}"
    write_export(A.payload(), ours)
    write_export(A.payload(), theirs, format=ending, options=options)
    for pair in ((theirs, ours), (ours, theirs)):
        result = steer("diff", *map(str, pair))
        assert (result.exit_code, result.stdout) == (0, "the directions are the same, bit by bit\n"), result.output
    write_export(replace(A, directions=-A.directions).payload(), ours)
    document = json.loads(steer("diff", str(theirs), str(ours), "--format", "json").stdout)
    assert document["kind"] == "vector"
    assert {round(block["cosine"], 5) for block in document["blocks"]} == {-1.0}
