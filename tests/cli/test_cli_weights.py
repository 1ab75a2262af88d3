"""`verify` and `diff`: what they find, in both formats, and with which exit code."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cli_support import Steer

np = pytest.importorskip("numpy")
safetensors = pytest.importorskip("safetensors.numpy")

CONFIG = {"model_type": "llama", "hidden_size": 4, "num_hidden_layers": 2, "vocab_size": 6, "dtype": "float32"}
NAMES = ("model.embed_tokens.weight", "model.layers.0.mlp.up_proj.weight", "model.layers.1.mlp.up_proj.weight")


def checkpoint(folder: Path, **changes: Any) -> Path:
    """A checkpoint of three tensors; `changes` are numbers put in the first entry of a tensor, by layer."""
    folder.mkdir()
    tensors = {name: np.arange(24, dtype=np.float32).reshape(6, 4) + 1 for name in NAMES}
    for layer, value in changes.items():
        tensors[f"model.layers.{layer[1:]}.mlp.up_proj.weight"][0, 0] = value
    (folder / "model.safetensors").write_bytes(safetensors.save(tensors))
    (folder / "config.json").write_text(json.dumps(CONFIG))
    return folder


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    """A folder that an export wrote."""
    from steerlang.exports.checkpoint import export_checkpoint
    from steerlang.weights.checkpoint import Checkpoint
    from steerlang.weights.expression import Difference, Edit
    from steerlang.weights.planning import plan_edit

    models = {name: Checkpoint.open(checkpoint(tmp_path / name, l1=at), name) for name, at in (("a", 1), ("b", 3))}
    export_checkpoint(plan_edit(Edit("a", Difference("b", "a")), models), tmp_path / "out")
    return tmp_path / "out"


def test_verify_says_that_a_folder_is_whole(exported: Path, steer: Steer) -> None:
    result = steer("verify", str(exported))
    assert (result.exit_code, result.stdout) == (0, f"{exported}: everything is as the receipt says\n")
    assert steer("verify", str(exported), "-q").output == ""
    document = json.loads(steer("verify", str(exported), "--format", "json").stdout)
    assert (document["format"], document["valid"], document["problems"]) == ("steerlang.verify", True, [])


def test_verify_names_the_tensor_that_was_changed(exported: Path, steer: Steer) -> None:
    file = exported / "model.safetensors"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(bytes(data))
    result = steer("verify", str(exported))
    assert result.exit_code == 1
    assert NAMES[2] in result.stdout
    assert "1 problem" in result.stdout
    document = json.loads(steer("verify", str(exported), "--format", "json").stdout)
    assert (document["exit_code"], document["valid"]) == (1, False)
    assert [p["tensor"] for p in document["problems"]] == [NAMES[2]]


@pytest.mark.parametrize("lost", ["model.safetensors", "config.json"])
def test_verify_names_files_that_are_gone_or_were_added(lost: str, exported: Path, steer: Steer) -> None:
    (exported / lost).unlink()
    (exported / "pytorch_model.bin").write_bytes(b"x")
    document = json.loads(steer("verify", str(exported), "--format", "json").stdout)
    assert sorted(p["file"] for p in document["problems"]) == sorted([lost, "pytorch_model.bin"])


@pytest.mark.parametrize("format", ["text", "json"])
def test_a_folder_without_a_receipt_cannot_be_verified(format: str, tmp_path: Path, steer: Steer) -> None:
    result = steer("verify", str(checkpoint(tmp_path / "plain")), "--format", format)
    assert result.exit_code == 3
    assert "receipt" in result.output
    assert "Traceback" not in result.output


def test_diff_of_equal_checkpoints(tmp_path: Path, steer: Steer) -> None:
    a, b = checkpoint(tmp_path / "a"), checkpoint(tmp_path / "b")
    result = steer("diff", str(a), str(b))
    assert (result.exit_code, result.stdout) == (0, "the weights are the same, bit by bit\n")
    assert steer("diff", str(a), str(b / "model.safetensors"), "-q").output == ""


def test_diff_shows_the_blocks_that_differ(tmp_path: Path, steer: Steer) -> None:
    a, b = checkpoint(tmp_path / "a"), checkpoint(tmp_path / "b", l1=3)
    result = steer("diff", str(a), str(b))
    assert result.exit_code == 1
    assert result.stdout.splitlines()[1].split() == ["model.layers.1", "1", "of", "24", "0.0286", "2"]
    assert "model.layers.0" not in result.stdout
    assert "1 of 3 blocks differ" in result.stdout


@pytest.mark.parametrize(("by", "name"), [
    ("layer", "model.layers.1"), ("module", "model.layers.1.mlp.up_proj"), ("tensor", NAMES[2]), ("all", "all"),
])
def test_diff_by_blocks_as_json(by: str, name: str, tmp_path: Path, steer: Steer) -> None:
    a, b = checkpoint(tmp_path / "a"), checkpoint(tmp_path / "b", l1=3)
    document = json.loads(steer("diff", str(a), str(b), "--by", by, "--format", "json").stdout)
    assert (document["format"], document["equal"], document["exit_code"]) == ("steerlang.diff", False, 1)
    (changed,) = [block for block in document["blocks"] if block["changed"]]
    assert (changed["name"], changed["changed"], changed["norm"], changed["largest"]) == (name, 1, 2.0, 2.0)
    assert changed["tensors"] == [NAMES[2]]


def test_diff_names_what_only_one_side_has(tmp_path: Path, steer: Steer) -> None:
    a, b = checkpoint(tmp_path / "a"), checkpoint(tmp_path / "b")
    tensors = dict(safetensors.load_file(b / "model.safetensors"))
    tensors["model.extra.weight"] = tensors.pop(NAMES[0])
    tensors[NAMES[1]] = tensors[NAMES[1]].T.copy()
    (b / "model.safetensors").write_bytes(safetensors.save(tensors))
    document = json.loads(steer("diff", str(a), str(b), "--format", "json").stdout)
    assert document["only_first"] == [NAMES[0]]
    assert document["only_second"] == ["model.extra.weight"]
    assert [form["name"] for form in document["other_form"]] == [NAMES[1]]
    text = steer("diff", str(a), str(b)).stdout
    for words in ("only in", "model.extra.weight", "F32 [6, 4] and F32 [4, 6]"):
        assert words in text


@pytest.mark.parametrize(("arguments", "code"), [
    (("verify",), 2), (("verify", "nowhere"), 3), (("diff", "nowhere"), 2), (("diff", "nowhere", "nor.here"), 3),
    (("diff", "a", "b", "--by", "row"), 2),
])
def test_what_cannot_be_read(arguments: tuple[str, ...], code: int, steer: Steer) -> None:
    for format in ("text", "json"):
        result = steer(*arguments, "--format", format)
        assert result.exit_code == code, result.output
        assert "Traceback" not in result.output
    assert json.loads(result.stdout)["diagnostics"]


def test_torch_is_not_loaded(tmp_path: Path) -> None:
    a = checkpoint(tmp_path / "a")
    code = (
        "import sys\nfrom steerlang.cli.main import cli\n"
        f"assert cli.main(['diff', {str(a)!r}, {str(a)!r}], standalone_mode=False) == 0\n"
        "print([m for m in ('torch', 'transformers', 'lark') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert found.stdout.splitlines()[-1] == "[]"


# ---- vectors and adapters ------------------------------------------------------------------------------------------


def vector(path: Path, **changes: Any) -> Path:
    """A vector file of two layers, as `vector_file` writes it."""
    meta = {"layers": [0, 1], "site": "residual", "method": {"name": changes.get("method", "icv")}}
    document = {"format": "steerlang.vector", "version": "0", "vector": meta}
    tensors = {f"layer.{i}": np.arange(1, 5, dtype=np.float32) for i in range(2)}
    tensors["layer.1"] = tensors["layer.1"] * np.float32(changes.get("scale", 1))
    tensors["state_norms"] = np.ones(2, np.float32)
    path.write_bytes(safetensors.save(tensors, {"steerlang": json.dumps(document)}))
    return path


def adapter(folder: Path, turn: float = 0.0, rank: int = 2) -> Path:
    """An adapter of two layers whose factors are turned by an angle, which leaves their products as they are."""
    folder.mkdir()
    chance = np.random.default_rng(0)
    tensors = {}
    for layer in range(2):
        b, a = chance.standard_normal((6, rank)), chance.standard_normal((rank, 4))
        turned = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        at = f"base_model.model.model.layers.{layer}.mlp.up_proj"
        tensors[f"{at}.lora_A.weight"] = (turned.T @ a).astype(np.float32)
        tensors[f"{at}.lora_B.weight"] = (b @ turned).astype(np.float32)
    (folder / "adapter_model.safetensors").write_bytes(safetensors.save(tensors))
    (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": rank, "lora_alpha": rank}))
    return folder


def test_diff_of_vectors_goes_by_layer(tmp_path: Path, steer: Steer) -> None:
    a, b = vector(tmp_path / "a.safetensors"), vector(tmp_path / "b.safetensors", scale=-2, method="pca")
    result = steer("diff", str(a), str(b))
    assert result.exit_code == 1
    assert result.stdout.splitlines()[1].split() == ["layer.1", "4", "of", "4", "3", "12", "-1.0000"]
    assert "method name: icv and pca" in result.stdout
    document = json.loads(steer("diff", str(a), str(b), "--format", "json").stdout)
    assert document["kind"] == "vector"
    assert document["facts"] == [{"name": "method name", "first": "icv", "second": "pca"}]
    assert {block["name"]: block["cosine"] for block in document["blocks"]}["layer.1"] == pytest.approx(-1)
    same = steer("diff", str(a), str(vector(tmp_path / "c.safetensors")))
    assert (same.exit_code, same.stdout) == (0, "the directions are the same, bit by bit\n")


def test_diff_of_adapters_goes_by_what_they_add(tmp_path: Path, steer: Steer) -> None:
    a, b = adapter(tmp_path / "a"), adapter(tmp_path / "b", turn=0.7)
    document = json.loads(steer("diff", str(a), str(b), "--format", "json").stdout)
    assert document["kind"] == "adapter"
    assert [block["name"] for block in document["blocks"]] == ["model.layers.0", "model.layers.1"]
    for block in document["blocks"]:
        assert block["norm"] < 1e-6 * block["base_norm"]
        assert block["cosine"] == pytest.approx(1)
    same = steer("diff", str(a), str(adapter(tmp_path / "c")))
    assert (same.exit_code, same.stdout) == (0, "the products of the adapters are the same, bit by bit\n")


def test_what_is_of_two_kinds_is_not_compared(tmp_path: Path, steer: Steer) -> None:
    a, b = adapter(tmp_path / "a"), checkpoint(tmp_path / "b")
    result = steer("diff", str(a), str(b))
    assert result.exit_code == 3
    assert "is an adapter and" in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize("place", ["header", "first", "middle", "receipt", "config"])
def test_verify_finds_one_flipped_bit(place: str, exported: Path, steer: Steer) -> None:
    """In the header, in a tensor, in the receipt itself where a digest stands, in another file."""
    name = {"receipt": "receipt.json", "config": "config.json"}.get(place, "model.safetensors")
    data = bytearray((exported / name).read_bytes())
    length = int.from_bytes(data[:8], "little")
    at = {"header": 20, "first": 8 + length, "middle": (8 + length + len(data)) // 2, "config": len(data) // 2}
    spot = data.rindex(b'"sha256": "') + 15 if place == "receipt" else at[place]
    data[spot] ^= 1
    (exported / name).write_bytes(bytes(data))
    result = steer("verify", str(exported))
    assert result.exit_code in (1, 3), result.output
    assert "Traceback" not in result.output
    assert steer("verify", str(exported), "--format", "json").exit_code in (1, 3)


@pytest.mark.parametrize("added", ["pytorch_model.bin", "extra.safetensors", "model.safetensors.index.json",
                                   "modeling_evil.py", "notes.txt"])  # fmt: skip
def test_verify_finds_what_was_added(added: str, exported: Path, steer: Steer) -> None:
    (exported / added).write_text("x")
    result = steer("verify", str(exported))
    assert result.exit_code == 1
    assert f"`{added}` was added" in result.stdout


@pytest.mark.parametrize("bad", ["{", "[]", '{"format": "steerlang.weights/1"}', '{"format": 3}', ""])
def test_a_receipt_that_is_none(bad: str, exported: Path, steer: Steer) -> None:
    (exported / "receipt.json").write_text(bad)
    result = steer("verify", str(exported))
    assert result.exit_code == 3, result.output
    assert "receipt" in result.output
    assert "Traceback" not in result.output
