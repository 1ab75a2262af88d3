"""The store alone: reading, writing, damage, trouble with the disk, clearing."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

from steerlang.engine import payload as payload_module
from steerlang.engine.errors import StoreBusy, StoreFull, StoreReadOnly
from steerlang.engine.layout import default_root
from steerlang.engine.payload import Payload
from steerlang.engine.store import Store
from steerlang.engine.tensors import draft
from steerlang.graph.reasons import Past

from engine_fakes import key, payload, record, same  # isort: skip


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store", durable=False)


def put(store: Store, name: str, seed: int = 0) -> str:
    store.put(key(name), payload(seed), record(name))
    return key(name)


def leftovers(store: Store) -> list[Path]:
    return list(store.layout.temp.iterdir()) if store.layout.temp.is_dir() else []


def test_a_result_comes_back_with_its_record(store: Store) -> None:
    given = record("x", labels=("polite",), program="/p/a.steer", versions={"steerlang": "0.1"}, seconds=1.5,
                   options={"scale": 0.1}, inputs=(key("i"),))
    kept = store.put(key("x"), payload(1), given)
    assert same(store.get(key("x")), payload(1))  # type: ignore[arg-type]
    assert store.has(key("x"))
    assert Store(store.root).record(key("x")) == kept
    assert kept.bytes == sum(f.bytes for f in kept.files.values()) > 0
    assert (kept.labels, kept.program, dict(kept.versions), kept.seconds) == (
        ("polite",), "/p/a.steer", {"steerlang": "0.1"}, 1.5)
    assert not leftovers(store)


def test_an_empty_store(store: Store) -> None:
    assert store.get(key("x")) is None
    assert not store.has(key("x"))
    assert store.record(key("x")) is None
    assert (list(store.ls()), list(store.verify()), store.gc(unused=True).keys) == ([], [], ())
    assert not store.root.exists()


def test_keys_are_checked(store: Store) -> None:
    for bad in ("../../etc/passwd", "a" * 63, "A" * 64, ""):
        with pytest.raises(ValueError, match="not the key"):
            store.get(bad)


def test_equal_content_has_one_digest(store: Store) -> None:
    digests = [store.put(key(n), payload(s), record(n, seconds=t)).content
               for n, s, t in (("x", 1, 0.0), ("y", 1, 9.0), ("z", 2, 0.0))]
    assert digests[0] == digests[1] != digests[2]


def test_the_second_writer_loses_politely(store: Store) -> None:
    first = store.put(key("x"), payload(1), record("x"))
    assert store.put(key("x"), payload(2), record("x")) == first
    assert same(store.get(key("x")), payload(1))  # type: ignore[arg-type]
    assert not leftovers(store)


def test_over_replaces_and_old_maps_stay_readable(store: Store) -> None:
    put(store, "x", 1)
    old = store.get(key("x")).tensors["a"]  # type: ignore[union-attr]
    store.put(key("x"), payload(2), record("x"), over=True)
    assert same(store.get(key("x")), payload(2))  # type: ignore[arg-type]
    assert np.array_equal(old, payload(1).tensors["a"])
    assert not leftovers(store)


def test_a_draft_ends_in_the_object(store: Store) -> None:
    with store.temp() as folder:
        tensors = draft(folder, "s", {"a": ((100, 3), np.float32), "b": ((4,), np.int64)})
        for name, t in payload(5).tensors.items():
            tensors[name][:] = t
        kept = store.put(key("x"), Payload("states", payload(5).meta, tensors, payload(5).rows), record("x"))
    assert same(store.get(key("x")), payload(5))  # type: ignore[arg-type]
    assert kept.content == store.put(key("y"), payload(5), record("y")).content


HARMS = {
    "record cut": ("record.json", lambda b: b[: len(b) // 2]),
    "record empty": ("record.json", lambda b: b""),
    "record of nothing": ("record.json", lambda b: b"[]"),
    "record edited": ("record.json", lambda b: b.replace(b'"bytes": 1', b'"bytes": 2')),
    "record of another version": ("record.json", lambda b: b.replace(b'"record_version": 1', b'"record_version": 9')),
    "tensors cut": ("tensors.safetensors", lambda b: b[:-100]),
    "tensors flipped": ("tensors.safetensors", lambda b: b[:-1] + bytes([b[-1] ^ 1])),
    "rows cut": ("rows.jsonl", lambda b: b[:-1]),
    "rows edited": ("rows.jsonl", lambda b: b.replace(b"0.1", b"0.2")),
    "meta edited": ("meta.json", lambda b: b.replace(b"raw", b"rms")),
}


@pytest.mark.parametrize("name", HARMS)
def test_damage_is_found_put_aside_and_repaired(store: Store, name: str) -> None:
    file, harm = HARMS[name]
    put(store, "x", 1)
    put(store, "y", 2)
    path = store.layout.object(key("x")) / file
    before = path.read_bytes()
    path.write_bytes(harm(before))
    assert path.read_bytes() != before
    assert [p.key for p in store.verify()] == [key("x")]
    assert store.damage(key("x")) is not None
    assert store.get(key("x")) is None
    assert not store.layout.object(key("x")).exists()
    assert len(list(store.layout.quarantine.iterdir())) == 1
    put(store, "x", 1)
    assert same(store.get(key("x")), payload(1))  # type: ignore[arg-type]
    assert not list(store.verify())


@pytest.mark.parametrize("file", ["record.json", "meta.json", "tensors.safetensors", "rows.jsonl"])
def test_a_lost_file_is_damage(store: Store, file: str) -> None:
    put(store, "x")
    (store.layout.object(key("x")) / file).unlink()
    assert not store.has(key("x"))
    assert [s.damage is not None for s in store.ls()] == [file == "record.json"]
    assert store.get(key("x")) is None


def test_a_writer_replaces_a_damaged_result(store: Store) -> None:
    put(store, "x", 1)
    (store.layout.object(key("x")) / "rows.jsonl").write_bytes(b"")
    put(store, "x", 1)
    assert same(store.get(key("x")), payload(1))  # type: ignore[arg-type]


def test_large_files_are_hashed_by_verify_only(tmp_path: Path) -> None:
    store = Store(tmp_path, durable=False, hash_limit=1000)
    put(store, "x")
    path = store.layout.object(key("x")) / "tensors.safetensors"
    path.write_bytes(HARMS["tensors flipped"][1](path.read_bytes()))
    assert store.get(key("x")) is not None
    assert [p.key for p in store.verify()] == [key("x")]


class FullDisk:
    """A file that takes `room` bytes and then says that the disk is full."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, room: int) -> None:
        self.room = room
        real = Path.open
        outer = self

        def opened(path: Path, mode: str = "r", *args: object, **rest: object):  # type: ignore[no-untyped-def]
            file = real(path, mode, *args, **rest)  # type: ignore[call-overload]
            if "x" not in mode:
                return file
            write = file.write

            class Limited:
                def __getattr__(self, name: str) -> object:
                    return getattr(file, name)

                def __enter__(self) -> Limited:
                    return self

                def __exit__(self, *_: object) -> None:
                    file.close()

                def write(self, data: bytes) -> int:
                    outer.room -= len(data)
                    if outer.room < 0:
                        raise OSError(errno.ENOSPC, "No space left on device", str(path))
                    return write(data)

            return Limited()

        monkeypatch.setattr(Path, "open", opened)


@pytest.mark.parametrize("room", [0, 50, 400, 1400, 1700])
def test_a_full_disk_leaves_nothing_behind(store: Store, monkeypatch: pytest.MonkeyPatch, room: int) -> None:
    put(store, "before")
    with monkeypatch.context() as patched:
        FullDisk(patched, room)
        with pytest.raises(StoreFull) as e:
            put(store, "x")
        assert str(store.root) in str(e.value)
    assert not leftovers(store)
    assert not store.layout.object(key("x")).exists()
    assert store.has(key("before"))
    put(store, "x")
    assert not list(store.verify())


def test_a_full_disk_in_the_history(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    past = {"a": Past(key("a"), "op", 1, {"x": 1}, (), None)}
    store.write_history("/p/a.steer", past)
    FullDisk(monkeypatch, 10)
    with pytest.raises(StoreFull):
        store.write_history("/p/a.steer", {})
    assert store.view("/p/a.steer").history() == past
    assert not leftovers(store)


READ_ONLY = """
import os, sys
sys.path.insert(0, sys.argv[2])
from engine_fakes import *
from steerlang.engine.errors import StoreReadOnly
store = Store(sys.argv[1])
assert same(store.get(key('x')), payload(1))
if os.geteuid() == 0:
    os.setuid(65534)
assert same(store.get(key('x')), payload(1)) and store.has(key('x')) and not list(store.verify())
with store.in_use():
    pass
acts = [
    lambda: store.put(key('y'), payload(), record('y')), lambda: store.put(key('x'), payload(), record('x'), over=True),
    lambda: store.lock(key('y')).__enter__(), lambda: store.write_history('/p', {}),
    lambda: Store(sys.argv[1] + '/new').temp().__enter__(),
]
for act in acts:
    try:
        act()
    except StoreReadOnly:
        continue
    raise SystemExit('not refused')
print('fine')
"""


@pytest.mark.skipif(os.name != "posix", reason="permissions are those of POSIX")
def test_a_read_only_store_can_be_read() -> None:
    # Not below tmp_path, which only its owner may enter: for root the test must become somebody else.
    with tempfile.TemporaryDirectory() as name:
        store = Store(Path(name) / "store", durable=False)
        put(store, "x", 1)
        Path(name).chmod(0o755)
        folders = [p for p in (store.root, *store.root.rglob("*")) if p.is_dir()]
        for p in folders:
            p.chmod(0o555)
        arguments = [sys.executable, "-c", READ_ONLY, str(store.root), str(Path(__file__).parent)]
        found = subprocess.run(arguments, capture_output=True, text=True, check=False)
        for p in folders:
            p.chmod(0o755)
    assert found.stdout.strip() == "fine", found.stderr


def test_a_file_where_the_store_should_be(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("")
    store = Store(tmp_path / "f")
    assert store.get(key("x")) is None
    with pytest.raises(StoreReadOnly):
        put(store, "x")


def test_history_by_program(store: Store) -> None:
    past = {"out[s = 0.1]": Past(key("o"), "generate", 2, {"s": 0.1, "l": [1, 2]}, (key("a"),), None),
            "rows": Past(key("r"), "jsonl", 1, {}, (), "data/ü.jsonl")}
    assert store.view("/p/a.steer").history() == {}
    store.write_history("/p/a.steer", past)
    assert Store(store.root).view("/p/../p/a.steer").history() == past
    assert store.view("/p/b.steer").history() == {}
    assert store.view(None).history() == {}
    path = next(store.layout.programs.iterdir())
    for text in (b"", b"[]", b"{}", b'{"history_version": 1, "program": "/p", "labels": {"a": 1}}'):
        path.write_bytes(text)
        assert store.view("/p/a.steer").history() == {}


def age(store: Store, name: str, days: float) -> None:
    moment = time.time() - days * 86400
    os.utime(store.layout.object(key(name)) / "record.json", (moment, moment))


def test_clearing_by_age_goes_by_use(store: Store) -> None:
    for name in "abc":
        put(store, name)
    age(store, "a", 40)
    age(store, "b", 40)
    store.get(key("b"))
    assert store.gc(keep_days=30, dry_run=True).keys == (key("a"),)
    assert store.has(key("a"))
    cleared = store.gc(keep_days=30)
    assert (cleared.keys, cleared.dry_run) == ((key("a"),), False)
    assert cleared.bytes > 1000
    assert [store.has(key(n)) for n in "abc"] == [False, True, True]


def test_clearing_what_no_program_uses(store: Store, tmp_path: Path) -> None:
    for name in "abcd":
        put(store, name)
    for name in "ab":
        (tmp_path / f"{name}.steer").touch()
        store.write_history(str(tmp_path / f"{name}.steer"), {name: Past(key(name), "op", 1, {}, ())})
    store.write_history(str(tmp_path / "gone.steer"), {"c": Past(key("c"), "op", 1, {}, ())})
    age(store, "c", 9)
    assert store.gc(unused=True, keep_days=5).keys == (key("c"),)
    assert set(store.gc(unused=True).keys) == {key("d")}
    assert [store.has(key(n)) for n in "abcd"] == [True, True, False, False]


def test_clearing_leftovers_and_quarantine_only(store: Store) -> None:
    put(store, "x")
    put(store, "y")
    (store.layout.object(key("x")) / "rows.jsonl").unlink()
    store.get(key("x"))
    (store.layout.temp / "123-dead").mkdir()
    (store.layout.temp / "123-dead" / "f").write_bytes(b"12345")
    assert len(store.gc(dry_run=True).leftovers) == 2
    assert len(store.gc().leftovers) == 2
    assert not leftovers(store)
    assert store.gc().leftovers == ()
    assert [s.key for s in store.ls()] == [key("y")]


def test_nothing_is_cleared_under_a_run(store: Store) -> None:
    put(store, "x")
    with store.in_use(), pytest.raises(StoreBusy):
        store.gc(keep_days=0)
    with store.in_use(), store.in_use(), store.temp() as folder, Store(store.root).in_use():
        assert folder.is_dir()
    assert store.gc(keep_days=-1).keys == (key("x"),)


def test_a_run_that_is_alone_sweeps_leftovers(store: Store) -> None:
    put(store, "x")
    (store.layout.temp / "123-dead").mkdir()
    with store.in_use():
        assert not leftovers(store)


def test_listing(store: Store) -> None:
    put(store, "x", 1)
    put(store, "y", 2)
    found = list(store.ls())
    assert [s.key for s in found] == sorted([key("x"), key("y")])
    assert all(s.record is not None and s.damage is None and s.bytes > s.record.bytes for s in found)


def test_looking_after_a_store_needs_no_numpy(store: Store) -> None:
    put(store, "x")
    code = (
        "import sys; sys.modules.update(numpy=None, torch=None, safetensors=None)\n"
        "from steerlang.engine.store import Store; import steerlang.engine.scheduler, steerlang.engine.progress\n"
        "s = Store(sys.argv[1]); k = sys.argv[2]\n"
        "print(s.has(k), len(list(s.ls())), list(s.verify()), s.gc(unused=True).keys == (k,))\n"
    )
    found = subprocess.run([sys.executable, "-c", code, str(store.root), key("x")], capture_output=True, text=True,
                           check=True)
    assert found.stdout.split() == ["True", "1", "[]", "True"]


def test_the_default_place() -> None:
    home = Path.home()
    assert default_root({"STEERLANG_CACHE_DIR": "/a", "XDG_CACHE_HOME": "/b"}) == Path("/a")
    assert default_root({"STEERLANG_CACHE_DIR": "", "XDG_CACHE_HOME": "/b"}) == Path("/b/steerlang")
    assert default_root({"XDG_CACHE_HOME": "relative"}) == home / ".cache" / "steerlang"
    assert default_root({"STEERLANG_CACHE_DIR": "~/x"}) == home / "x"


def test_the_store_holds_nothing_executable(store: Store) -> None:
    put(store, "x")
    files = [p for p in store.root.rglob("*") if p.is_file()]
    assert {p.suffix for p in files if p.parent.name == key("x")} == {".json", ".jsonl", ".safetensors"}
    assert not any(p.stat().st_mode & 0o111 for p in files)
    assert json.loads((store.layout.object(key("x")) / "record.json").read_text())["operation"] == "work"
    assert "pickle" not in Path(payload_module.__file__).read_text()
