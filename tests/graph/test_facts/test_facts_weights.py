"""Checkpoints that are whole, damaged, missing, pickled or in shards, told apart by their headers."""

from __future__ import annotations

import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model_files import raw_safetensors, safetensors, shapes, trouble

from steerlang.diagnostics import codes
from steerlang.graph.facts import ModelFacts, Trouble
from steerlang.graph.facts.safetensors_header import read_header

INDEX = "model.safetensors.index.json"


@pytest.mark.parametrize(
    ("file", "code", "said"),
    [
        (None, codes.UNREADABLE_MODEL, "has no weights (`model.safetensors`)"),
        ("pytorch_model.bin", codes.PICKLED_CHECKPOINT, "has its weights only as a pickle (`pytorch_model.bin`)"),
        ("model.pt", codes.PICKLED_CHECKPOINT, "has its weights only as a pickle (`model.pt`)"),
        ("last.ckpt", codes.PICKLED_CHECKPOINT, "has its weights only as a pickle (`last.ckpt`)"),
        ("flax.pkl", codes.PICKLED_CHECKPOINT, "has its weights only as a pickle (`flax.pkl`)"),
        ("tiny.Q4.gguf", codes.UNREADABLE_MODEL, "has its weights only as GGUF (`tiny.Q4.gguf`)"),
        ("other.safetensors", codes.UNREADABLE_MODEL, "has `other.safetensors`, but neither"),
        ("adapter_config.json", codes.UNREADABLE_MODEL, "holds an adapter, not a model"),
        ("training_args.bin", codes.UNREADABLE_MODEL, "has no weights"),
    ],
)
def test_folders_without_safetensors(folder, ask, file, code, said):
    path = folder(**{"model.safetensors": None})
    if file is not None:
        (path / file).write_bytes(b"x")
    found = trouble(ask())
    assert found.code is code
    assert found.message.startswith(f"`models/tiny` {said}")
    assert found.help


def test_an_adapter_is_added_to_its_model(folder, ask):
    (folder(**{"model.safetensors": None}) / "adapter_config.json").write_bytes(b"{}")
    assert trouble(ask()).help == ('add it to its model: `base + lora("models/tiny")`',)


def test_pickles_beside_safetensors_are_no_trouble(folder, ask):
    (folder() / "pytorch_model.bin").write_bytes(b"x")
    assert isinstance(ask(), ModelFacts)


def entry(shape=(2,), offsets=(0, 8), dtype="F32"):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


WHOLE = safetensors(shapes())
DAMAGED = {
    "zero bytes": (b"", "is empty (0 bytes)"),
    "few bytes": (b"\x10\0\0", "is truncated"),
    "header cut": (WHOLE[:100], "is truncated: its header is"),
    "header longer than the file": (struct.pack("<Q", 10_000) + b"{}", "is truncated: its header is 10,000 bytes long"),
    "data cut": (WHOLE[:-10], "is truncated: its tensors take 320 bytes, but only 310 follow the header"),
    "data too long": (WHOLE + b"\0\0\0", "is damaged: 3 bytes at its end belong to no tensor"),
    "header too large": (struct.pack("<Q", 1 << 60) + b"\0" * 32, "is not safetensors: its header would be"),
    "header no JSON": (raw_safetensors(b"{'a': 1}", b""), "has a damaged header: it is not JSON"),
    "header not UTF-8": (raw_safetensors(b'{"\xff": 1}', b""), "has a damaged header: it is not JSON"),
    "header nested": (raw_safetensors(b"[" * 100_000, b""), "has a damaged header: it is not JSON"),
    "header a list": (raw_safetensors([], b""), "has a damaged header: it is not a JSON object"),
    "entry a list": (raw_safetensors({"a": []}, b""), "has a damaged header: the entry of `a` is not an object"),
    "entry without shape": (raw_safetensors({"a": {"dtype": "F32"}}, b""), "has a damaged header: the entry of `a`"),
    "negative size": (raw_safetensors({"a": entry((-2,))}, b"\0" * 8), "has a damaged header: the entry of `a` lacks"),
    "backwards": (raw_safetensors({"a": entry((2,), (8, 0))}, b"\0" * 8), "has a damaged header: the data of `a`"),
    "wrong size": (raw_safetensors({"a": entry((3,))}, b"\0" * 8), "has a damaged header: `a` has 8 bytes, but F32"),
    "overlap": (
        raw_safetensors({"a": entry(), "b": entry((2,), (4, 12))}, b"\0" * 12),
        "has a damaged header: the data of `b` overlaps that of `a`",
    ),
    "gap": (
        raw_safetensors({"a": entry(), "b": entry((2,), (12, 20))}, b"\0" * 20),
        "has a damaged header: 4 bytes before `b` belong to no tensor",
    ),
    "twice": (
        raw_safetensors(b'{"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}, "a": {}}', b"\0" * 4),
        "has a damaged header: a tensor is described twice",
    ),
    "LFS pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", "is a Git LFS pointer"),
    "GGUF": (b"GGUF\x03\0\0\0\x10\0\0\0\0\0\0\0", "is a GGUF file"),
    "zip": (b"PK\x03\x04\x00\x00\x08\x08" + b"\0" * 40, "is a pickled checkpoint"),
}


@pytest.mark.parametrize(("content", "said"), DAMAGED.values(), ids=DAMAGED.keys())
def test_damaged_safetensors(folder, ask, content, said):
    path = folder(**{"model.safetensors": content})
    found = trouble(ask())
    assert found.code is codes.UNREADABLE_MODEL
    assert found.message.startswith(f"`models/tiny/model.safetensors` {said}")
    assert found.place == str(path / "model.safetensors")


def test_header_lengths_that_look_like_a_pickle(folder, ask):
    # 640 bytes: the length then begins with the bytes that open a pickle.
    content = raw_safetensors(json.dumps({"a": entry()}).encode().ljust(640), b"\0" * 8)
    assert content.startswith(b"\x80\x02")
    folder(**{"model.safetensors": content, "config.json": {"model_type": "x"}})
    assert isinstance(ask(), ModelFacts)


def test_dtypes_of_later_versions_are_taken_at_their_word(folder, ask):
    header = {**{f"a{i}": entry((3,), (8 * i, 8 * i + 8), "F9_NEW") for i in range(2)}}
    folder(**{"model.safetensors": raw_safetensors(header, b"\0" * 16), "config.json": {"model_type": "x"}})
    assert ask().dtype == "f9_new"


def test_a_permission_that_lacks(folder, ask, monkeypatch):
    path = folder()
    opened = type(path).open

    def refuse(self, *args, **kwargs):
        if self.name == "model.safetensors":
            raise PermissionError(13, "Permission denied")
        return opened(self, *args, **kwargs)

    monkeypatch.setattr(type(path), "open", refuse)
    found = trouble(ask())
    assert found.code is codes.UNREADABLE_FILE
    assert found.message == "`models/tiny/model.safetensors` cannot be read: permission denied"


# ---- shards --------------------------------------------------------------------------------------------------------


def sharded(index=None, **files):
    first, second = shapes(1), {n: s for n, s in shapes(2).items() if ".1." in n}
    weight_map = {**dict.fromkeys(first, "a.safetensors"), **dict.fromkeys(second, "b.safetensors")}
    return {
        "model.safetensors": None,
        "a.safetensors": safetensors(first),
        "b.safetensors": safetensors(second),
        INDEX: {"weight_map": weight_map} if index is None else index,
        **files,
    }


def test_shards(folder, ask):
    folder(**sharded())
    assert ask().tensors.keys() == shapes(2).keys()
    assert ask().tensors["model.layers.1.input_layernorm.weight"].file == "b.safetensors"


def test_a_missing_shard(folder, ask):
    folder(**sharded(**{"b.safetensors": None}))
    found = trouble(ask())
    assert found.message == f"`models/tiny/{INDEX}` names `b.safetensors`, which is not in the folder"
    assert found.notes == ("1 of 2 files are missing",)


def test_a_tensor_the_index_lists_and_the_shard_lacks(folder, ask):
    folder(**sharded(**{"b.safetensors": safetensors({"other": (1,)})}))
    assert "says that `b.safetensors` holds `model.layers.1." in trouble(ask()).message


@pytest.mark.parametrize("weight_map", [None, [], {}, {"a": "../x.safetensors"}, {"a": 1}, {"a": ""}])
def test_an_index_without_a_map(folder, ask, weight_map):
    folder(**sharded({"weight_map": weight_map}))
    assert "has no `weight_map`" in trouble(ask()).message


def test_an_index_that_is_no_json(folder, ask):
    folder(**sharded(b"{"))
    assert f"`models/tiny/{INDEX}` is not JSON" in trouble(ask()).message


def test_all_troubles_are_told(folder, ask):
    folder(**sharded(**{"a.safetensors": b"", "b.safetensors": WHOLE[:-1], "tokenizer.json": b"{"}))
    said = [one.message.split("` ")[0] for one in trouble(ask()).all()]
    assert said == ["`models/tiny/a.safetensors", "`models/tiny/b.safetensors", "`models/tiny/tokenizer.json"]


@given(st.integers(0, 400), st.integers(0, 255), st.integers(0, 600))
def test_what_safetensors_refuses_is_refused(tmp_path_factory, place, byte, length):
    package = pytest.importorskip("safetensors")
    content = bytearray(WHOLE)
    content[place] = byte
    path = tmp_path_factory.mktemp("fuzz") / "a.safetensors"
    path.write_bytes(bytes(content[: len(content) - max(0, length - 500)]))
    found = read_header(path, "a")
    try:
        with package.safe_open(path, "np"):
            refusal = ""
    except package.SafetensorError as problem:
        refusal = str(problem)
    # A dtype it does not know may be one of a later version.
    if "unknown variant" not in refusal:
        assert isinstance(found, Trouble) == bool(refusal)
