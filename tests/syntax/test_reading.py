"""Files that can and cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from steerlang.syntax.reading import read_source, source_from_bytes


def test_a_program_is_read_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.steer"
    path.write_bytes(b"\xef\xbb\xbfsteerlang 1\r\nlet a = \"\xc3\xa9\"\r\n")
    source, diagnostics = read_source(path, "a.steer")
    assert not diagnostics
    assert source is not None
    assert source.text == 'steerlang 1\r\nlet a = "é"\r\n'
    assert source.name == "a.steer"
    assert source.path == str(path)


@pytest.mark.parametrize(("data", "code"), [
    (b"steerlang 1\nlet a = \"\xff\"\n", "SL115"),
    (b"\x00\x01\x02", "SL115"),
    (b"PK\x03\x04\x00binary", "SL115"),
    ("steerlang 1".encode("utf-16"), "SL115"),
    (b"#" * ((1 << 20) + 1), "SL112"),
    (b"#" * (5 << 20), "SL112"),
])
def test_what_is_no_program(tmp_path: Path, data: bytes, code: str) -> None:
    path = tmp_path / "a.steer"
    path.write_bytes(data)
    source, diagnostics = read_source(path, "a.steer")
    assert source is None
    assert [d.code.id for d in diagnostics] == [code]
    assert diagnostics[0].place == "a.steer"
    assert source_from_bytes(data, "<stdin>")[0] is None


def test_a_megabyte_is_allowed() -> None:
    source, diagnostics = source_from_bytes(b"#" * (1 << 20), "<stdin>")
    assert source is not None
    assert not diagnostics


def test_missing_files_and_folders(tmp_path: Path) -> None:
    assert [d.code.id for d in read_source(tmp_path / "none.steer")[1]] == ["SL501"]
    assert [d.code.id for d in read_source(tmp_path)[1]] == ["SL504"]
    assert [d.code.id for d in read_source("a\0b")[1]] == ["SL504"]


def test_a_file_in_a_folder_beside_is_offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs" / "quick.steer").write_text("steerlang 1\n")
    monkeypatch.chdir(tmp_path)
    _, (problem,) = read_source("quick.steer")
    assert problem.help == ("did you mean `specs/quick.steer`?",)
    _, (problem,) = read_source("[*].steer")
    assert problem.help == ()
