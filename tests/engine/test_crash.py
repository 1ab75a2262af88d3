"""Processes killed at random moments, and several processes in one store."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from steerlang.engine import locks
from steerlang.engine.store import Store
from steerlang.graph.reasons import Past

from crash_child import COUNT, program  # isort: skip
from engine_fakes import key, payload, record, same  # isort: skip

pytestmark = pytest.mark.skipif(not locks.can_lock(), reason="no locks between processes on this platform")
NODES = 2 * COUNT + 1


def until(condition: Callable[[], object]) -> None:
    """Waits for something that another thread or process does; fails after some seconds."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.001)


def start(root: Path, log: Path, seconds: float) -> subprocess.Popen[str]:
    child = Path(__file__).with_name("crash_child.py")
    return subprocess.Popen([sys.executable, str(child), str(root), str(log), str(seconds)], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str]) -> list[str]:
    """Outcome, rightness, made, cached, waited of a child that ran to its end."""
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    return out.split()


def test_killed_runs_leave_a_whole_store_and_the_next_one_goes_on(tmp_path: Path) -> None:
    root, log, chance = tmp_path / "store", tmp_path / "log", random.Random(7)
    stored = 0
    kills = 0
    for _ in range(6):
        process = start(root, log, 0.004)
        # Counted from the first execution on, or most kills would hit the imports.
        before = log.stat().st_size if log.exists() else 0
        until(lambda p=process, b=before: p.poll() is not None or (log.exists() and log.stat().st_size > b))
        time.sleep(chance.uniform(0, 0.12))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        kills += process.returncode == -signal.SIGKILL
        store = Store(root, durable=False)
        assert not list(store.verify())
        found = len(list(store.ls()))
        assert found >= stored, "a kill lost results"
        stored = found
    assert kills >= 2
    outcome, right, made, cached, _ = finish(start(root, log, 0))
    assert (outcome, right) == ("done", "True")
    assert int(made) + int(cached) == NODES
    assert int(made) == NODES - stored
    assert not list(Store(root).layout.temp.iterdir())
    # At most the node under way was lost by each kill.
    assert sum(n - 1 for n in Counter(log.read_text().split()).values()) <= kills


def test_two_runs_at_once_make_every_node_once(tmp_path: Path) -> None:
    root, log = tmp_path / "store", tmp_path / "log"
    found = [finish(p) for p in [start(root, log, 0.01) for _ in range(2)]]
    assert [f[:2] for f in found] == [["done", "True"]] * 2
    counts = Counter(log.read_text().split())
    assert set(counts) == set(program().roots)
    assert set(counts.values()) == {1}
    assert sum(int(f[2]) for f in found) == NODES
    assert any(f[4] != "0" for f in found), "nobody waited, so nothing was tried"
    assert not list(Store(root).verify())


def test_a_run_goes_on_when_the_one_it_waits_for_is_killed(tmp_path: Path) -> None:
    root, log = tmp_path / "store", tmp_path / "log"
    first = start(root, log, 0.05)
    until(log.exists)
    second = start(root, log, 0)
    time.sleep(0.4)
    first.kill()
    first.communicate()
    assert finish(second)[:2] == ["done", "True"]
    assert not list(Store(root).verify())


def test_locks_exclude_and_announce_themselves(tmp_path: Path) -> None:
    store = Store(tmp_path, durable=False)
    order: list[str] = []
    waited: list[str] = []

    def other() -> None:
        with store.lock(key("b"), key("a"), on_wait=waited.append):
            order.append("other")

    thread = threading.Thread(target=other)
    with store.lock(key("a")):
        thread.start()
        until(lambda: waited)
        order.append("first")
    thread.join(10)
    assert (order, waited) == (["first", "other"], [key("a")])
    assert not [p for p in store.layout.locks.iterdir() if not p.name.startswith("stripe-")]


@pytest.mark.parametrize(("one", "two"), [(1, 500), (500, 1), (500, 500)])
def test_many_locks_exclude_few_with_a_bounded_number_of_files(tmp_path: Path, one: int, two: int) -> None:
    store = Store(tmp_path, durable=False)
    waited: list[str] = []

    def other() -> None:
        with store.lock(*(key(n) for n in range(two)), on_wait=waited.append):
            pass

    thread = threading.Thread(target=other)
    with store.lock(*(key(n) for n in range(one))):
        assert len(os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else []) < 150
        thread.start()
        until(lambda: waited)
        assert thread.is_alive()
    thread.join(10)
    assert not thread.is_alive()
    assert len(waited) == 1


def test_a_lock_file_that_its_holder_removed_does_not_count(tmp_path: Path) -> None:
    """Who waited on the removed file must hold the new one, or a third would come in."""
    path, waited, release = tmp_path / "lock", [], threading.Event()

    def second() -> None:
        with locks.lock_file(path, "second", waited.append, transient=True):
            waited.append("second is in")
            release.wait(20)

    def third() -> None:
        with locks.lock_file(path, "third", waited.append, transient=True):
            waited.append("third is in")

    threads = [threading.Thread(target=second), threading.Thread(target=third)]
    with locks.lock_file(path, transient=True):
        threads[0].start()
        until(lambda: waited == ["second"])
    until(lambda: len(waited) == 2)
    threads[1].start()
    until(lambda: len(waited) == 3)
    release.set()
    for t in threads:
        t.join(20)
    assert waited == ["second", "second is in", "third", "third is in"]
    assert not path.exists()


def test_different_keys_do_not_wait_for_each_other(tmp_path: Path) -> None:
    store = Store(tmp_path, durable=False)
    waited: list[str] = []
    with store.lock(*(key(n) for n in range(20))), store.lock(*(key(n) for n in range(20, 40)), on_wait=waited.append):
        assert not waited


def test_many_threads_take_overlapping_locks_without_deadlock(tmp_path: Path) -> None:
    store = Store(tmp_path, durable=False)
    inside: Counter[str] = Counter()
    clashes: list[str] = []

    def act(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(15):
            names = [key(n) for n in chance.sample(range(60), chance.choice([1, 3, 55]))]
            with store.lock(*names):
                inside.update(names)
                clashes.extend(n for n in names if inside[n] > 1)
                inside.subtract(names)

    threads = [threading.Thread(target=act, args=(n,)) for n in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(30)
    assert not any(t.is_alive() for t in threads)
    assert not clashes


def test_a_platform_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "fcntl", None)
    store = Store(tmp_path, durable=False)
    with store.in_use(), store.lock(key("a")), store.lock(key("a")), store.temp() as folder:
        assert folder.is_dir()
    assert store.gc().keys == ()


def put_until(store: Store, point: int) -> int:
    """Puts a result in a child process that dies at the `point`-th call that changes the disk; gives its exit code."""
    child = os.fork()
    if child == 0:
        calls = 0

        def dying(act: Callable[..., Any]) -> Callable[..., Any]:
            def called(*args: Any, **rest: Any) -> Any:
                nonlocal calls
                calls += 1
                if calls == point:
                    os._exit(9)
                return act(*args, **rest)

            return called

        try:
            for where, name in ((os, "rename"), (os, "replace"), (os, "fsync"), (os, "open"), (Path, "open"),
                                (Path, "mkdir"), (os, "rmdir"), (os, "unlink")):
                setattr(where, name, dying(getattr(where, name)))
            store.put(key("x"), payload(2), record("x"), over=True)
            store.write_history("/p/a.steer", {"x": Past(key("x"), "work", 2, {}, ())})
        except BaseException:
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_dying_at_every_step_of_a_put(tmp_path: Path) -> None:
    """The old result is there until the new one is, and never anything between; leftovers go with the next run."""
    point, codes = 0, []
    while not codes or codes[-1] != 0:
        point += 1
        store = Store(tmp_path / str(point))
        store.put(key("x"), payload(1), record("x"))
        store.write_history("/p/a.steer", {"x": Past(key("x"), "work", 1, {}, ())})
        codes.append(put_until(store, point))
        assert codes[-1] in (0, 9)
        assert not list(store.verify())
        found = store.get(key("x"))
        # While the old one is set aside and the new one not yet in place, there is nothing: it is made again.
        assert found is None or same(found, payload(1)) or same(found, payload(2))
        assert store.view("/p/a.steer").history()["x"].version in (1, 2)
        store.put(key("x"), payload(1), record("x"))
        assert store.get(key("x")) is not None
        with store.in_use():
            assert not list(store.layout.temp.iterdir())
    assert len(codes) > 15
    assert same(Store(tmp_path / str(point)).get(key("x")), payload(2))  # type: ignore[arg-type]
