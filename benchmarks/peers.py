"""Other libraries, each in an environment of its own, so that each has the versions it asks for.

Environments are made on first use in `benchmarks/.peers/NAME`; a peer that cannot be installed is left out with a
message. torch is pinned to the version measured here.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ENVIRONMENTS = HERE / ".peers"
TORCH = "torch==2.13.0"

#: What is installed for each peer, and the script that measures it.
PEERS = {"repeng": "repeng", "steering-vectors": "steering_vectors", "nnsight": "nnsight"}


def measure(benchmark: str, arguments: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What each peer's script says for a benchmark: a document a peer, without those that are not to be had."""
    found = {}
    for name in PEERS:
        python = _environment(name)
        result = None if python is None else _run(name, python, benchmark, arguments)
        if result is not None:
            found[name] = result
    return found


def _environment(name: str) -> Path | None:
    """The interpreter of a peer's environment, made if need be; None when it cannot be."""
    folder = ENVIRONMENTS / name
    python, ready = folder / "bin" / "python", folder / "ready"
    if ready.exists():
        return python
    print(f"installing {name} …", file=sys.stderr)
    venv.create(folder, with_pip=True, clear=True)
    done = subprocess.run([python, "-m", "pip", "install", "-q", TORCH, name], capture_output=True, text=True)
    if done.returncode:
        print(f"{name} is left out: {done.stderr.strip()[-300:]}", file=sys.stderr)
        return None
    ready.touch()
    return python


def _run(name: str, python: Path, benchmark: str, arguments: dict[str, Any]) -> dict[str, Any] | None:
    script = HERE / "peer_scripts" / f"{PEERS[name]}_peer.py"
    environment = {**os.environ, "PYTHONPATH": str(HERE), "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run(
        [python, script, benchmark, json.dumps(arguments)], capture_output=True, text=True, env=environment
    )
    if done.returncode:
        print(f"{name} is left out of {benchmark}: {done.stderr.strip()[-600:]}", file=sys.stderr)
        return None
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found
