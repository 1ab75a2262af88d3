"""An export that is killed at any moment, or whose disk fills up: the target is absent or whole, and the next run ends
what was begun."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from steerlang.diagnostics import codes
from steerlang.exports.checkpoint import export_checkpoint
from steerlang.weights.errors import WeightsError
from steerlang.weights.verifying import verify

from .test_checkpoint_export import _hidden, _plan

# What changes something on the disk. Between two of them a kill finds the same state.
MOMENTS = ("open", "pwrite", "fsync", "rename", "unlink", "mkdir", "rmdir", "posix_fallocate", "write")


def forked(act: Callable[[], None]) -> int:
    """Carries out `act` in a child; gives how that ended."""
    child = os.fork()
    if child == 0:
        try:
            act()
        except BaseException:
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1]


def killed_at(moment: int, folder: Path) -> bool:
    """Exports, and kills that at the n-th moment; whether it came so far. Where not, `moments` says how many there are.
    """

    def act() -> None:
        count = 0

        def counted(real: Callable[..., object]) -> Callable[..., object]:
            def call(*arguments: object, **named: object) -> object:
                nonlocal count
                count += 1
                if count == moment:
                    os.kill(os.getpid(), signal.SIGKILL)
                return real(*arguments, **named)

            return call

        for name in MOMENTS:
            if hasattr(os, name):
                setattr(os, name, counted(getattr(os, name)))
        export_checkpoint(_plan(folder), folder / "out", max_shard_size=1200)
        (folder / "moments").write_text(str(count))

    ended = forked(act)
    assert ended in (0, signal.SIGKILL), ended
    return ended == signal.SIGKILL


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("before", ["nothing", "an export"])
def test_killed_at_any_moment(before: str, tmp_path: Path) -> None:
    plan = _plan(tmp_path)
    want = export_checkpoint(plan, tmp_path / "want", max_shard_size=1200)["tensors"]
    assert not killed_at(0, tmp_path)
    moments = int((tmp_path / "moments").read_text())
    assert moments > 20
    # What was there before matters only where it is replaced, at the end.
    for moment in range(1 if before == "nothing" else moments - 12, moments + 1):
        for name in ("out", ".out.partial", ".out.old"):
            shutil.rmtree(tmp_path / name, ignore_errors=True)
        if before == "an export":
            export_checkpoint(plan, tmp_path / "out")
        killed = killed_at(moment, tmp_path)
        if (tmp_path / "out").exists():
            assert verify(tmp_path / "out") == (), moment
        else:
            assert killed
        found = export_checkpoint(plan, tmp_path / "out", max_shard_size=1200)
        assert found["tensors"] == want
        assert verify(tmp_path / "out") == ()
        assert _hidden(tmp_path) == [], moment


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_files_that_may_not_grow(tmp_path: Path) -> None:
    plan = _plan(tmp_path)

    def act() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        with pytest.raises(WeightsError, match="could not be written"):
            export_checkpoint(plan, tmp_path / "out")

    assert forked(act) == 0
    assert not (tmp_path / "out").exists()
    assert _hidden(tmp_path) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 32 KiB."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=32k", "tmpfs", str(place)]
    may = sys.platform.startswith("linux") and shutil.which("mount") is not None and os.geteuid() == 0
    if not may or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("a small disk cannot be mounted here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_disk_that_is_really_full(small_disk: Path, tmp_path: Path) -> None:
    (small_disk / "filler").write_bytes(b"x" * 24 * 1024)
    with pytest.raises(WeightsError, match="the disk is full") as caught:
        export_checkpoint(_plan(tmp_path), small_disk / "out")
    assert caught.value.code is codes.DISK_FULL
    assert [p.name for p in small_disk.iterdir()] == ["filler"]
    (small_disk / "filler").unlink()
    export_checkpoint(_plan(tmp_path), small_disk / "out")
    assert verify(small_disk / "out") == ()
