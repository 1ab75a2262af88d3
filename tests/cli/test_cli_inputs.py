"""Parameters, folders, standard input, the working directory."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
from cli_support import GOOD, UGLY, Steer

pytestmark = pytest.mark.usefixtures("folder")


def test_parameters_from_files(steer: Steer, folder: Path) -> None:
    (folder / "run.yaml").write_text("limit: 1\n", encoding="utf-8")
    (folder / "run.json").write_text('{"limit": 5}', encoding="utf-8")
    assert steer("run", "good.steer", "--params", "run.yaml").exit_code == 4
    assert steer("run", "good.steer", "--params", "run.json").exit_code == 0
    assert steer("run", "good.steer", "--params", "run.json", "--params", "run.yaml").exit_code == 4
    assert steer("run", "good.steer", "--params", "run.yaml", "--set", "limit=4").exit_code == 0


@pytest.mark.parametrize(("text", "code"), [
    (b"limit: [1, 2]\n", "SL613"), (b"limit: {a: 1}\n", "SL613"), (b"limit:\n", "SL613"), (b"2: 3\n", "SL613"),
    (b"- limit\n", "SL504"), (b"limit: [\n", "SL504"), (b"limit: !!python/object:os.system x\n", "SL504"),
    (b"\xff\xfe", "SL115"), (b"a: &a [*a]\n", "SL613"), (b"#" * (1 << 20) + b"\n", "SL112"),
])
def test_bad_parameter_files(text: bytes, code: str, steer: Steer, folder: Path) -> None:
    (folder / "run.yaml").write_bytes(text)
    result = steer("validate", "good.steer", "--params", "run.yaml", "--format", "json")
    assert result.exit_code == 2
    found = json.loads(result.stdout)["diagnostics"]
    assert [d["code"] for d in found] == [code]
    assert "run.yaml" in found[0]["file"]


def test_an_empty_parameter_file_sets_nothing(steer: Steer, folder: Path) -> None:
    (folder / "run.yaml").write_text("# nothing yet\n", encoding="utf-8")
    assert steer("validate", "good.steer", "--params", "run.yaml").exit_code == 0


@pytest.mark.parametrize("setting", ["limit", "=3", "li mit=3", "3=3", ""])
def test_bad_settings(setting: str, steer: Steer) -> None:
    result = steer("validate", "good.steer", "--set", setting)
    assert result.exit_code == 2
    assert "SL631" in result.stderr


def test_folders_hold_programs(steer: Steer, folder: Path) -> None:
    inner = folder / "inner"
    (inner / ".hidden").mkdir(parents=True)
    for place in (inner, inner / ".hidden"):
        (place / "a.steer").write_text(GOOD, encoding="utf-8")
    document = json.loads(steer("validate", ".", "--format", "json").stdout)
    assert [p["program"] for p in document["programs"]] == ["bad.steer", "good.steer", "inner/a.steer", "ugly.steer"]
    (folder / "empty").mkdir()
    assert steer("validate", "empty").exit_code == 1
    twice = json.loads(steer("validate", "good.steer", "good.steer", "--format", "json").stdout)
    assert len(twice["programs"]) == 1


def test_working_directory(steer: Steer, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    assert steer("validate", "good.steer").exit_code == 1
    assert steer("validate", "-C", "work", "good.steer").exit_code == 0
    assert steer("validate", "good.steer", "-C", "work").exit_code == 0
    assert steer("run", "-C", "work", "good.steer").exit_code == 0
    assert steer("validate", "work/good.steer").stdout.startswith("work/good.steer: ")


def test_standard_input(steer: Steer) -> None:
    assert steer("validate", "-", input=GOOD).exit_code == 0
    result = steer("validate", "-", input="steerlang 1\nlet a = nix\n")
    assert result.exit_code == 1
    assert "2:9" in result.stdout
    assert steer("validate", "-", input=b"\xff\xff").exit_code == 1
    assert steer("fmt", "-", input="steerlang 1\nlet   a =   1\n").stdout == "steerlang 1\nlet a = 1\n"
    assert steer("fmt", "-", "--check", input="steerlang 1\nlet   a =   1\n").exit_code == 1
    broken = steer("fmt", "-", input="steerlang 1\nlet a = \n")
    assert (broken.exit_code, broken.stdout) == (1, "")


def test_fmt_rewrites_and_keeps_what_a_file_is(steer: Steer, folder: Path) -> None:
    path = folder / "ugly.steer"
    path.chmod(0o640)
    link = folder / "link.steer"
    link.symlink_to(path)
    assert steer("fmt", "--check", "ugly.steer").exit_code == 1
    assert steer("fmt", "--diff", "ugly.steer").stdout.startswith("--- a/ugly.steer\n+++ b/ugly.steer\n")
    assert path.read_text(encoding="utf-8") == UGLY
    assert steer("fmt", "link.steer").exit_code == 0
    assert link.is_symlink()
    assert path.read_text(encoding="utf-8") != UGLY
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert steer("fmt", "--check", "ugly.steer").exit_code == 0
    assert not [p for p in os.listdir(folder) if p.startswith(".")]


def test_fmt_leaves_broken_programs_alone(steer: Steer, folder: Path) -> None:
    broken = "steerlang 1\nlet a = \n"
    (folder / "broken.steer").write_text(broken, encoding="utf-8")
    assert steer("fmt", "broken.steer", "ugly.steer").exit_code == 1
    assert (folder / "broken.steer").read_text(encoding="utf-8") == broken
    assert (folder / "ugly.steer").read_text(encoding="utf-8") != UGLY


def test_cache(steer: Steer, folder: Path, tmp_path: Path) -> None:
    (folder / "words.txt").write_text("one\ntwo\n", encoding="utf-8")
    (folder / "data.steer").write_text('steerlang 1\ndata words = lines("words.txt")\n', encoding="utf-8")
    assert steer("run", "data.steer").exit_code == 0
    assert "words" in steer("cache", "ls").stdout
    listed = json.loads(steer("cache", "ls", "--format", "json").stdout)["results"]
    assert [r["labels"] for r in listed] == [["words"]]
    assert steer("cache", "where").stdout.strip() == str(tmp_path / "cache")
    assert steer("cache", "where", "--cache-dir", "other").stdout.strip() == str(folder / "other")
    assert "none damaged" in steer("cache", "verify").stdout
    record = next((tmp_path / "cache" / "objects").rglob("record.json"))
    record.write_text("{", encoding="utf-8")
    assert steer("cache", "verify").exit_code == 1
    record.unlink()
    assert "would be removed" in steer("cache", "gc", "--keep-days", "0", "--dry-run").stdout
    assert json.loads(steer("cache", "gc", "--keep-days", "0", "--format", "json").stdout)["removed"]
    assert steer("cache", "ls").stdout.startswith("0 results")


def test_doctor_never_shows_secrets(steer: Steer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    result = steer("doctor")
    assert "hf_secret" not in result.output
    assert "HF_TOKEN" in result.stdout
    assert result.exit_code == 0


def test_doctor_says_when_results_cannot_be_kept(steer: Steer, folder: Path) -> None:
    (folder / "file").write_text("", encoding="utf-8")
    result = steer("doctor", "--cache-dir", "file/cache")
    assert result.exit_code == 1
    assert "SL510" in result.stdout
