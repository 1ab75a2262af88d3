"""Where models lie, what identifies them, and which paths a program may name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from model_files import CONFIG, safetensors, shapes

from steerlang.diagnostics import codes
from steerlang.diagnostics.codes import Severity
from steerlang.diagnostics.model import Diagnostic
from steerlang.graph.facts import Absent, DiskFacts, ModelFacts, ModelReference, Trouble, project_folder, resolve_path
from steerlang.graph.facts import digests as digests_module
from steerlang.graph.facts.digests import FileDigests
from steerlang.graph.facts.hub import hub_cache

HUB_FILES = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")


# ---- folders -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("id", ["models/tiny", "./models/tiny", "models/tiny/", "models/../models/tiny"])
def test_ways_to_name_a_folder(folder, ask, id):
    folder()
    assert isinstance(ask(id), ModelFacts)


def test_an_absolute_folder(folder, ask):
    assert isinstance(ask(str(folder())), ModelFacts)


@pytest.mark.parametrize(
    ("id", "help"),
    [
        ("models/tinny", "did you mean `models/tiny`?"),
        ("./modles/tiny", "did you mean `models/tiny`?"),
        ("models/quite-another", "the folder {project}/models holds `tiny`"),
        ("./nowhere", "the folder {project} holds `models`, `pyproject.toml`"),
        ("void/tiny", "the folder {project}/void is empty"),
    ],
)
def test_a_folder_that_does_not_exist(folder, ask, project, id, help):
    folder()
    if id.startswith("void"):
        (project / "void").mkdir()
    found = ask(id)
    assert isinstance(found, Trouble)
    assert (found.code, found.help) == (codes.FILE_NOT_FOUND, (help.format(project=project),))
    assert f"`{id}`" in found.message


@pytest.mark.parametrize(
    ("file", "code", "said"),
    [
        ("a.gguf", codes.UNREADABLE_MODEL, "is a GGUF file, not a model folder"),
        ("a.bin", codes.PICKLED_CHECKPOINT, "is a pickled checkpoint"),
        ("a.safetensors", codes.UNREADABLE_MODEL, "is a file, not a model folder"),
        ("a.txt", codes.UNREADABLE_MODEL, "is a file, not a model folder"),
    ],
)
def test_a_file_instead_of_a_folder(project, ask, file, code, said):
    (project / file).touch()
    found = ask(file)
    assert isinstance(found, Trouble)
    assert found.code is code
    assert found.message.startswith(f"`{file}` {said}")
    assert found.help


def test_folders_have_no_revision(folder, ask):
    folder()
    assert "which is a folder" in ask(revision="main").message


@pytest.mark.parametrize("id", ["a/b/c", "-x", "a--b/c", "spaces in it", "https://huggingface.co/gpt2"])
def test_what_is_neither_folder_nor_id(ask, id):
    found = ask(id)
    assert isinstance(found, Trouble)
    assert found.code is codes.FILE_NOT_FOUND


def test_troubles_become_diagnostics(ask):
    found = ask("./nowhere").at(None)
    assert isinstance(found, Diagnostic)
    assert found.severity is Severity.ERROR
    assert found.place


# ---- the Hugging Face cache ----------------------------------------------------------------------------------------


def test_an_id_that_is_not_here(ask, environment):
    found = ask("org/tiny")
    assert isinstance(found, Absent)
    assert found.nearby == ()
    assert found.looked_in[1] == str(Path(environment["HF_HOME"]) / "hub" / "models--org--tiny")


def test_an_id_that_is_nearly_a_folder(folder, ask):
    folder()
    assert ask("modls/tiny").nearby == ("models/tiny",)
    assert ask("modls/other").nearby == ()
    assert ask("model").nearby == ("models",)


@pytest.mark.parametrize("revision", [None, "main", "v1", "refs/pr/1", "a" * 40, "a" * 7])
def test_a_snapshot(ask, cached, revision):
    snapshot = cached(refs=("main", "v1", "refs/pr/1"))
    found = ask("org/tiny", revision=revision)
    assert isinstance(found, ModelFacts)
    assert (found.path, found.revision, found.name) == (snapshot, "a" * 40, "org/tiny@aaaaaaa")


@pytest.mark.parametrize("revision", ["v2", "b" * 40, "../../x", "bbbbbbb"])
def test_a_revision_that_is_not_here(ask, cached, revision):
    cached()
    found = ask("org/tiny", revision=revision)
    assert isinstance(found, Absent)
    assert revision in found.reason


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors"])
def test_an_unfinished_download_is_absent(ask, cached, missing):
    cached(**{missing: None})
    assert isinstance(ask("org/tiny"), Absent)


def test_a_snapshot_of_pickles_is_trouble(ask, cached):
    cached(**{"model.safetensors": None, "pytorch_model.bin": b"x"})
    assert ask("org/tiny").code is codes.PICKLED_CHECKPOINT


def test_a_folder_wins_over_the_cache(ask, cached, folder):
    cached()
    folder("org/tiny")
    assert ask("org/tiny").revision is None


@pytest.mark.parametrize(
    ("environment", "cache"),
    [
        ({"HF_HUB_CACHE": "/a", "HF_HOME": "/b"}, "/a"),
        ({"HUGGINGFACE_HUB_CACHE": "/a", "HF_HOME": "/b"}, "/a"),
        ({"HF_HOME": "/b", "XDG_CACHE_HOME": "/c"}, "/b/hub"),
        ({"XDG_CACHE_HOME": "/c", "HOME": "/d"}, "/c/huggingface/hub"),
        ({"HOME": "/d"}, "/d/.cache/huggingface/hub"),
    ],
)
def test_where_the_cache_is(environment, cache):
    assert hub_cache(environment) == Path(cache)


# ---- identity ------------------------------------------------------------------------------------------------------


def test_a_copy_is_the_same_model_wherever_it_lies(ask, cached, folder):
    cached()
    folder("one")
    folder("other", **{"README.md": b"not part of the model", ".cache": b""})
    digests = {ask(id).digest() for id in ("org/tiny", "one", "other")}
    assert len(digests) == 1


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        ({"model.safetensors": safetensors(shapes(), fill=b"\1")}, {"all", "weights"}),
        ({"tokenizer_config.json": {"eos_token": "b"}}, {"all", "text"}),
        ({"chat_template.jinja": b"x"}, {"all", "text"}),
        ({"generation_config.json": {}}, {"all"}),
        ({"config.json": {**CONFIG, "rope_theta": 1.0}}, {"all", "text", "weights"}),
    ],
)
def test_what_changes_an_identity(ask, folder, change, parts):
    folder("one")
    folder("two", **change)
    changed = {part for part in ("all", "text", "weights") if ask("one").digest(part) != ask("two").digest(part)}
    assert changed == parts


@pytest.fixture
def large(tmp_path):
    path = tmp_path / "large"
    path.write_bytes(b"x" * (2 << 20))
    os.utime(path, (1_000_000, 1_000_000))
    return path


@pytest.fixture
def counted(monkeypatch):
    hashed = []
    real = digests_module._hash
    monkeypatch.setattr(digests_module, "_hash", lambda path: (hashed.append(path), real(path))[1])
    return hashed


def test_large_files_are_hashed_once(large, tmp_path, counted):
    found = {FileDigests(tmp_path / "cache").of(large) for _ in range(3)}
    assert len(found) == len(counted) == 1


def test_a_changed_file_is_hashed_again(large, tmp_path, counted):
    before = FileDigests(tmp_path / "cache").of(large)
    large.write_bytes(b"y" * (2 << 20))
    os.utime(large, (2_000_000, 2_000_000))
    assert FileDigests(tmp_path / "cache").of(large) != before
    assert len(counted) == 2


def test_a_file_just_written_is_not_remembered(large, tmp_path, counted):
    os.utime(large)
    for _ in range(2):
        FileDigests(tmp_path / "cache").of(large)
    assert len(counted) == 2


@pytest.mark.parametrize("content", ["", "{", "[]", '{"version": 1, "files": {"a": 3}}', '{"version": 9}', "\0"])
def test_a_damaged_cache_is_ignored(large, tmp_path, content):
    right = FileDigests(None).of(large)
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "digests.json").write_text(content)
    assert FileDigests(tmp_path / "cache").of(large) == right
    assert FileDigests(tmp_path / "cache").of(large) == right


def test_a_cache_that_cannot_be_written_is_ignored(large, tmp_path):
    (tmp_path / "file").touch()
    assert FileDigests(tmp_path / "file" / "below").of(large) == FileDigests(None).of(large)


def test_small_files_are_not_remembered(tmp_path):
    (tmp_path / "small").write_text("x")
    FileDigests(tmp_path / "cache").of(tmp_path / "small")
    assert not (tmp_path / "cache").exists()


@pytest.fixture
def images(tmp_path):
    files = {f"{i}.png": tmp_path / f"{i}.png" for i in range(5)}
    for path in files.values():
        path.write_bytes(b"x" * (1 << 18))
        os.utime(path, (1_000_000, 1_000_000))
    return files


def test_many_files_are_hashed_once_together(images, tmp_path, counted):
    table = tmp_path / "table.csv"
    found = {FileDigests(tmp_path / "cache").of_many(table, images) for _ in range(3)}
    assert len(found) == 1
    assert len(counted) == len(images)
    assert FileDigests(None).of_many(table, images) in found
    assert FileDigests(None).of_many(tmp_path / "other.csv", images) in found  # the table's own name says nothing


def test_one_changed_file_of_many_is_seen(images, tmp_path, counted):
    table = tmp_path / "table.csv"
    before = FileDigests(tmp_path / "cache").of_many(table, images)
    images["3.png"].write_bytes(b"y" * (1 << 18))
    os.utime(images["3.png"], (1_000_001, 1_000_001))
    after = FileDigests(tmp_path / "cache").of_many(table, images)
    swapped = {**images, "0.png": images["3.png"], "3.png": images["0.png"]}
    assert len({before, after, FileDigests(tmp_path / "cache").of_many(table, swapped)}) == 3


# ---- paths ---------------------------------------------------------------------------------------------------------


def test_the_project_is_the_nearest_folder_with_a_mark(project, tmp_path):
    (project / "deep" / "deeper").mkdir(parents=True)
    assert project_folder(project / "deep" / "deeper") == project
    (project / "deep" / ".git").touch()
    assert project_folder(project / "deep" / "deeper") == project / "deep"


def test_paths_inside_the_project(project):
    (project / "specs").mkdir()
    assert resolve_path("a.jsonl", project / "specs") == project / "specs" / "a.jsonl"
    assert resolve_path("../a.jsonl", project / "specs") == project / "a.jsonl"
    assert resolve_path("/etc/hosts", project) == Path("/etc/hosts")


def test_paths_that_leave_the_project(project, tmp_path):
    found = resolve_path("../secret", project)
    assert isinstance(found, Trouble)
    assert found.code is codes.OUTSIDE_PROJECT
    assert found.message == "`../secret` leaves the folder of the project by `..`"
    (project / "link").symlink_to(tmp_path)
    found = resolve_path("link/secret", project)
    assert isinstance(found, Trouble)
    assert found.message.endswith("through a symbolic link")
    assert found.help


def test_a_model_outside_the_project(ask):
    assert ask("../elsewhere").code is codes.OUTSIDE_PROJECT


@pytest.mark.parametrize("text", ["", " ", "a\0b", "https://x.org/a.jsonl"])
def test_what_is_no_path(project, text):
    found = resolve_path(text, project)
    assert isinstance(found, Trouble)
    assert found.code is codes.FILE_NOT_FOUND


def test_a_name_too_long_for_the_file_system(project, facts):
    long = "x" * 5000
    assert isinstance(facts.model(ModelReference("./" + long, base_folder=str(project))), Trouble)
    assert isinstance(facts.data(long, "jsonl", str(project), {}), tuple)


def test_each_model_is_looked_at_once(folder, facts, project, monkeypatch):
    folder()
    reference = ModelReference("models/tiny", base_folder=str(project))
    assert facts.model(reference) is facts.model(reference)
    assert isinstance(DiskFacts().model(reference), ModelFacts)
