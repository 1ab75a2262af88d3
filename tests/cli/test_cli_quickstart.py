"""The first program on the real command line: interrupted, continued, and then with nothing left to do."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = "specs/quickstart.steer"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them"),
    pytest.mark.skipif(not (ROOT / PROGRAM).exists(), reason="needs the programs of a checkout"),
]


def _steer(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "steerlang", *arguments]


def _interrupted(cache: Path) -> subprocess.CompletedProcess[str]:
    """A run that gets Ctrl-C once its vector is made."""
    command = _steer("run", PROGRAM, "--cache-dir", str(cache), "--threads", "1")
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        seen = []
        for line in process.stderr:
            seen.append(line)
            if "generate" in line:
                process.send_signal(signal.SIGINT)
                break
        out, err = process.communicate(timeout=120)
    return subprocess.CompletedProcess(command, process.returncode, out, "".join(seen) + err)


def test_interrupted_and_continued(tmp_path: Path) -> None:
    found = _interrupted(tmp_path)
    assert found.returncode == 130, found.stderr
    assert "SL804" in found.stderr
    assert "kept: " in found.stderr
    assert "Traceback" not in found.stderr + found.stdout

    plan = subprocess.run(_steer("plan", PROGRAM, "--format", "json", "--cache-dir", str(tmp_path)), cwd=ROOT,
                          capture_output=True, text=True, timeout=120, check=True)
    assert json.loads(plan.stdout)["cached"] > 0

    rest = subprocess.run(_steer("run", PROGRAM, "--format", "json", "--cache-dir", str(tmp_path), "--threads", "1"),
                          cwd=ROOT, capture_output=True, text=True, timeout=300, check=True)
    document = json.loads(rest.stdout)
    assert document["outcome"] == "done"
    assert document["cached"] > 0
    assert all(e["holds"] for e in document["expectations"])
    assert {m["name"] for m in document["metrics"]} == {"politeness", "surprise"}

    again = subprocess.run(_steer("plan", PROGRAM, "--detailed-exitcode", "--cache-dir", str(tmp_path)), cwd=ROOT,
                           capture_output=True, text=True, timeout=120, check=False)
    assert again.returncode == 0
