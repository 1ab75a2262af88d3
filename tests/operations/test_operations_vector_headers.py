"""Vector files as their headers tell them: one clear message for each thing that can be wrong, and nothing executed."""

from __future__ import annotations

import json
import struct
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from exports.test_vector_formats import options
from safetensors.numpy import save

from operations.test_algebra import A
from steerlang.engine.errors import OperationError
from steerlang.exports.files import write_export
from steerlang.exports.vector_formats import write
from steerlang.graph.facts import Trouble, VectorFacts
from steerlang.graph.facts.digests import FileDigests
from steerlang.graph.facts.vectors import read_vector
from steerlang.graph.facts.vectors.unpickled import Storage, _tensor
from steerlang.operations.vector_files import load_file

GOOD = {format: write(format, A.payload(), options()) for format in ("gguf", "svec", "pt")}


def trouble(path: Path, data: bytes) -> Trouble:
    path.write_bytes(data)
    found = read_vector(path, "v", FileDigests(None))
    assert isinstance(found, Trouble), found
    assert found.help or "cannot be read" in found.message
    return found


def gguf(architecture: str = "controlvector", version: int = 3, **tensors: Any) -> bytes:
    """A control vector of tensors `name → (shape, type)` with no numbers behind them."""
    text = lambda t: struct.pack("<Q", len(t)) + t.encode()  # noqa: E731
    values = text("general.architecture") + struct.pack("<I", 8) + text(architecture)
    infos = b""
    for name, (shape, type) in tensors.items():
        infos += text(name.replace("_", ".")) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, type, 0)
    return b"GGUF" + struct.pack("<IQQ", version, len(tensors), 1) + values + infos


WRONG = {
    "empty": (b"", "is empty"),
    "text": (b"hello, this is no vector at all, just a text", "no known format"),
    "git lfs": (b"version https://git-lfs.github.com/spec/v1\noid", "Git LFS pointer"),
    "bare pickle": (b"\x80\x02}q\x00.", "bare pickle"),
    "numpy": (b"\x93NUMPY\x01\x00v\x00", "NumPy array"),
    "foreign safetensors": (save({"layer.0": np.zeros(4, np.float32)}), "is no vector of steerlang"),
    "gguf of a model": (gguf("llama", direction_1=((4,), 0)), "is a GGUF file of `llama`"),
    "gguf version": (gguf(version=1), "GGUF version 1"),
    "gguf without directions": (gguf(), "holds no directions"),
    "gguf without numbers": (gguf(direction_1=((4,), 0)), "is truncated: `direction.1` would end at byte"),
    "gguf quantised": (gguf(direction_1=((32,), 8)), "is quantised"),
    "gguf matrix": (gguf(direction_1=((4, 4), 0)), "has the shape [4, 4]"),
    "gguf nameless layer": (gguf(direction_x=((4,), 0)), "names no layer"),
    "gguf that claims much": (b"GGUF" + struct.pack("<IQQ", 3, 1 << 60, 0), "claims"),
    "gguf of dimensions": (gguf(direction_1=((1,) * 5, 0)), "5 dimensions"),
    "svec that is a list": (b"[1]", "no known format"),
    "svec without directions": (b'{"a": 1}', "without `directions`"),
    "svec of words": (b'{"directions": {"1": ["a"]}}', "no list of numbers at layer 1"),
    "svec of a named layer": (b'{"directions": {"last": [1.0]}}', "the layer `last`"),
    "svec of other widths": (b'{"directions": {"1": [1.0], "2": [1.0, 2.0]}}', "is 1 wide, that at layer 2 2"),
    "svec of NaN": (b'{"directions": {"1": [NaN]}}', "not finite at layer 1"),
    "svec cut": (GOOD["svec"][:-20], "is truncated or damaged"),
    "gguf cut in its header": (GOOD["gguf"][:60], "ends inside its header"),
    "gguf cut in its numbers": (GOOD["gguf"][:-20], "is truncated"),
    "pt cut": (GOOD["pt"][:-40], "is truncated or damaged"),
}


@pytest.mark.parametrize(("data", "words"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said(data: bytes, words: str, tmp_path: Path) -> None:
    assert words in trouble(tmp_path / "v", data).message


@pytest.mark.parametrize("format", GOOD)
def test_a_file_that_ends_early_is_never_taken(format: str, tmp_path: Path) -> None:
    """Wherever it is cut."""
    data = GOOD[format]
    for end in range(0, len(data) - 1, max(1, len(data) // 60)):
        path = tmp_path / "v"
        path.write_bytes(data[:end])
        found = read_vector(path, "v", FileDigests(None))
        # What ends a GGUF file or a line of JSON may be padding.
        assert isinstance(found, Trouble) or len(data) - end < 32, end


class Evil:
    """Would leave a mark if a pickle of it were carried out."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return (Path.touch, (self.mark,))


@pytest.mark.parametrize("place", ["value", "key of a dictionary", "whole"])
def test_pickles_are_never_carried_out(place: str, tmp_path: Path) -> None:
    evil, path = Evil(tmp_path / "mark"), tmp_path / "v.pt"
    given = {"value": {1: evil}, "key of a dictionary": {1: torch.zeros(2), "x": [evil]}, "whole": evil}
    torch.save(given[place], path)
    found = read_vector(path, "v.pt", FileDigests(None))
    assert isinstance(found, Trouble)
    assert found.code.id == "SL524"
    assert "which is not carried out" in found.message
    assert "torch.save" in found.help[0]
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize("given", [torch.zeros(4), {"a": torch.zeros(4)}, {1: "x"}, {}, [torch.zeros(4)], {1: 2.0}])
def test_pt_files_without_layers_are_refused(given: Any, tmp_path: Path) -> None:
    torch.save(given, tmp_path / "v.pt")
    found = read_vector(tmp_path / "v.pt", "v.pt", FileDigests(None))
    assert isinstance(found, Trouble)
    assert found.help


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
def test_pt_files_of_tensors_by_layer(dtype: torch.dtype, tmp_path: Path) -> None:
    """Also views into a larger tensor, rows of a matrix, parameters, and layers written as texts."""
    whole = torch.from_numpy(A.directions.copy()).to(dtype)
    torch.save({4: whole[1], "2": whole[:1], 9: torch.nn.Parameter(whole[2])}, tmp_path / "v.pt")
    found = read_vector(tmp_path / "v.pt", "v.pt", FileDigests(None))
    assert isinstance(found, VectorFacts), found
    assert (found.layers, found.width) == ((2, 4, 9), 4)
    np.testing.assert_array_equal(load_file(found).directions, whole.float().detach().numpy())


def test_integers_are_no_directions(tmp_path: Path) -> None:
    torch.save({1: torch.zeros(3, dtype=torch.int64)}, tmp_path / "v.pt")
    found = read_vector(tmp_path / "v.pt", "v.pt", FileDigests(None))
    assert isinstance(found, Trouble)
    assert "LongStorage" in found.message


def test_an_archive_of_something_else_is_said_to_be_one(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "v", "w") as archive:
        archive.writestr("a/b.txt", "hello")
    assert "`torch.save` did not write" in trouble(tmp_path / "v", (tmp_path / "v").read_bytes()).message


@pytest.mark.parametrize("format", ["", "gguf", "pt"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_named_by_layer(format: str, bad: float, tmp_path: Path) -> None:
    directions = A.directions.copy()
    directions[1, 2] = bad
    path = write_export(A.derived(directions, {"name": "x"}).payload(), tmp_path / "v", True, format, options())
    found = read_vector(path, "v", FileDigests(None))
    assert isinstance(found, VectorFacts)
    with pytest.raises(OperationError, match="not finite at layer 2") as caught:
        load_file(found)
    assert caught.value.diagnostic.code.id == "SL802"


def test_provenance_that_does_not_fit_the_tensors_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "v.svec"
    found = json.loads(GOOD["svec"])
    del found["directions"]["5"]
    assert "speaks of 3 layers and holds 2" in trouble(path, json.dumps(found).encode()).message
    own = write_export(A.payload(), tmp_path / "v.safetensors").read_bytes()
    assert "its header speaks of layers" in trouble(path, own.replace(b'"layer.5"', b'"layer.7"')).message
    assert "lacks what every vector has" in trouble(path, own.replace(b'\\"tokens\\"', b'\\"tokenz\\"')).message


def vector_said(**changed: Any) -> dict[str, Any]:
    """What a vector of one layer says of itself, with some of it changed; None leaves a part out."""
    vector = {
        "layers": [1], "site": {"select": "residual"}, "tokens": {"select": "last"}, "model": {}, "report": {},
        "method": {"name": "pca", "options": {}}, "provenance": {}, **changed,
    }  # fmt: skip
    return {k: v for k, v in vector.items() if v is not None}


def own_file(vector: dict[str, Any], norms: tuple[int, ...] | None = (1,)) -> bytes:
    words = {"steerlang": json.dumps({"format": "steerlang.vector", "version": 1, "vector": vector})}
    beside = {} if norms is None else {"state_norms": np.ones(norms, np.float32)}
    return save({"layer.1": np.ones(4, np.float32), **beside}, words)


@pytest.mark.parametrize(
    "vector",
    [
        vector_said(site=None), vector_said(site="residual"), vector_said(site={"select": 1}),
        vector_said(method={"options": {}}), vector_said(method={"name": "pca", "options": []}),
        vector_said(model=[]), vector_said(model={"identity": 5}), vector_said(report=[]),
        vector_said(report={"held_out_auc": [1.0, 1.0]}), vector_said(report={"held_out_auc": ["x"]}),
        vector_said(provenance="none"), vector_said(layers=["1"]),
    ],
)  # fmt: skip
def test_what_a_vector_says_of_itself_is_checked(vector: dict[str, Any], tmp_path: Path) -> None:
    """Also where JSON that is sound was edited by hand."""
    assert "is damaged: its provenance" in trouble(tmp_path / "v", own_file(vector)).message


@pytest.mark.parametrize(
    ("norms", "words"), [(None, "it has no `state_norms`"), ((2,), "the shape [2], for 1 layers"), ((1, 1), "[1, 1]")]
)
def test_norms_of_the_states_are_one_a_layer(norms: tuple[int, ...] | None, words: str, tmp_path: Path) -> None:
    assert words in trouble(tmp_path / "v", own_file(vector_said(), norms)).message


def test_a_vector_may_lack_its_report_and_where_it_came_from(tmp_path: Path) -> None:
    (tmp_path / "v").write_bytes(own_file(vector_said(report=None, provenance=None)))
    found = read_vector(tmp_path / "v", "v", FileDigests(None))
    assert isinstance(found, VectorFacts), found
    assert load_file(found).report == {}


@pytest.mark.parametrize("format", GOOD)
def test_bytes_that_changed_are_never_more_than_a_message(format: str, tmp_path: Path) -> None:
    """Single bits and runs of ones, mostly where the format keeps what it says of itself."""
    random, path = np.random.default_rng(0), tmp_path / "v"
    for _ in range(150):
        data = bytearray(GOOD[format])
        at = int(random.integers(min(len(data), int(random.choice([64, 600, len(data)])))))
        if random.random() < 0.5:
            data[at] ^= 1 << int(random.integers(8))
        else:
            data[at : at + 8] = b"\xff" * 8
        path.write_bytes(data)
        found = read_vector(path, "v", FileDigests(None))
        if isinstance(found, VectorFacts):
            with suppress(OperationError):  # numbers that are not finite are seen only here
                load_file(found)


@pytest.mark.parametrize(
    ("offset", "shape", "stride"),
    [(-4, (4,), (1,)), (0, (-4,), (1,)), (0, ("4",), (1,)), (0, (4,), ()), (0.0, (4,), (1,)), (0, (True,), (1,))],
)
def test_a_pickled_tensor_without_a_shape(offset: Any, shape: Any, stride: Any) -> None:
    storage = Storage("0", "FloatStorage")
    with pytest.raises(TypeError):
        _tensor(storage, offset, shape, stride)
    assert _tensor(storage, 0, (4,), (1,)).shape == (4,)


def test_names_in_an_archive_that_are_no_text(tmp_path: Path) -> None:
    """The flag that says UTF-8 beside a name that is none."""
    data = bytearray(GOOD["pt"])
    at = data.rindex(b"PK\x01\x02")
    data[at + 9] |= 0x08
    data[at + 46] = 0xFF
    assert "is damaged" in trouble(tmp_path / "v", bytes(data)).message
