"""Payload files: what is written is read back, by us and by the safetensors library, and damage is noticed."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from steerlang.engine.errors import Damaged
from steerlang.engine.payload import Payload, read_payload, write_payload
from steerlang.engine.tensors import NAMES, TensorFile, draft, read_header, scratch_array, write_tensors

from engine_fakes import payload, same  # isort: skip

DTYPES = sorted(NAMES)
arrays = hnp.arrays(st.sampled_from(DTYPES), hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
                    elements={"allow_nan": False})


def write(path: Path, tensors: dict[str, np.ndarray]) -> None:
    with path.open("wb") as file:
        write_tensors(tensors, file.write)


@given(tensors=st.dictionaries(st.text(max_size=5), arrays, min_size=1, max_size=4), backwards=st.booleans())
@settings(max_examples=80, deadline=None)
def test_tensors_come_back(tmp_path_factory: pytest.TempPathFactory, tensors: dict, backwards: bool) -> None:
    path = tmp_path_factory.mktemp("t") / "x.safetensors"
    given_tensors = {n: t.T if backwards else t for n, t in tensors.items()}
    write(path, given_tensors)
    read = TensorFile(path)
    assert set(read) == set(tensors)
    for name, t in given_tensors.items():
        assert read[name].dtype == t.dtype
        assert np.array_equal(read[name], t)
        assert read[name].ctypes.data % t.dtype.itemsize == 0


@pytest.mark.parametrize("dtype", [d for d in DTYPES if d != "complex64"])
def test_the_library_reads_our_files_and_we_read_its(tmp_path: Path, dtype: str) -> None:
    library = pytest.importorskip("safetensors.numpy")
    tensors = {"w.b": np.arange(6).reshape(2, 3).astype(dtype), "a": np.ones((), dtype), "e": np.zeros((0, 2), dtype)}
    write(tmp_path / "ours.safetensors", tensors)
    for name, t in library.load_file(tmp_path / "ours.safetensors").items():
        assert np.array_equal(t, tensors[name])
        assert t.dtype == tensors[name].dtype
    library.save_file(tensors, tmp_path / "its.safetensors", metadata={"format": "np"})
    read = TensorFile(tmp_path / "its.safetensors")
    assert all(np.array_equal(read[n], t) for n, t in tensors.items())


def test_equal_tensors_give_equal_bytes_in_any_order(tmp_path: Path) -> None:
    a, b = np.arange(3.0), np.arange(4, dtype=np.int8)
    write(tmp_path / "1", {"a": a, "b": b})
    write(tmp_path / "2", {"b": b, "a": a})
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()


def test_big_endian_and_strided_arrays(tmp_path: Path) -> None:
    source = np.arange(24).reshape(2, 3, 4)
    write(tmp_path / "x", {"be": source.astype(">i4"), "cut": source[:, ::2, 1:]})
    read = TensorFile(tmp_path / "x")
    assert np.array_equal(read["be"], source)
    assert np.array_equal(read["cut"], source[:, ::2, 1:])


def test_stored_tensors_cannot_be_changed(tmp_path: Path) -> None:
    write(tmp_path / "x", {"a": np.zeros(3)})
    with pytest.raises(ValueError, match="read-only"):
        TensorFile(tmp_path / "x")["a"][0] = 1.0


def test_objects_cannot_be_stored(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="object cannot be stored"):
        write(tmp_path / "x", {"a": np.array([{}])})


def test_a_large_map_is_never_held_in_memory(tmp_path: Path) -> None:
    large = scratch_array(tmp_path, "large", (64, 2**17), np.float32)
    large[:] = 1.5
    tracemalloc.start()
    write(tmp_path / "x", {"large": large, "turned": large[:, ::2]})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 * 2**20 < large.nbytes
    assert TensorFile(tmp_path / "x")["turned"].shape == (64, 2**16)


@pytest.mark.parametrize("harm", [
    lambda b: b[:-1], lambda b: b + b"x", lambda b: b[:5], lambda b: b"", lambda b: b"\xff" * 8 + b[8:],
    lambda b: b[:8] + b"x" + b[9:], lambda b: b.replace(b"F64", b"F99"),
])
def test_damaged_files_are_noticed(tmp_path: Path, harm: object) -> None:
    path = tmp_path / "x"
    write(path, {"a": np.arange(3.0)})
    path.write_bytes(harm(path.read_bytes()))  # type: ignore[operator]
    with pytest.raises(Damaged):
        read_header(path)


def test_a_draft_is_taken_over_without_copying(tmp_path: Path) -> None:
    scratch, target = tmp_path / "tmp", tmp_path / "object"
    scratch.mkdir()
    target.mkdir()
    tensors = draft(scratch, "states", {"a": ((4, 3), np.float32), "n": ((2,), "int64")})
    whole = np.arange(12, dtype=np.float32).reshape(4, 3)
    tensors["a"][:] = whole
    tensors["n"][:] = [7, 8]
    inode = tensors.path.stat().st_ino
    files = write_payload(Payload("states", {}, tensors), target, True, scratch)
    assert (target / "tensors.safetensors").stat().st_ino == inode
    assert np.array_equal(read_payload(target, files).tensors["a"], whole)
    write(tmp_path / "streamed", {"n": np.array([7, 8]), "a": whole})
    assert (tmp_path / "streamed").read_bytes() == (target / "tensors.safetensors").read_bytes()


def test_rows_and_meta_come_back_whatever_they_hold(tmp_path: Path) -> None:
    rows = ({"t": "a\u2028b\r\n\x85c\ud800"}, {"x": float("inf"), "y": -0.0, "n": 2**70}, {})
    given_payload = Payload("rows", {"ü": [None, True, {"x": 1e-300}]}, {}, rows)
    files = write_payload(given_payload, tmp_path, False, tmp_path / "tmp")
    assert set(files) == {"meta.json", "rows.jsonl"}
    assert same(read_payload(tmp_path, files), given_payload)


def test_a_payload_comes_back(tmp_path: Path) -> None:
    files = write_payload(payload(3), tmp_path, True, tmp_path / "tmp")
    assert same(read_payload(tmp_path, files), payload(3))
