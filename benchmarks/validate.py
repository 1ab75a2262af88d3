"""How long `steerlang validate` takes from a cold start, and how long a larger program takes to parse.

    python benchmarks/validate.py

Each run is a process of its own with compiled bytecode, as after an installation; neither torch nor numpy may be
imported. The floors are the interpreter alone, and the interpreter with the two libraries every command needs.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from measuring import Table, Times, cpu_seconds, median, ratio, take_turns, verdict, write

ROOT = Path(__file__).resolve().parents[1]
ROUNDS, VALIDATE, PARSE = 9, 0.300, 0.100
HEAVY = ("torch", "transformers", "numpy", "sklearn", "rich")

HEAD = f"""steerlang 1

# What every variant below is made of.
model base  = hf("{ROOT}/specs/models/courtesy")
data  pairs = jsonl("{ROOT}/specs/data/manners.jsonl", source = "rude", target = "polite")
data  asked = lines("{ROOT}/specs/data/requests.txt")
"""
BLOCK = '''
# Variant {i}: one vector, steered with it in two ways, compared with the base.
vector  way_{i}     = extract(base, pairs, method = mean_difference, layers = 25%..75%, tokens = last)
model   kind_{i}    = apply(base, add(way_{i}, layers = 25%..75%, scale = {scale:.2f}, unit = residual, norm = keep))
model   turned_{i}  = apply(base, rotate(way_{i}, layers = 50%..75%, scale = 0.1))
samples replies_{i} = generate([base, kind_{i}, turned_{i}], asked, max_new_tokens = 32)
metric  variety_{i} = distinct(replies_{i})
expect  varied_{i}  = variety_{i}[kind_{i}] >= variety_{i}[base] * 0.5
'''


def program(size: int) -> str:
    """A program of about `size` bytes."""
    text, i = HEAD, 0
    while len(text) < size - len(BLOCK) // 2:
        i += 1
        text += BLOCK.format(i=i, scale=0.05 * i)
    return text


def lay_out(folder: Path, size: int) -> Path:
    """The program, with the model and the data of the examples."""
    path = folder / f"program_{size}.steer"
    path.write_text(program(size))
    return path


def process(folder: Path, *arguments: str) -> Callable[[], None]:
    """A fresh interpreter; bytecode is kept beside the program, written in the round that is not counted."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(folder / "bytecode")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)

    def run() -> None:
        done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, env=environment, cwd=ROOT)
        assert done.returncode == 0, done.stdout + done.stderr

    return run


def light(path: Path) -> str:
    """Code that validates a program and sees that nothing heavy was imported."""
    return (
        "import sys\nfrom steerlang.cli.main import cli\n"
        f"code = cli.main(['validate', {str(path)!r}], standalone_mode=False)\n"
        f"assert code == 0, code\nheavy = [m for m in {HEAVY!r} if m in sys.modules]\nassert not heavy, heavy\n"
    )


def clocked(acts: dict[str, Callable[[], None]]) -> dict[str, float]:
    """Seconds by the clock, the least of some runs."""
    found = {}
    for name, act in acts.items():
        spent = []
        for _ in range(ROUNDS):
            started = time.perf_counter()
            act()
            spent.append(time.perf_counter() - started)
        found[name] = min(spent)
    return found


def cold(folder: Path) -> Table:
    path = lay_out(folder, 5_000)
    process(folder, "-c", light(path))()
    acts = {
        "the interpreter": process(folder, "-c", "pass"),
        "and click and lark": process(folder, "-c", "import click, lark"),
        f"validate, {path.stat().st_size / 1000:.1f} KB": process(folder, "-m", "steerlang", "validate", str(path)),
        "validate, specs/quickstart.steer": process(folder, "-m", "steerlang", "validate", "specs/quickstart.steer"),
    }
    times, clock = take_turns(acts, ROUNDS), clocked(acts)
    table = Table(
        "A cold start of `steerlang validate`",
        ("process", "CPU s", "least CPU s", "least wall s", "× interpreter with click and lark", "target, median"),
        notes=[
            f"None of {', '.join(HEAVY)} is imported (asserted). The target is held against the median of {ROUNDS}."
        ],
    )
    for name in acts:
        least = min(times[name])
        target = verdict(median(times, name), VALIDATE) if name.startswith("validate") else ""
        table.add(name, median(times, name), least, clock[name], ratio(times, name, "and click and lark"), target)
    return table


def parsing(folder: Path) -> Table:
    """Parsing alone, in a process that has parsed before: per program, and per byte."""
    from steerlang.source import Source
    from steerlang.syntax import parse

    table = Table("Parsing", ("program", "CPU s", "KB a second", "× first row, per KB", "target, CPU s"))
    sizes = (10_000, 100_000, 500_000)
    sources = [Source(f"{size}.steer", program(size), str(folder / f"{size}.steer")) for size in sizes]
    times: Times = {source.name: [] for source in sources}
    for number in range(ROUNDS + 1):
        for source in sources:
            before = cpu_seconds()
            _, problems = parse(source)
            assert not problems, problems
            if number:
                times[source.name].append(cpu_seconds() - before)
    per_kb = median(times, sources[0].name) / len(sources[0].text)
    for source in sources:
        seconds, kilobytes = median(times, source.name), len(source.text) / 1000
        target = verdict(seconds, PARSE) if 9 <= kilobytes <= 11 else ""
        table.add(
            f"{kilobytes:.1f} KB", seconds, kilobytes / seconds, seconds / len(source.text) / per_kb, target
        )
    return table


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        write("validate", [cold(Path(folder)), parsing(Path(folder))])


if __name__ == "__main__":
    main()
