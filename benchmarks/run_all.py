"""Every benchmark, one after another; tables go to `benchmarks/results/` and to `docs/benchmarks.md`.

    python benchmarks/run_all.py [NAME...]
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import document

HERE = Path(__file__).resolve().parent
NAMES = (
    "validate", "parse_speed", "graph_scale", "weights", "learning_step", "hooks", "conditions", "sweep", "attention",
    "generation", "extraction", "concepts", "images",
)  # fmt: skip


def main() -> int:
    wanted = sys.argv[1:] or list(NAMES)
    failed = []
    for name in wanted:
        print(f"== {name}", flush=True)
        if subprocess.run([sys.executable, HERE / f"{name}.py"]).returncode:
            failed.append(name)
    document.main()
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
