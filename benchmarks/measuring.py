"""Measuring: CPU seconds of variants run in turn, peak anonymous memory of a process, and tables of ratios.

Needs the standard library alone, so that it also runs where a peer is installed and steerlang is not.

Seconds are CPU seconds (user and system, children included), because other work on a machine stretches the clock and
not the processor. Variants take turns within each round and in another order every round; a ratio is the median over
rounds of the ratio within a round, so that slow spells hit both sides.
"""

from __future__ import annotations

import gc
import json
import os
import platform
import resource
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent / "results"
Times = dict[str, list[float]]


def cpu_seconds() -> float:
    """CPU seconds so far of this process and of the children it has waited for."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def one_thread() -> None:
    """One thread for torch and everything below it."""
    import torch

    torch.set_num_threads(1)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


def take_turns(variants: Mapping[str, Callable[[], object]], rounds: int = 5) -> Times:
    """CPU seconds of each variant in each round, after one round that is not counted."""
    names = list(variants)
    found: Times = {name: [] for name in names}
    for number in range(rounds + 1):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            gc.collect()
            before = cpu_seconds()
            variants[name]()
            if number:
                found[name].append(cpu_seconds() - before)
    return found


def ratio(times: Times, name: str, to: str) -> float:
    """How many times as much `name` takes as `to`."""
    return statistics.median(a / b for a, b in zip(times[name], times[to], strict=True))


def median(times: Times, name: str) -> float:
    return statistics.median(times[name])


def anonymous_memory(pid: int) -> int:
    """Bytes of anonymous memory of a running process; 0 when it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon:")), 0)


def peak_memory(command: Sequence[str], environment: Mapping[str, str] | None = None) -> int:
    """The largest anonymous memory seen while a command runs, looked at every 5 ms. Raises when the command fails."""
    process = subprocess.Popen(list(command), env=None if environment is None else dict(environment))
    most = 0
    while process.poll() is None:
        most = max(most, anonymous_memory(process.pid))
        time.sleep(0.005)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, list(command))
    return most


@dataclass
class Table:
    """One table of a benchmark. Cells are text or numbers; `target` names the column that says whether all is well."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, *cells: Any) -> None:
        self.rows.append(cells)

    def markdown(self) -> str:
        rows = [self.columns, *[tuple(shown(c) for c in row) for row in self.rows]]
        widths = [max(len(row[i]) for row in rows) for i in range(len(self.columns))]
        lines = ["| " + " | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) + " |" for row in rows]
        lines.insert(1, "|" + "|".join("-" * (w + 2) for w in widths) + "|")
        notes = [f"\n{note}" for note in self.notes]
        return "\n".join([f"### {self.title}\n", *lines, *notes])


def shown(cell: Any) -> str:
    """A cell as text: numbers with three digits that count."""
    if not isinstance(cell, float):
        return str(cell)
    if cell >= 100:
        return f"{cell:.0f}"
    return f"{cell:.1f}" if cell >= 20 else f"{cell:.3f}" if cell < 0.1 else f"{cell:.2f}"


def verdict(value: float, most: float) -> str:
    """Whether a figure keeps its target, which is at most `most`."""
    return f"≤ {most:g}: kept" if value <= most else f"≤ {most:g}: missed"


def at_least(value: float, least: float) -> str:
    return f"≥ {least:g}: kept" if value >= least else f"≥ {least:g}: missed"


def write(name: str, tables: Sequence[Table]) -> None:
    """Shows the tables and writes them to `results/NAME.json` and `results/NAME.md`."""
    RESULTS.mkdir(exist_ok=True)
    document = {"benchmark": name, "machine": machine(), "tables": [asdict(table) for table in tables]}
    (RESULTS / f"{name}.json").write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    text = "\n\n".join(table.markdown() for table in tables)
    (RESULTS / f"{name}.md").write_text(text + "\n")
    print(f"\n{text}\n")


def machine() -> dict[str, str]:
    """What the figures were measured on, in words."""
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": platform.python_version(), "cpus": str(os.cpu_count())}
    for package in ("torch", "transformers"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
