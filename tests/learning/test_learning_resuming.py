"""A run that was stopped goes on to the same bits; other runs' states and damaged ones are refused."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from learning_models import Net, rows

from steerlang.learning import (
    Data,
    Entropy,
    Learned,
    LearningError,
    Negate,
    Penalty,
    Pool,
    SelfTraining,
    Settings,
    StateFile,
    Supervised,
    learn,
)
from steerlang.weights.blocks import Blocks

OBJECTIVES = {"supervised": Supervised(), "entropy": Entropy(), "negate": Negate(0.5), "self_training": SelfTraining(2)}
STEPS = 11


class Stop(Exception):  # noqa: N818
    pass


def run(
    net: Net, pool: Pool, objective: Any, state: StateFile | None, stop: int | None = None, seed: int = 0
) -> Learned:
    settings = Settings(objective, steps=STEPS, batch_size=5, lr=0.1, grad_accumulation=2, penalty=Penalty(2, 0.1),
                        evaluate_every=3, seed=seed)  # fmt: skip
    labelled = isinstance(objective, (Supervised, Negate))
    control = rows(net, 14, 9, "control") if isinstance(objective, Negate) else None
    data = Data((rows(net, 17, labelled=labelled),), control)

    def progress(done: int, steps: int, loss: float) -> None:
        if done == stop:
            raise Stop

    return learn(net, pool, pool.index(Blocks()), data, settings, state=state, progress=progress)


@pytest.mark.parametrize("stop", [1, 4, 6, 10])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_goes_on_to_the_same_bits(net: Net, pool: Pool, tmp_path: Path, objective: str, stop: int) -> None:
    wanted = run(net, pool, OBJECTIVES[objective], None)
    state = StateFile(tmp_path / "deep" / "state", every=2)
    with pytest.raises(Stop):
        run(net, pool, OBJECTIVES[objective], state, stop)
    assert state.path.is_file() == (stop >= 2)
    found = run(net, pool, OBJECTIVES[objective], state)
    assert torch.equal(found.values, wanted.values)
    assert found.history == wanted.history
    assert found.trials == wanted.trials
    assert (found.chosen, found.why, found.base) == (wanted.chosen, wanted.why, wanted.base)
    again = run(net, pool, OBJECTIVES[objective], state)
    assert torch.equal(again.values, wanted.values)
    assert [p.name for p in state.path.parent.iterdir()] == ["state"]


def test_equal_runs_give_equal_bits(net: Net, pool: Pool) -> None:
    first, second, other = (run(net, pool, Supervised(), None, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(first.values, second.values)
    assert not torch.equal(first.values, other.values)


def test_another_runs_state(net: Net, pool: Pool, tmp_path: Path) -> None:
    state = StateFile(tmp_path / "state", "mine", every=1)
    run(net, pool, Supervised(), state)
    with pytest.raises(LearningError, match="another run") as caught:
        run(net, pool, Supervised(), state, seed=1)
    assert caught.value.code.id == "SL810"
    with pytest.raises(LearningError, match="another run"):
        run(net, pool, Supervised(), StateFile(state.path, "yours"))
    state.remove()
    run(net, pool, Supervised(), state, seed=1)


@pytest.mark.parametrize("content", [b"", b"no safetensors at all", None])
def test_a_damaged_state(net: Net, pool: Pool, tmp_path: Path, content: bytes | None) -> None:
    state = StateFile(tmp_path / "state", every=1)
    run(net, pool, Supervised(), state)
    state.path.write_bytes(state.path.read_bytes()[:-9] if content is None else content)
    with pytest.raises(LearningError, match="cannot be read") as caught:
        run(net, pool, Supervised(), state)
    assert caught.value.code.id == "SL504"


def test_a_full_disk(net: Net, pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    state = StateFile(tmp_path / "state", every=1)
    with pytest.raises(Exception, match="the disk is full") as caught:
        run(net, pool, Supervised(), state)
    assert caught.value.code.id == "SL511"  # type: ignore[attr-defined]
    assert list(tmp_path.glob("*state*")) == []


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {folder!r})
import torch
torch.set_num_threads(1)
import test_learning_resuming as t
from learning_models import Net, pool_of
torch.manual_seed(0)
net = Net()
pool = pool_of(Path({models!r}), net)
state = t.StateFile(Path({state!r}), every=1)
real = os.replace
count = 0
def replace(*given):
    global count
    count += 1
    if count == 7:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*given)
os.replace = replace
import pathlib
pathlib.Path.replace = lambda self, target: replace(self, target)
t.run(net, pool, t.Negate(0.5), state)
"""


@pytest.mark.slow
def test_killed_while_the_state_is_written(net: Net, pool: Pool, tmp_path: Path) -> None:
    wanted, state = run(net, pool, Negate(0.5), None), tmp_path / "run" / "state"
    code = KILLED.format(folder=str(Path(__file__).parent), models=str(tmp_path / "again"), state=str(state))
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False)
    assert process.returncode == -signal.SIGKILL, process.stderr
    found = run(net, pool, Negate(0.5), StateFile(state, every=1))
    assert torch.equal(found.values, wanted.values)
    assert found.trials == wanted.trials
