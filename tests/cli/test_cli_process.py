"""The command line as a process: signals, closed pipes, terminals, start-up."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

posix = pytest.mark.skipif(os.name != "posix", reason="signals and pipes as POSIX has them")
HEAVY = ("torch", "transformers", "numpy", "rich", "jsonschema", "tokenizers", "safetensors")

# A run that never ends by itself, on the real command line.
SLEEPER = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs inherit that it is ignored
from types import SimpleNamespace
from steerlang import api
from steerlang.cli.main import cli

def run(*_, **__):
    print("running", file=sys.stderr, flush=True)
    time.sleep(60)

def load(path, parameters=None, settings=None):
    return SimpleNamespace(compiled=api.load(path, parameters, settings).compiled, run=run)

cli.main(obj=SimpleNamespace(load=load))
"""


def steer(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "steerlang", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, **options)  # type: ignore[call-overload, no-any-return]


@posix
@pytest.mark.parametrize("format", ["text", "json"])
def test_interrupt(format: str, folder: Path) -> None:
    command = [sys.executable, "-c", SLEEPER, "run", "good.steer", "--format", format]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert "running" in process.stderr.readline()
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err + out
    assert "Traceback" not in err
    assert "kept" in (json.loads(out)["diagnostics"][0]["notes"][0] if format == "json" else err)


@posix
@pytest.mark.parametrize("arguments", [
    ("validate", "bad.steer"), ("run", "good.steer"), ("run", "good.steer", "--format", "json"), ("--help",),
    ("doctor",),
])
def test_closed_stdout_is_quiet(arguments: tuple[str, ...], folder: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)  # as `| head` does once it has seen enough
    with os.fdopen(writer, "w") as stdout:
        command = [sys.executable, "-m", "steerlang", *arguments]
        found = subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=120, check=False)
    assert found.returncode == (1 if "bad.steer" in arguments else 0)
    for word in ("Traceback", "BrokenPipe", "Exception ignored"):
        assert word not in found.stderr


@posix
def test_no_stdout_at_all(folder: Path) -> None:
    found = subprocess.run(["sh", "-c", f"{sys.executable} -m steerlang validate bad.steer >&-"],
                           stderr=subprocess.PIPE, text=True, timeout=120, check=False)
    assert found.returncode == 1
    assert "Traceback" not in found.stderr


def test_ascii_terminals(folder: Path) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    found = steer("run", "good.steer", env=environment)
    assert found.returncode == 0
    assert "ok small" in found.stdout
    (folder / "wide.steer").write_text("steerlang 1\nlet a = grüße\n", encoding="utf-8")
    for format in ("text", "json"):
        assert steer("validate", "wide.steer", "--format", format, env=environment).returncode == 1


def test_validate_loads_nothing_heavy(folder: Path) -> None:
    code = (
        "import sys\nfrom steerlang.cli.main import cli\n"
        "code = cli.main(['validate', 'good.steer', 'bad.steer'], standalone_mode=False)\n"
        f"assert code == 1, code\nprint([m for m in {HEAVY!r} if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert found.stdout.splitlines()[-1] == "[]"


def test_help_loads_no_verb() -> None:
    code = (
        "import sys\nfrom steerlang.cli.main import cli\ncli.main(['--help'], standalone_mode=False)\n"
        "print([m for m in sys.modules if m.startswith('steerlang.cli.verbs') or m == 'lark'])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert found.stdout.splitlines()[-1] == "[]"


def _cpu_seconds(*command: str) -> float:
    import resource

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, capture_output=True, timeout=120, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


LOADED = """
import sys
from steerlang.cli.main import cli
try:
    cli.main(["validate", "good.steer"])
except SystemExit:
    pass
print("\\n".join(sys.modules))
"""


def test_validating_loads_what_it_uses(folder: Path) -> None:
    """What a program does not name is not loaded: no readers of vector files, no plans, no views of other formats."""
    loaded = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True).stdout.split()
    assert "steerlang.language.checking" in loaded
    heavy = {"torch", "numpy", "transformers", "safetensors", "scipy", "sklearn", "PIL", "jsonschema", "pickletools"}
    unused = {"steerlang.graph.plan", "steerlang.graph.facts.vectors", "steerlang.engine.store", "steerlang.weights"}
    assert not {name.partition(".")[0] for name in loaded} & heavy
    assert not unused & set(loaded)


@posix
@pytest.mark.slow  # by the clock, so by itself: other tests beside it change what it measures
def test_starting_is_quick(folder: Path) -> None:
    """Validating costs no more than a few times what importing the parser library and click alone does."""
    steer("validate", "good.steer")  # byte code is written
    least = min(_cpu_seconds(sys.executable, "-c", "import lark, click") for _ in range(4))
    own = min(_cpu_seconds(sys.executable, "-m", "steerlang", "validate", "good.steer") for _ in range(4))
    assert own < 5 * least, f"{own:.3f} s of processor time, {least:.3f} s for the libraries alone"


def test_python_dash_m_from_another_directory(folder: Path, tmp_path: Path) -> None:
    found = steer("validate", "work/good.steer", cwd=tmp_path)
    assert found.returncode == 0
    assert found.stdout == "work/good.steer: no problems found, 2 definitions\n"
