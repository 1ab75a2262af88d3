"""How long reading a program takes: lexing, parsing, fmt, and a cold start, for a program of about 10 KB.

Run `python benchmarks/parse_speed.py`. The goal is below 100 ms for 10 KB once the parser is built.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from steerlang.source import Source
from steerlang.syntax import parse, tokenize
from steerlang.syntax.printing import format_source
from steerlang.syntax.tables import tables

PROGRAMS = Path(__file__).parents[1] / "tests" / "syntax" / "programs"
SIZE = 10_240
COLD = "import sys; from steerlang.source import Source; from steerlang.syntax import parse; " \
       "parse(Source('cold', open(sys.argv[1]).read()))"


def program(size: int) -> Source:
    """Definitions of the example programs, repeated up to about `size` characters."""
    body = "\n".join(path.read_text().split("steerlang 1\n", 1)[1] for path in sorted(PROGRAMS.glob("*.steer")))
    text = "steerlang 1\n" + body * (size // len(body) + 1)
    return Source("benchmark", text[: text.rindex("\nlet ", 0, size) + 1])


def best(work: Callable[[], object], repeats: int = 7) -> float:
    """Milliseconds of the fastest run, in time of this process."""
    times = []
    for _ in range(repeats):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return min(times) * 1000


def cold_start(path: Path) -> float:
    times = []
    for _ in range(5):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", COLD, str(path)], check=True)
        times.append(time.perf_counter() - started)
    return min(times) * 1000


def main() -> None:
    started = time.process_time()
    tables()
    build = (time.process_time() - started) * 1000
    source = program(SIZE)
    assert not parse(source)[1]
    broken = Source("broken", source.text.replace("layers = ", "layers "))
    print(f"program: {len(source.text):,} characters, {len(parse(source)[0].definitions)} definitions")
    print(f"loading the tables   {build:7.1f} ms")
    print(f"tokens               {best(lambda: tokenize(source)):7.1f} ms")
    print(f"parse                {best(lambda: parse(source)):7.1f} ms")
    print(f"parse with mistakes  {best(lambda: parse(broken)):7.1f} ms  ({len(parse(broken)[1])} diagnostics)")
    print(f"fmt                  {best(lambda: format_source(source), 3):7.1f} ms")
    print(f"cold start, parse    {cold_start(PROGRAMS / 'sweep.steer'):7.1f} ms  (wall clock, new process)")


if __name__ == "__main__":
    main()
