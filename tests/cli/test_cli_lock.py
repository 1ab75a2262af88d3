"""Lock files: what stands in them, and what is refused."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from cli_support import Steer

SPECS = Path(__file__).parents[2] / "specs"
COMMIT, OTHER = "a" * 40, "b" * 40
PROGRAM = """steerlang 1
import common = "parts/common.steer"
model   m     = hf("org/name")
data    d     = jsonl("pairs.jsonl", source = "rude", target = "polite")
data    seen  = images("pets.csv", label = "class")
vector  w     = extract(m, d)
vector  v     = load_vector("polite.gguf", model = m)
metric  share = word_share(generate(apply(m, add(w)), common.words), words = common.words)
metric  top1  = accuracy(hf("glyphs", task = clip), seen)
"""


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program with one input of each kind, its model in a Hugging Face cache at one of two commits."""
    place = tmp_path / "work"
    (place / "parts").mkdir(parents=True)
    monkeypatch.chdir(place)
    (place / "main.steer").write_text(PROGRAM, encoding="utf-8")
    common = 'steerlang 1\ndata words = lines("words.txt")\n'
    (place / "parts" / "common.steer").write_text(common, encoding="utf-8")
    (place / "pyproject.toml").touch()
    shutil.copy(SPECS / "data" / "manners.jsonl", place / "pairs.jsonl")
    shutil.copy(SPECS / "data" / "polite_words.txt", place / "parts" / "words.txt")
    shutil.copy(SPECS / "data" / "vectors" / "polite.gguf", place / "polite.gguf")
    shutil.copytree(SPECS / "models" / "glyphs", place / "glyphs")
    _pictures(place)
    hub = tmp_path / "hub"
    for commit in (COMMIT, OTHER):
        shutil.copytree(SPECS / "models" / "courtesy", hub / "models--org--name" / "snapshots" / commit)
    config = hub / "models--org--name" / "snapshots" / OTHER / "generation_config.json"
    config.write_text('{"max_length": 9}', encoding="utf-8")
    monkeypatch.setenv("HF_HUB_CACHE", str(hub))
    point(hub, COMMIT)
    return place


def _pictures(place: Path) -> None:
    source = SPECS / "data" / "glyphs" / "letters"
    rows = (source / "test.csv").read_text(encoding="utf-8").splitlines()
    column = rows[0].split(",").index("file")
    for row in rows[1:4]:
        name = row.split(",")[column]
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source / name, place / name)
    (place / "pets.csv").write_text("\n".join(rows[:4]) + "\n", encoding="utf-8")


def point(hub: Path, commit: str) -> None:
    """Let the branch `main` stand for a commit."""
    refs = hub / "models--org--name" / "refs"
    refs.mkdir(exist_ok=True)
    (refs / "main").write_text(commit, encoding="ascii")


def hub() -> Path:
    return Path(os.environ["HF_HUB_CACHE"])


def locked() -> list[dict[str, str]]:
    rows = yaml.safe_load(Path("main.steer.lock").read_text(encoding="utf-8"))["inputs"]
    assert isinstance(rows, list)
    return rows


def codes(steer: Steer, *arguments: str) -> list[str]:
    """Codes of the errors of a command line."""
    result = steer(*arguments, "--format", "json", "--offline")
    found = [d["code"] for d in json.loads(result.stdout)["diagnostics"] if d["severity"] == "error"]
    assert bool(found) == (result.exit_code != 0)
    return found


def test_inputs_of_every_kind(world: Path, steer: Steer) -> None:
    result = steer("lock", "main.steer", "--offline")
    assert result.exit_code == 0, result.output
    rows = locked()
    assert [(r["kind"], r["name"]) for r in rows] == [
        ("data", "pairs.jsonl"), ("data", "parts/words.txt"), ("data", "pets.csv"), ("import", "parts/common.steer"),
        ("model", "glyphs"), ("model", "org/name"), ("vector", "polite.gguf"),
    ]  # fmt: skip
    assert rows[5]["revision"] == COMMIT
    assert "images" in rows[2]
    lines = Path("main.steer.lock").read_text(encoding="utf-8").splitlines()
    assert lines[3:] == sorted(lines[3:])
    assert len(lines) == 3 + len(rows)
    assert codes(steer, "lock", "--check", "main.steer") == []
    assert codes(steer, "validate", "--locked", "main.steer") == []
    before = os.stat("main.steer.lock").st_mtime_ns
    assert "is current" in steer("lock", "main.steer", "--offline").stdout
    assert os.stat("main.steer.lock").st_mtime_ns == before


def _append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"\n")


CHANGES = {
    "pairs.jsonl": "the data file `pairs.jsonl`", "parts/words.txt": "the data file `parts/words.txt`",
    "parts/common.steer": "the imported file `parts/common.steer`", "polite.gguf": "the vector file `polite.gguf`",
    "glyphs/config.json": "the model `glyphs`",
}  # fmt: skip


@pytest.mark.parametrize("path", CHANGES)
def test_changed_contents(path: str, world: Path, steer: Steer) -> None:
    steer("lock", "main.steer", "--offline")
    _append(world / path)
    for verb in (("lock", "--check"), ("validate", "--locked"), ("plan", "--locked")):
        result = steer(*verb, "main.steer", "--format", "json", "--offline")
        found = json.loads(result.stdout)["diagnostics"]
        changed = [d for d in found if d["severity"] == "error"]
        assert [d["code"] for d in changed] == ["SL542"]
        assert changed[0]["message"].startswith(CHANGES[path])
        assert changed[0]["range"] is not None
    assert steer("lock", "main.steer", "--offline").exit_code == 0
    assert codes(steer, "lock", "--check", "main.steer") == []


def test_a_changed_image(world: Path, steer: Steer) -> None:
    steer("lock", "main.steer", "--offline")
    picture = next(world.rglob("*.png"))
    picture.write_bytes(picture.read_bytes() + b"\0")
    result = steer("validate", "--locked", "--offline", "main.steer")
    assert "images that the data file `pets.csv` names have changed" in result.stdout


def test_new_and_unused_inputs(world: Path, steer: Steer) -> None:
    steer("lock", "main.steer", "--offline")
    text = PROGRAM.replace('jsonl("pairs.jsonl"', 'jsonl("more.jsonl"')
    shutil.copy("pairs.jsonl", "more.jsonl")
    Path("main.steer").write_text(text, encoding="utf-8")
    assert sorted(codes(steer, "validate", "--locked", "main.steer")) == ["SL544", "SL545"]
    assert steer("run", "--locked", "main.steer").exit_code == 1


def test_a_branch_that_moved_stays_locked_until_upgraded(world: Path, steer: Steer) -> None:
    steer("lock", "main.steer", "--offline")
    before = Path("main.steer.lock").read_bytes()
    point(hub(), OTHER)
    # The locked commit is there and is the one that is taken.
    assert codes(steer, "validate", "--locked", "main.steer") == []
    steer("lock", "main.steer", "--offline")
    assert Path("main.steer.lock").read_bytes() == before
    result = steer("lock", "main.steer", "--offline", "--upgrade", "org/name")
    assert result.exit_code == 0
    assert locked()[5]["revision"] == OTHER
    assert f"is at {OTHER}" in result.stdout


def test_an_unlocked_commit(world: Path, steer: Steer) -> None:
    """A program that names a commit, and a lock that has another for it."""
    Path("main.steer").write_text(PROGRAM.replace('hf("org/name")', f'hf("org/name", revision = "{COMMIT[:8]}")'))
    steer("lock", "main.steer", "--offline")
    lock = Path("main.steer.lock").read_text(encoding="utf-8")
    Path("main.steer.lock").write_text(lock.replace(f"revision: {COMMIT}", f"revision: {'c' * 40}"), encoding="utf-8")
    for verb in (("validate", "--locked"), ("lock", "--check"), ("run", "--locked")):
        assert codes(steer, *verb, "main.steer") == ["SL543"]
    assert codes(steer, "lock", "main.steer") == ["SL503"]  # it is not moved from a commit that is not here


def test_a_locked_commit_that_is_gone(world: Path, steer: Steer) -> None:
    steer("lock", "main.steer", "--offline")
    point(hub(), OTHER)
    shutil.rmtree(hub() / "models--org--name" / "snapshots" / COMMIT)
    result = steer("validate", "--locked", "main.steer", "--offline")
    assert "error[SL543]: the model `org/name` is at bbbb" in result.stdout
    assert "locked aaaaaaa" not in result.stdout  # notes are of contents; commits stand in the message
    assert "steerlang lock --upgrade org/name" in result.stdout


def test_what_is_not_on_this_machine(world: Path, steer: Steer) -> None:
    steer("lock", "main.steer", "--offline")
    shutil.rmtree(hub())
    assert codes(steer, "lock", "--check", "main.steer") == []
    assert codes(steer, "validate", "--locked", "main.steer") == ["SL503"]
    Path("main.steer.lock").unlink()
    assert codes(steer, "lock", "main.steer") == ["SL503"]
    assert not Path("main.steer.lock").exists()


BROKEN = {
    "marks of a merge": lambda t: t.replace("inputs:", "inputs:\n<<<<<<< ours\n=======\n>>>>>>> theirs"),
    "not YAML": lambda t: t + "]",
    "no version": lambda t: t.replace("steerlang-lock: 1\n", ""),
    "newer": lambda t: t.replace("steerlang-lock: 1", "steerlang-lock: 2"),
    "another kind": lambda t: t.replace("kind: data", "kind: date"),
    "another key": lambda t: t.replace("sha256:", "sha265:"),
    "no digest": lambda t: t.replace("sha256: ", "sha256: x"),
    "two records": lambda t: t + t.splitlines()[3].replace("sha256: ", "sha256: 0")[:-2] + "}\n",
    "empty": lambda t: "",
}


@pytest.mark.parametrize("how", BROKEN)
def test_lock_files_that_are_none(how: str, world: Path, steer: Steer) -> None:
    steer("lock", "main.steer", "--offline")
    path = Path("main.steer.lock")
    path.write_text(BROKEN[how](path.read_text(encoding="utf-8")), encoding="utf-8")
    assert codes(steer, "validate", "--locked", "main.steer") == ["SL541"]
    if how != "two records":  # which is put right by locking again
        assert codes(steer, "lock", "main.steer") == ["SL541"]
    else:
        assert steer("lock", "main.steer", "--offline").exit_code == 0
        assert codes(steer, "lock", "--check", "main.steer") == []


def test_without_a_lock_file(world: Path, steer: Steer) -> None:
    for verb in (("lock", "--check"), ("validate", "--locked"), ("run", "--locked"), ("test", "--locked")):
        assert codes(steer, *verb, "main.steer") == ["SL540"]
    assert codes(steer, "validate", "main.steer") == []


def test_broken_programs_are_not_locked(world: Path, steer: Steer) -> None:
    Path("main.steer").write_text("steerlang 1\nlet a = b\n", encoding="utf-8")
    assert codes(steer, "lock", "main.steer") == ["SL201"]
    assert codes(steer, "lock", "none.steer") == ["SL501"]
    assert not Path("main.steer.lock").exists()


def test_names_to_upgrade(world: Path, steer: Steer) -> None:
    result = steer("lock", "main.steer", "--offline", "--upgrade", "org/nmae")
    assert result.exit_code == 1
    assert "did you mean `org/name`?" in result.stdout
    assert steer("lock").exit_code == 2


def test_folders_are_checked_by_what_is_locked(world: Path, steer: Steer) -> None:
    Path("other.steer").write_text("steerlang 1\nexpect a = 1 < 2\n", encoding="utf-8")
    steer("lock", "main.steer", "--offline")
    assert steer("lock", "--check").exit_code == 0
    _append(world / "pairs.jsonl")
    assert steer("lock", "--check").exit_code == 1
    assert not Path("other.steer.lock").exists()


def test_the_file_is_replaced_as_a_whole(world: Path, steer: Steer, monkeypatch: pytest.MonkeyPatch) -> None:
    steer("lock", "main.steer", "--offline")
    path = Path("main.steer.lock")
    path.chmod(0o640)
    before = path.read_bytes()
    _append(world / "pairs.jsonl")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", full)
        assert steer("lock", "main.steer", "--offline").exit_code == 3
    assert path.read_bytes() == before
    assert [p.name for p in world.iterdir() if p.name.startswith(".main")] == []
    steer("lock", "main.steer", "--offline")
    assert path.read_bytes() != before
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_bytes_do_not_depend_on_hashing_or_place(world: Path, tmp_path: Path) -> None:
    found = set()
    for seed, folder in (("0", world), ("1", world), ("2", tmp_path / "elsewhere")):
        if folder != world:
            shutil.copytree(world, folder)
        (folder / "main.steer.lock").unlink(missing_ok=True)
        command = [sys.executable, "-m", "steerlang", "lock", "--offline", "main.steer"]
        subprocess.run(command, cwd=folder, env={**os.environ, "PYTHONHASHSEED": seed}, check=True, capture_output=True)
        found.add((folder / "main.steer.lock").read_bytes())
    assert len(found) == 1


def test_a_plan_and_a_run_of_locked_inputs(steer: Steer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p.steer").write_text("steerlang 1\nlet a = 1\nexpect fine = a < 2\n", encoding="utf-8")
    assert steer("lock", "p.steer").exit_code == 0
    assert (tmp_path / "p.steer.lock").read_text(encoding="utf-8").endswith("inputs: []\n")
    for verb in ("plan", "run", "test", "validate"):
        assert steer(verb, "--locked", "p.steer").exit_code == 0
