"""The exported folder: complete, whole or not there, resumable, and checked against its receipt."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from steerlang.diagnostics import codes
from steerlang.exports.checkpoint import export_checkpoint
from steerlang.weights import staging as staging_module
from steerlang.weights import writer
from steerlang.weights.checkpoint import Checkpoint
from steerlang.weights.comparing import diff
from steerlang.weights.dtypes import to_float32
from steerlang.weights.errors import WeightsError
from steerlang.weights.expression import Difference, Edit
from steerlang.weights.patterns import glob
from steerlang.weights.planning import EditPlan, plan_edit
from steerlang.weights.verifying import verify

A = Difference("a", "base")


def _save(folder: Path, seed: int, base: dict[str, np.ndarray] | None = None) -> dict[str, np.ndarray]:
    chance = np.random.default_rng(seed)
    made = {f"model.layers.{i}.mlp.weight": chance.standard_normal((16, 8)).astype(np.float32) for i in range(4)}
    made |= {"model.embed.weight": chance.standard_normal((30, 8)).astype(np.float32), "steps": np.arange(3)}
    if base:
        made = {k: v if v.dtype == np.int64 else base[k] + np.float32(0.1) * v for k, v in made.items()}
    folder.mkdir(parents=True)
    save_file(made, folder / "model.safetensors", {"format": "pt"})
    config = {"model_type": "llama", "vocab_size": 30, "torch_dtype": "float32", "text_config": {"dtype": "float32"}}
    (folder / "config.json").write_text(json.dumps(config))
    for name in ("tokenizer.json", "generation_config.json", "chat_template.jinja", "trainer_state.json", "README.md"):
        (folder / name).write_text("{}")
    return made


@pytest.fixture
def plan(tmp_path: Path) -> EditPlan:
    return _plan(tmp_path)


def _plan(folder: Path, **options: Any) -> EditPlan:
    if not (folder / "base").exists():
        _save(folder / "a", 1, _save(folder / "base", 0))
    models = {name: Checkpoint.open(folder / name, name) for name in ("base", "a")}
    return plan_edit(Edit("base", 0.5 * A), models, **options)


def _hidden(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir() if p.name.startswith("."))


def test_a_complete_folder(tmp_path: Path, plan: EditPlan) -> None:
    found = export_checkpoint(
        plan, tmp_path / "out", max_shard_size=600, program="steerlang 1\n", digests={"base": "abc"},
        coefficients={"to_a": {"all": 0.5}},
    )  # fmt: skip
    out = tmp_path / "out"
    names = {p.name for p in out.iterdir()}
    assert {"config.json", "tokenizer.json", "generation_config.json", "chat_template.jinja", "README.md"} <= names
    assert {"receipt.json", "coefficients.json", "model.safetensors.index.json"} <= names
    assert "trainer_state.json" not in names
    assert json.loads((out / "receipt.json").read_text()) == found
    made, base = Checkpoint.open(out, "out"), plan.checkpoints["base"]
    assert set(made.names) == set(base.names)
    for name in made.names:
        if name != "steps":
            tuned = plan.checkpoints["a"].read(name, 0, 1 << 20)
            want = base.read(name, 0, 1 << 20)
            want = want + np.float32(0.5) * (tuned - want)
            assert (made.read(name, 0, 1 << 20) == want).all()
    assert (made.raw("steps") == base.raw("steps")).all()
    card = (out / "README.md").read_text()
    assert "steerlang 1" in card
    assert "`abc`" in card
    assert "| to_a | all | 0.5 |" in card
    assert verify(out) == ()
    assert _hidden(tmp_path) == []


def test_the_receipts_numbers(tmp_path: Path, plan: EditPlan) -> None:
    numbers = export_checkpoint(plan, tmp_path / "out")["numbers"]
    taus = [
        plan.checkpoints["a"].read(n, 0, 1000) - plan.base.read(n, 0, 1000) for n in plan.base.names if n != "steps"
    ]
    norm = float(np.sqrt(sum(float((t**2).sum()) for t in taus)))
    assert numbers["vectors"][0]["norm"] == pytest.approx(norm, rel=1e-5)
    assert numbers["vectors"][0]["name"] == "a - base"
    assert numbers["change"]["norm"] == pytest.approx(norm / 2, rel=1e-5)
    assert numbers["change"]["survived"] == pytest.approx(1.0, abs=1e-4)
    assert set(numbers["change"]["by_block"]) == {"model.embed", *(f"model.layers.{i}" for i in range(4))}


def test_another_dtype(tmp_path: Path) -> None:
    plan = _plan(tmp_path, dtype="bfloat16")
    numbers = export_checkpoint(plan, tmp_path / "out")["numbers"]
    made = Checkpoint.open(tmp_path / "out")
    assert made.info("model.embed.weight").dtype == "BF16"
    assert made.info("steps").dtype == "I64"
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config["torch_dtype"] == config["text_config"]["dtype"] == "bfloat16"
    base, tuned = (plan.checkpoints[n].read("model.embed.weight", 0, 1000) for n in ("base", "a"))
    exact = base + np.float32(0.5) * (tuned - base)
    stored = to_float32(made.stored("model.embed.weight"), "BF16")
    assert np.abs(stored - exact).max() <= np.abs(exact).max() / 256
    assert 0.5 < numbers["change"]["survived"] < 0.99


def test_excluded_tensors_are_not_written(tmp_path: Path, plan: EditPlan) -> None:
    edit = Edit("base", 0.5 * A, exclude=(glob("model.embed.*"),))
    less = plan_edit(edit, plan.checkpoints)
    found = export_checkpoint(less, tmp_path / "out")
    assert found["excluded"] == ["model.embed.weight"]
    assert "model.embed.weight" not in Checkpoint.open(tmp_path / "out")


def test_equal_plans_give_equal_bytes(tmp_path: Path, plan: EditPlan) -> None:
    for name in ("one", "two"):
        export_checkpoint(plan, tmp_path / name / "out")
    for path in (tmp_path / "one" / "out").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / "out" / path.name).read_bytes()


def test_a_target_that_is_not_empty(tmp_path: Path, plan: EditPlan) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    with pytest.raises(WeightsError, match="is not empty") as caught:
        export_checkpoint(plan, out)
    assert caught.value.code is codes.OUTPUT_EXISTS
    assert [p.name for p in out.iterdir()] == ["mine.txt"]
    export_checkpoint(plan, out, overwrite=True)
    assert not (out / "mine.txt").exists()
    assert verify(out) == ()
    assert _hidden(tmp_path) == []


def test_an_input_is_never_replaced(tmp_path: Path, plan: EditPlan) -> None:
    with pytest.raises(WeightsError, match="replace its own input `base`"):
        export_checkpoint(plan, tmp_path / "base", overwrite=True)
    with pytest.raises(WeightsError, match="replace the folder of its own input `base`"):
        export_checkpoint(plan, tmp_path, overwrite=True)
    with pytest.raises(WeightsError, match="lie inside its own input `base`"):
        export_checkpoint(plan, tmp_path / "base" / "out", overwrite=True)
    assert (tmp_path / "base" / "model.safetensors").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(WeightsError, match="is no folder"):
        export_checkpoint(plan, tmp_path / "file", overwrite=True)


def test_folders_in_a_target_are_never_removed(tmp_path: Path, plan: EditPlan) -> None:
    out = tmp_path / "out"
    (out / "checkpoint-500").mkdir(parents=True)
    with pytest.raises(WeightsError, match="holds folders that would be lost: `checkpoint-500`"):
        export_checkpoint(plan, out, overwrite=True)
    assert (out / "checkpoint-500").is_dir()
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(WeightsError, match="is no folder"):
        export_checkpoint(plan, tmp_path / "loop", overwrite=True)


def test_nan_leaves_nothing(tmp_path: Path) -> None:
    _plan(tmp_path)
    tensors = {n: Checkpoint.open(tmp_path / "a").read(n, 0, 1000) for n in ("model.embed.weight",)}
    with (tmp_path / "a" / "model.safetensors").open("r+b") as file:
        file.seek(Checkpoint.open(tmp_path / "a").info("model.layers.3.mlp.weight").start)
        file.write(np.array([np.nan], np.float32).tobytes())
    assert tensors
    with pytest.raises(WeightsError, match=r"`model.layers.3.mlp.weight` of `a` holds NaN"):
        export_checkpoint(_plan(tmp_path), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert _hidden(tmp_path) == []


@pytest.mark.parametrize("place", ["posix_fallocate", "pwrite", "fsync"])
def test_a_full_disk_leaves_nothing(
    tmp_path: Path, plan: EditPlan, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, place, full)
        with pytest.raises(WeightsError, match="the disk is full") as caught:
            export_checkpoint(plan, tmp_path / "out")
    assert caught.value.code is codes.DISK_FULL
    assert not (tmp_path / "out").exists()
    assert _hidden(tmp_path) == []
    export_checkpoint(plan, tmp_path / "out")
    assert verify(tmp_path / "out") == ()


_KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {here!r})
from test_checkpoint_export import _plan
from steerlang.exports.checkpoint import export_checkpoint
from steerlang.weights import staging
note, count = staging.Staging.note, 0
def noting(self, entry):
    global count
    note(self, entry)
    count += "sha256" in entry
    if count == 3:
        os.kill(os.getpid(), signal.SIGKILL)
staging.Staging.note = noting
export_checkpoint(_plan(Path({folder!r})), Path({folder!r}) / "out", max_shard_size=600)
"""


@pytest.mark.parametrize("harm", [False, True])
def test_taken_up_after_a_kill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, harm: bool) -> None:
    plan = _plan(tmp_path)
    script = _KILLED.format(here=str(Path(__file__).parent), folder=str(tmp_path))
    done = subprocess.run([sys.executable, "-c", script], check=False)
    assert done.returncode == -signal.SIGKILL
    assert not (tmp_path / "out").exists()
    partial = tmp_path / ".out.partial"
    if harm:
        first = sorted(partial.glob("*.safetensors"))[0]
        data = bytearray(first.read_bytes())
        data[-1] ^= 1
        first.write_bytes(bytes(data))
        with (partial / staging_module.JOURNAL).open("ab") as journal:
            journal.write(b'{"name": "half a li')
    written: list[str] = []
    real = writer._write

    def counting(streams: Any, output: Any, *rest: Any) -> Any:
        written.append(output.name)
        return real(streams, output, *rest)

    monkeypatch.setattr(writer, "_write", counting)
    found = export_checkpoint(plan, tmp_path / "out", max_shard_size=600)
    assert len(written) == len(plan.outputs) - (2 if harm else 3)
    assert verify(tmp_path / "out") == ()
    assert found == export_checkpoint(plan, tmp_path / "other" / "out", max_shard_size=600)
    assert _hidden(tmp_path) == []


@pytest.mark.parametrize("text", ["[]\n", "5\n{}\n", "null\n", '{"x": 1}\n', '{"identity": [1]}\nnull\n'])
def test_a_journal_of_something_else_is_not_taken_up(text: str, tmp_path: Path, plan: EditPlan) -> None:
    partial = tmp_path / ".out.partial"
    partial.mkdir()
    (partial / staging_module.JOURNAL).write_text(text)
    export_checkpoint(plan, tmp_path / "out")
    assert verify(tmp_path / "out") == ()


def test_another_plan_is_not_taken_up(tmp_path: Path, plan: EditPlan) -> None:
    partial = tmp_path / ".out.partial"
    partial.mkdir()
    (partial / staging_module.JOURNAL).write_text('{"identity": "another"}\n{"name": "model.embed.weight"}\n')
    (partial / "model-00009-of-00009.safetensors").write_bytes(b"old")
    export_checkpoint(plan, tmp_path / "out")
    assert verify(tmp_path / "out") == ()


def test_one_writer_at_a_time(tmp_path: Path, plan: EditPlan) -> None:
    with staging_module.Staging(tmp_path / "out", "x").opened() as other:
        with pytest.raises(WeightsError, match="another process is writing"):
            export_checkpoint(plan, tmp_path / "out")
        assert other.folder.is_dir()


def test_verify_finds_what_was_changed(tmp_path: Path, plan: EditPlan) -> None:
    out = tmp_path / "out"
    export_checkpoint(plan, out)
    path = out / "model.safetensors"
    info, data = Checkpoint.open(out).info("model.layers.2.mlp.weight"), bytearray(path.read_bytes())
    data[info.start] ^= 1
    path.write_bytes(bytes(data))
    (out / "tokenizer.json").write_text("changed")
    (out / "config.json").unlink()
    (out / "model-1.safetensors").write_bytes(b"")
    assert [(f.file, f.tensor) for f in verify(out)] == [
        ("config.json", None), ("tokenizer.json", None), ("model.safetensors", "model.layers.2.mlp.weight"),
        ("model-1.safetensors", None),
    ]  # fmt: skip
    path.write_bytes(bytes(data[:-1]))
    assert any("bytes" in finding.message for finding in verify(out))
    with pytest.raises(WeightsError, match="no receipt"):
        verify(tmp_path / "base")


def test_diff(tmp_path: Path, plan: EditPlan) -> None:
    export_checkpoint(plan, tmp_path / "out")
    base, out = plan.base, Checkpoint.open(tmp_path / "out", "out")
    assert diff(base, base).equal
    found = diff(base, out)
    assert not found.equal
    by_name = {block.name: block for block in found.blocks}
    layer = by_name["model.layers.1"]
    tau = out.read("model.layers.1.mlp.weight", 0, 200) - base.read("model.layers.1.mlp.weight", 0, 200)
    assert layer.norm == pytest.approx(float(np.linalg.norm(tau)), rel=1e-6)
    assert layer.largest == pytest.approx(float(np.abs(tau).max()))
    assert layer.tensors == ("model.layers.1.mlp.weight",)
    assert (layer.changed, layer.count) == (128, 128)
    assert by_name["steps"].changed == 0
