"""What is shown where: narrow and wide terminals, odd characters, line ends, byte order marks, hash seeds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cli_support import Steer

from steerlang.diagnostics.cells import width

LONG = "steerlang 1\nexpect small = " + " + ".join(["1"] * 80) + " < limt + " + " + ".join(["2"] * 80) + "\n"
WIDE = 'steerlang 1\n\tlet words = "漢字 e\u0301 👍"   let x = limt\n'
TEXTS = {
    "long": LONG,
    "wide": WIDE,
    "many": "steerlang 1\n" + "".join(f"let a{i} = b{i}\n" for i in range(60)),
}


def frames(text: str) -> list[str]:
    """The rows of snippets: program lines and the marks below them."""
    return [row for row in text.splitlines() if " | " in row or row.rstrip().endswith("|")]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("columns", [20, 40, 60, 80, 120, 200])
@pytest.mark.parametrize("name", TEXTS)
def test_program_lines_fit_the_terminal(name: str, columns: int, steer: Steer, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("odd.steer").write_text(TEXTS[name], encoding="utf-8")
    monkeypatch.setenv("COLUMNS", str(columns))
    shown = frames(steer("validate", "odd.steer").stdout)
    lines = [row for row in shown if not set(row.partition("|")[2]) & set("^")]
    assert lines
    assert max(width(row) for row in lines) <= min(160, max(60, columns))


@pytest.mark.usefixtures("folder")
def test_marks_stand_below_wide_characters(steer: Steer) -> None:
    Path("odd.steer").write_text('steerlang 1\nlet words = "漢字 e\u0301" + limt\n', encoding="utf-8")
    rows = steer("validate", "odd.steer").stdout.splitlines()
    line = next(row for row in rows if "漢字" in row)
    marks = rows[rows.index(line) + 1]
    assert width(line[: line.index("limt")]) == marks.index("^")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("form", ["json", "jsonl", "gitlab", "sarif", "junit", "github", "concise", "text"])
def test_line_ends_and_marks_at_the_start_change_nothing(form: str, steer: Steer) -> None:
    text = "steerlang 1\nlet b = 1\n\nexpect small = b < limt\n"
    found = []
    for data in (text.encode(), text.replace("\n", "\r\n").encode(), b"\xef\xbb\xbf" + text.encode()):
        Path("odd.steer").write_bytes(data)
        found.append(steer("validate", "odd.steer", "--format", form).stdout)
    if form == "jsonl":
        found = ["[" + ",".join(text.splitlines()) + "]" for text in found]
    if form in ("json", "jsonl", "sarif"):  # offsets count both characters of a line end
        found = [_without_offsets(text) for text in found]
    assert found[1] == found[0]
    assert found[2] == found[0]


def _without_offsets(text: str) -> str:
    def kept(value: object) -> object:
        if isinstance(value, dict):
            return {k: kept(v) for k, v in value.items() if k not in ("offset", "charOffset", "ts")}
        return [kept(v) for v in value] if isinstance(value, list) else value

    return json.dumps(kept(json.loads(text)))


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("form", ["json", "jsonl", "gitlab", "sarif", "junit", "github", "concise", "text"])
def test_closed_stdout_is_quiet(form: str, folder: Path) -> None:
    command = [sys.executable, "-m", "steerlang", "validate", "bad.steer", "--format", form]
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(command, cwd=folder, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert done.stderr == ""
    assert done.returncode == 1


@pytest.mark.parametrize("arguments", [
    ("validate", ".", "--format", "json"), ("validate", ".", "--format", "sarif"),
    ("validate", ".", "--format", "github"), ("validate", ".", "--format", "junit"),
    ("plan", "good.steer", "--format", "json"),
    ("fmt", "--diff", "ugly.steer"), ("explain", "SL201"),
], ids=" ".join)  # fmt: skip
def test_bytes_do_not_depend_on_the_hash_seed(arguments: tuple[str, ...], folder: Path) -> None:
    found = set()
    for seed in ("0", "1"):
        command = [sys.executable, "-m", "steerlang", *arguments]
        surroundings = {**os.environ, "PYTHONHASHSEED": seed}
        found.add(subprocess.run(command, cwd=folder, env=surroundings, capture_output=True, check=False).stdout)
    assert len(found) == 1
    assert found != {b""}


@pytest.mark.usefixtures("folder")
def test_explain(steer: Steer) -> None:
    assert steer("explain", "sl201").stdout == steer("explain", "unknown-name").stdout
    assert steer("explain", "SL201").stdout.startswith("# SL201: unknown-name\n")
    assert steer("explain", "unknown-nmae").exit_code == 2
    assert "did you mean `unknown-name`" in steer("explain", "unknown-nmae").stderr
    assert json.loads(steer("explain", "SL711", "--format", "json").stdout)["severity"] == "warning"
