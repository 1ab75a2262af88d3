"""Memory does not grow with the number of task vectors."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from learning_models import tuned, write
from torch import nn

WIDTH = 1536

CHILD = """
import resource, sys
from pathlib import Path
import torch
from torch import nn
from steerlang.learning import Pool, Settings
from steerlang.learning.composing import composed
from steerlang.weights.blocks import Blocks
from steerlang.weights.checkpoint import Checkpoint
from steerlang.weights.expression import Difference
torch.set_num_threads(1)
folder, count, parts = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
torch.manual_seed(0)
module = nn.Sequential(nn.Linear({width}, {width}), nn.Linear({width}, {width}))
tuned = Checkpoint.open(folder / "t", "t")
checkpoints = {{"base": Checkpoint.open(folder / "base", "base"), **{{f"t{{i}}": tuned for i in range(count)}}}}
pool = Pool.of({{f"t{{i}}": Difference(f"t{{i}}", "base") for i in range(count)}}, "base", checkpoints)
index = pool.index(Blocks(random=parts))
with composed(module, pool, index, None, Settings(steps=1)) as (composition, _):
    for scale in (0.1, 0.2):
        composition.set(torch.full((count, len(index.names)), scale))
        composition.run(lambda: (module(torch.ones(4, {width})).square().sum(), 4.0), 1.0)
        assert composition.take().abs().min() > 0
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak(folder: Path, count: int, parts: int) -> int:
    """The most memory a process held, in bytes; all task vectors have one file, mapped once."""
    command = [sys.executable, "-c", CHILD.format(width=WIDTH), str(folder), str(count), str(parts)]
    found = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert found.returncode == 0, found.stderr
    return int(found.stdout) * 1024


@pytest.mark.slow
@pytest.mark.parametrize("parts", [0, 5])
def test_peak(tmp_path: Path, parts: int) -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH))
    write(tmp_path / "base", dict(module.named_parameters()))
    write(tmp_path / "t", tuned(module, 1, 0.01))
    few, many = peak(tmp_path, 2, parts), peak(tmp_path, 24, parts)
    # 22 more task vectors would be 415 MB; a range of each is 32 KB. The rest is what allocators leave.
    assert many - few < 64 * 2**20
