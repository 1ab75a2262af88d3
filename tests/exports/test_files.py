"""Files for other tools: what is in them, whole or not at all, and never over what others made."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from operations.test_algebra import A
from safetensors import safe_open
from safetensors.numpy import save

from steerlang.engine.payload import Payload
from steerlang.exports.files import ExportRefused, write_export, write_whole
from steerlang.operations.metric import Metric

SAMPLES = Payload(
    "samples",
    {},
    {},
    ({"prompt": "a", "completion": "größe", "completion_ids": [1], "prompt_ids": [2], "finish": "end"},),
)
PAYLOADS = {
    "v.safetensors": A.payload(),
    "x.jsonl": SAMPLES,
    "d.json": Metric(0.5, (0.4, 0.6), 2, (0.0, 1.0)).payload(),
}


def test_a_vector_file_holds_its_layers_and_its_provenance(tmp_path: Path) -> None:
    path = write_export(A.payload(), tmp_path / "v.safetensors")
    with safe_open(path, "np") as file:
        assert set(file.keys()) == {"layer.1", "layer.2", "layer.5", "state_norms"}
        np.testing.assert_array_equal(file.get_tensor("layer.5"), A.directions[2])
        header = file.metadata()
    document = json.loads(header["steerlang"])
    meta = document["vector"]
    assert document["format"] == "steerlang.vector"
    assert (meta["site"], meta["model"], meta["layers"]) == (A.site, A.model, list(A.layers))


def test_samples_are_json_lines(tmp_path: Path) -> None:
    (line,) = write_export(SAMPLES, tmp_path / "x.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["completion"] == "größe"
    assert "größe" in line


def test_a_metric_is_json(tmp_path: Path) -> None:
    found = json.loads(write_export(PAYLOADS["d.json"], tmp_path / "d.json").read_text())
    assert (found["value"], found["interval"], found["scores"]) == (0.5, [0.4, 0.6], [0.0, 1.0])


@pytest.mark.parametrize("name", sorted(PAYLOADS))
def test_own_files_are_replaced_and_those_of_others_are_not(name: str, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / name
    write_export(PAYLOADS[name], path)
    write_export(PAYLOADS[name], path)
    for theirs in (b"", b"{}", b"[1]\n", b"\xff\xfe", b"\x02" + b"\0" * 7 + b"{}", save({"a": np.zeros(2)})):
        path.write_bytes(theirs)
        with pytest.raises(ExportRefused) as refused:
            write_export(PAYLOADS[name], path)
        assert name in str(refused.value)
        assert path.read_bytes() == theirs
    write_export(PAYLOADS[name], path, overwrite=True)
    assert [p.name for p in path.parent.iterdir()] == [name]


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_files_get_the_usual_rights(tmp_path: Path) -> None:
    write_whole(tmp_path / "a.txt", b"new")
    (tmp_path / "b.txt").write_bytes(b"new")
    assert (tmp_path / "a.txt").stat().st_mode == (tmp_path / "b.txt").stat().st_mode
